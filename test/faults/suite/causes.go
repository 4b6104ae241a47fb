//go:build linux

package suite

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/sallyport/sallyport/test/faults/impair"
	"github.com/sallyport/sallyport/test/faults/ledger"
)

// Want is what must become of the streams that live when a fault comes.
type Want string

const (
	// Survive: every stream goes on, byte by byte.
	Survive Want = "survive"
	// Die: every stream ends with a reset, never with an EOF.
	Die Want = "reset"
)

// Cause is one fault of what carries streams.
type Cause struct {
	Name string
	Want Want
	// Ends bounds the time from the fault to the end of the last stream, where
	// streams die; New that until a new connection works, from healing on.
	Ends, New time.Duration
	// Lasts is how long the streams last, Bulk how many bytes the large ones have.
	Lasts time.Duration
	Bulk  uint64
	// Slow says that it waits for a time limit; the short form leaves it out.
	Slow bool
	// fault does it; heal takes it back, nil: nothing is to be taken back.
	fault func(ctx context.Context, w *World) error
	heal  func(ctx context.Context, w *World) error
}

// Row is what came of a cause.
type Row struct {
	Cause Cause
	ledger.Tally
	// Ended is from the fault to the end of the last stream, New from healing to
	// the first new connection that worked.
	Ended, New time.Duration
	// Resumed is from the end of the fault until every ping-pong stream went on.
	Resumed time.Duration
	// Memory is the most that any of the three programs grew by.
	Memory int64
	// Faults are what is wrong; empty is as it should be.
	Faults error
}

const (
	trunkDead = 14 * time.Second // wire's 10 s of silence, and a look every few seconds
	soon      = 2 * time.Second
)

func shape(s impair.Shape) func(context.Context, *World) error {
	return func(_ context.Context, w *World) error {
		w.hostProxy.Set(s)
		w.clientProxy.Set(s)
		return nil
	}
}

func (w *World) healProxies(context.Context, *World) error {
	w.hostProxy.Heal()
	w.clientProxy.Heal()
	return nil
}

func healAll(ctx context.Context, w *World) error { return w.healProxies(ctx, w) }

func cut(host bool, match func(*impair.Conn) bool) func(context.Context, *World) error {
	return func(_ context.Context, w *World) error {
		p := w.clientProxy
		if host {
			p = w.hostProxy
		}
		if p.Cut(match) == 0 {
			return errors.New("there was nothing to cut")
		}
		return nil
	}
}

func hole(host bool) func(context.Context, *World) error {
	return func(_ context.Context, w *World) error {
		if host {
			w.hostProxy.Hole(true)
		} else {
			w.clientProxy.Hole(true)
		}
		return nil
	}
}

// during does a fault and takes it back after a time.
func during(d time.Duration, fault, heal func(context.Context, *World) error) func(context.Context, *World) error {
	return func(ctx context.Context, w *World) error {
		if err := fault(ctx, w); err != nil {
			return err
		}
		pause(ctx, d)
		return heal(ctx, w)
	}
}

func killEdge(_ context.Context, w *World) error { w.edge.Process().Kill(); return nil }

func startEdge(ctx context.Context, w *World) error { return w.edge.Start(ctx) }

func signal(edge bool, s syscall.Signal) func(context.Context, *World) error {
	return func(_ context.Context, w *World) error {
		if edge {
			return w.edge.Process().Signal(s)
		}
		return w.client.Process().Signal(s)
	}
}

