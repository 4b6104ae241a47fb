//go:build linux

// Package causes names the faults of what lies between client and host, and does
// them to a World of package suite, which plays them and judges what came.
//
// Concurrency: a fault may take its time; it joins what it starts.
package causes

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/sallyport/sallyport/test/faults/impair"
	"github.com/sallyport/sallyport/test/faults/suite"
)

// EdgeKilled is the name of that cause.
const EdgeKilled = "edge killed with -9, and restarted"

// Causes are all of them. Streams go on but where a process that holds their
// sockets has ended, or where their window has run out.
func Causes() []suite.Cause {
	return slices.Concat(laneCauses(), passing(), cuts(), restarts(), ends(), ended(), silences(), traps())
}

// busy has streams of which many come to lanes, and which last a while: 64 MiB in 20 s,
// or a part of both.
func busy(part int, c suite.Cause) suite.Cause {
	c.Want, c.Bulk = suite.Survive, 64<<20/uint64(part)
	c.Lasts, c.New = cmp.Or(c.Lasts, 20*time.Second/time.Duration(part)), cmp.Or(c.New, 5*time.Second)
	return c
}

// passing are faults that leave everything where it is.
func passing() []suite.Cause {
	small := func(name string, fault, heal func(context.Context, *suite.World) error) suite.Cause {
		return suite.Cause{Name: name, Want: suite.Survive, New: soon, Bulk: 1 << 20, Lasts: time.Second, Fault: fault, Heal: heal}
	}
	pieces := small("pieces of 1 to 700 bytes", shape(impair.Shape{Pieces: 700}), healAll)
	pieces.Bulk = 256 << 10
	slow := small("100 KiB/s", shape(impair.Shape{Rate: 100 << 10}), healAll)
	slow.Bulk, slow.New, slow.Resume = 32<<10, 5*time.Second, 30*time.Second
	late := small("delay of 50 ms and jitter of 30", shape(impair.Shape{Delay: 50 * time.Millisecond, Jitter: 30 * time.Millisecond}), healAll)
	late.Bulk = 512 << 10
	return []suite.Cause{
		{Name: "nothing", Want: suite.Survive, New: soon, Bulk: 8 << 20, Lasts: time.Second, Fault: nothing},
		pieces,
		late,
		slow,
		small("connections doubled", doubled, healAll),
		{Name: "both daemons silent for 5 s", Want: suite.Survive, New: soon, Bulk: 1 << 20, Lasts: 2 * time.Second, Slow: true, Fault: during(5*time.Second, both(hole), healAll)},
		{Name: "client paused for 5 s", Want: suite.Survive, New: 5 * time.Second, Bulk: 1 << 20, Lasts: 2 * time.Second, Slow: true, Fault: paused(theClient, 5*time.Second)},
		{Name: "edge paused for 5 s", Want: suite.Survive, New: 5 * time.Second, Bulk: 1 << 20, Lasts: 2 * time.Second, Slow: true, Fault: paused(theEdge, 5*time.Second)},
	}
}

func nothing(context.Context, *suite.World) error { return nil }

// cuts end connections with a reset.
func cuts() []suite.Cause {
	return []suite.Cause{
		busy(4, suite.Cause{Name: "the client's link cut alone", Fault: cut(false, suite.IsLink)}),
		busy(4, suite.Cause{Name: "the host's link cut alone", Fault: cut(true, suite.IsLink)}),
		busy(4, suite.Cause{Name: "the client's trunks and lanes cut", New: soon, Fault: cut(false, suite.Carries)}),
		busy(4, suite.Cause{Name: "the host's trunks and lanes cut", New: soon, Fault: cut(true, suite.Carries)}),
		busy(2, suite.Cause{Name: "all of the client cut", Fault: cut(false, nil)}),
		busy(4, suite.Cause{Name: "all of the host cut", Fault: cut(true, nil)}),
	}
}

// restarts are those of the edge.
func restarts() []suite.Cause {
	stopEdge := func(_ context.Context, w *suite.World) error { return w.Edge().Process().Stop() }
	return []suite.Cause{
		busy(2, suite.Cause{Name: EdgeKilled, Fault: during(2*time.Second, killEdge, startEdge)}),
		busy(4, suite.Cause{Name: "edge stopped, and restarted", Fault: during(2*time.Second, stopEdge, startEdge)}),
	}
}

// ends are faults after which streams cannot go on.
func ends() []suite.Cause {
	killHost := func(_ context.Context, w *suite.World) error { w.Host().Process().Kill(); return nil }
	startHost := func(ctx context.Context, w *suite.World) error { return w.Host().Start(ctx) }
	killClient := func(_ context.Context, w *suite.World) error { w.Client().Process().Kill(); return nil }
	startClient := func(ctx context.Context, w *suite.World) error { return w.Client().Start(ctx) }
	die := func(name string, ends time.Duration, fault func(context.Context, *suite.World) error) suite.Cause {
		return suite.Cause{Name: name, Want: suite.Die, Ends: ends, New: 5 * time.Second, Bulk: 64 << 20, Lasts: 20 * time.Second, Fault: fault}
	}
	window := die("away for longer than the window of 3 s", suite.BriefWindow+4*time.Second, away)
	// Who was refused for a while waits longer from try to try (rule 9).
	window.App, window.Heal, window.New = suite.BriefApp, healAll, 15*time.Second
	return []suite.Cause{
		// What the other side holds of them it ends when the new process says hello.
		die("host daemon killed with -9, and restarted", 10*time.Second, during(time.Second, killHost, startHost)),
		die("client daemon killed with -9, and restarted", 10*time.Second, during(time.Second, killClient, startClient)),
		window,
	}
}

// ended are streams that end while nothing carries them, each in its way: what each
// end did is told to the other once it can be.
func ended() []suite.Cause {
	return []suite.Cause{
		{Name: "FINs and resets of both ends while cut off, 8 s", Want: suite.Survive, Ending: true, Lasts: 4 * time.Second, New: 5 * time.Second,
			Fault: during(8*time.Second, away, healAll)},
	}
}

// away cuts everything of the client, and lets nothing come again.
func away(ctx context.Context, w *suite.World) error {
	w.Proxy().Refuse(true)
	return cut(false, nil)(ctx, w)
}

// silences are those that nobody is told of; FarCauses has more.
func silences() []suite.Cause {
	silent := during(20*time.Second, hole(true), healAll)
	return []suite.Cause{
		busy(2, suite.Cause{Name: "silent middle at the host, 20 s", Lasts: 32 * time.Second, Resume: trunkDead, Slow: true, Fault: silent}),
	}
}

// traps spring in the middle of what carries streams.
func traps() []suite.Cause {
	row := func(name string, a impair.Action) suite.Cause {
		return busy(4, suite.Cause{Name: name, New: soon, Fault: trap(a), Heal: healAll})
	}
	stall := row("a stall in one direction of trunks and lanes", impair.Stall)
	stall.Lasts, stall.Resume, stall.Slow = 40*time.Second, trunkDead+5*time.Second, true
	return []suite.Cause{
		row("a flipped bit in trunks and lanes", impair.Flip),
		row("a FIN in the middle of trunks and lanes", impair.HalfClose),
		stall,
	}
}