// Causes are all of them. Streams go on but where a process that holds their
// sockets has ended.
func Causes() []Cause {
	return []Cause{
		{Name: "nothing", Want: Survive, New: soon, Bulk: 8 << 20, Lasts: time.Second, fault: func(context.Context, *World) error { return nil }},
		{Name: "pieces of 1 to 700 bytes", Want: Survive, New: soon, Bulk: 256 << 10, Lasts: time.Second, fault: shape(impair.Shape{Pieces: 700}), heal: healAll},
		{Name: "delay of 50 ms and jitter of 30", Want: Survive, New: soon, Bulk: 1 << 20, Lasts: time.Second, fault: shape(impair.Shape{Delay: 50 * time.Millisecond, Jitter: 30 * time.Millisecond}), heal: healAll},
		{Name: "100 KiB/s", Want: Survive, New: 5 * time.Second, Bulk: 32 << 10, Lasts: time.Second, fault: shape(impair.Shape{Rate: 100 << 10}), heal: healAll},
		{Name: "connections doubled", Want: Survive, New: soon, Bulk: 1 << 20, Lasts: time.Second, fault: doubled, heal: healAll},
		{Name: "the client's link cut", Want: Survive, New: 5 * time.Second, Bulk: 1 << 20, Lasts: 2 * time.Second, fault: cut(false, isLink)},
		{Name: "the host's link cut", Want: Survive, New: 5 * time.Second, Bulk: 1 << 20, Lasts: 2 * time.Second, fault: cut(true, isLink)},
		{Name: "both daemons silent for 5 s", Want: Survive, New: soon, Bulk: 1 << 20, Lasts: 2 * time.Second, Slow: true, fault: during(5*time.Second, both(hole), healAll)},
		{Name: "client paused for 5 s", Want: Survive, New: 5 * time.Second, Bulk: 1 << 20, Lasts: 2 * time.Second, Slow: true, fault: during(5*time.Second, signal(false, syscall.SIGSTOP), signal(false, syscall.SIGCONT))},
		{Name: "edge paused for 5 s", Want: Survive, New: 5 * time.Second, Bulk: 1 << 20, Lasts: 2 * time.Second, Slow: true, fault: during(5*time.Second, signal(true, syscall.SIGSTOP), signal(true, syscall.SIGCONT))},
		{Name: "the client's trunks cut", Want: Survive, New: soon, Bulk: 64 << 20, Lasts: 20 * time.Second, fault: cut(false, isTrunk)},
		{Name: "the host's trunks cut", Want: Survive, New: soon, Bulk: 64 << 20, Lasts: 20 * time.Second, fault: cut(true, isTrunk)},
		{Name: "all of the client cut", Want: Survive, New: 5 * time.Second, Bulk: 64 << 20, Lasts: 20 * time.Second, fault: cut(false, nil)},
		{Name: "all of the host cut", Want: Survive, New: 5 * time.Second, Bulk: 64 << 20, Lasts: 20 * time.Second, fault: cut(true, nil)},
		{Name: "edge killed with -9, and restarted", Want: Survive, New: 5 * time.Second, Bulk: 64 << 20, Lasts: 20 * time.Second, fault: during(2*time.Second, killEdge, startEdge)},
		{Name: "edge stopped, and restarted", Want: Survive, New: 5 * time.Second, Bulk: 64 << 20, Lasts: 20 * time.Second, fault: during(2*time.Second, func(_ context.Context, w *World) error { return w.edge.Process().Stop() }, startEdge)},
		// What the other side holds of them it ends when the new process says hello.
		{Name: "host daemon killed with -9, and restarted", Want: Die, Ends: 10 * time.Second, New: 5 * time.Second, Bulk: 64 << 20, Lasts: 20 * time.Second,
			fault: during(time.Second, func(_ context.Context, w *World) error { w.host.Process().Kill(); return nil },
				func(ctx context.Context, w *World) error { return w.host.Start(ctx) })},
		{Name: "client daemon killed with -9, and restarted", Want: Die, Ends: 10 * time.Second, New: 5 * time.Second, Bulk: 64 << 20, Lasts: 20 * time.Second,
			fault: during(time.Second, func(_ context.Context, w *World) error { w.client.Process().Kill(); return nil },
				func(ctx context.Context, w *World) error { return w.client.Start(ctx) })},
		{Name: "silent middle at the client, 20 s", Want: Survive, New: 5 * time.Second, Bulk: 64 << 20, Lasts: 80 * time.Second, Slow: true, fault: during(20*time.Second, hole(false), healAll)},
		{Name: "silent middle at the host, 20 s", Want: Survive, New: 5 * time.Second, Bulk: 64 << 20, Lasts: 80 * time.Second, Slow: true, fault: during(20*time.Second, hole(true), healAll)},
		{Name: "client paused for 30 s", Want: Survive, New: 5 * time.Second, Bulk: 64 << 20, Lasts: 90 * time.Second, Slow: true, fault: during(30*time.Second, signal(false, syscall.SIGSTOP), signal(false, syscall.SIGCONT))},
		{Name: "a flipped bit in the trunk", Want: Survive, New: soon, Bulk: 64 << 20, Lasts: 20 * time.Second, fault: trap(impair.Flip), heal: healAll},
		{Name: "a FIN in the middle of the trunk", Want: Survive, New: soon, Bulk: 64 << 20, Lasts: 20 * time.Second, fault: trap(impair.HalfClose), heal: healAll},
		{Name: "a stall in one direction of the trunk", Want: Survive, New: soon, Bulk: 64 << 20, Lasts: 80 * time.Second, Slow: true, fault: trap(impair.Stall), heal: healAll},
	}
}

func both(f func(bool) func(context.Context, *World) error) func(context.Context, *World) error {
	return func(ctx context.Context, w *World) error { return errors.Join(f(true)(ctx, w), f(false)(ctx, w)) }
}

// doubled makes new connections of the client with everything sent twice.
func doubled(ctx context.Context, w *World) error {
	w.clientProxy.Double(true)
	_, err := w.recovered(ctx, soon)
	return err
}

// trap springs on the trunk that is next; the streams go on it.
func trap(a impair.Action) func(context.Context, *World) error {
	return func(ctx context.Context, w *World) error {
		return w.spring(impair.Trap{Direction: impair.Down, Action: a})
	}
}

// spring does something to the next byte of every trunk of the client.
func (w *World) spring(t impair.Trap) error {
	n := 0
	for _, c := range w.clientProxy.Conns() {
		if isTrunk(c) {
			c.Spring(t)
			n++
		}
	}
	if n == 0 {
		return fmt.Errorf("no trunk to spring %s on", t.Action)
	}
	return nil
}
