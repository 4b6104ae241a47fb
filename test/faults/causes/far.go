//go:build linux

package causes

import (
	"context"
	"errors"
	"syscall"
	"time"

	"github.com/sallyport/sallyport/test/faults/suite"
	"github.com/sallyport/sallyport/test/faults/wan"
)

// FarCauses are all of them. They heal by themselves: what comes after the fault
// is that streams go on.
func FarCauses() []suite.FarCause {
	const some, whole = 200_000_000, 1_000_000_000
	borne := func(name string, p wan.Path) suite.FarCause {
		return suite.FarCause{Cause: suite.Cause{Name: name, Want: suite.Survive, New: soon, Bulk: 2 << 20, Lasts: 8 * time.Second, Fault: network(wan.Both(p)), Heal: clear}, Copy: some}
	}
	lost := func(name string, resume time.Duration, fault func(context.Context, *suite.World) error) suite.FarCause {
		return suite.FarCause{Cause: suite.Cause{Name: name, Want: suite.Survive, Resume: resume, New: 5 * time.Second, Bulk: 16 << 20, Lasts: 40 * time.Second, Slow: true, Fault: fault}, Copy: whole}
	}
	// short is for faults that are over at once.
	short := func(c suite.FarCause) suite.FarCause {
		c.Lasts, c.Bulk = c.Lasts/2, c.Bulk/2
		return c
	}
	killed := short(lost("client's link killed alone", soon, cut(false, suite.IsLink)))
	killed.Before = func(ctx context.Context, w *suite.World) (func(context.Context) error, error) { return w.ByProxy(ctx) }
	// Beyond the edge nothing is heard of it, while the edge's kernel acknowledges.
	const beyond = 45 * time.Second
	return []suite.FarCause{
		borne("50 ms there and back, 0.1 % loss", wan.Path{Delay: 25 * time.Millisecond, Loss: 0.001, Rate: 500_000_000}),
		borne("packets of the network out of order", wan.Path{Delay: 5 * time.Millisecond, Reorder: 0.02, LateBy: 3 * time.Millisecond}),
		killed,
		short(lost("client's address changed", trunkDead+4*time.Second, move)),
		lost("route gone for 20 s", trunkDead, during(20*time.Second, down(true), down(false))),
		lost("black hole for 20 s", beyond, during(20*time.Second, network(wan.Both(wan.Path{Hole: true})), clear)),
		lost("MTU hole of 1,000 bytes for 20 s", beyond, during(20*time.Second, network(wan.Both(wan.Path{Largest: 1000})), clear)),
		short(lost("edge killed with -9, and restarted", 5*time.Second, func(ctx context.Context, w *suite.World) error {
			w.Edge().Process().Kill()
			return w.Edge().Start(ctx)
		})),
		short(lost("edge ended by SIGTERM, and restarted", 12*time.Second, restartEdge)),
		lost("client paused for 30 s", trunkDead, paused(theClient, 30*time.Second)),
		lost("host paused for 30 s", trunkDead, paused(theHost, 30*time.Second)),
	}
}

func network(p [2]wan.Path) func(context.Context, *suite.World) error {
	return func(_ context.Context, w *suite.World) error { w.Network().Set(p); return nil }
}

func clear(_ context.Context, w *suite.World) error { w.Network().Set([2]wan.Path{}); return nil }

func down(d bool) func(context.Context, *suite.World) error {
	return func(_ context.Context, w *suite.World) error { return w.Network().Down(d) }
}

func move(_ context.Context, w *suite.World) error { return w.Move() }

// restartEdge lets it end in order.
func restartEdge(ctx context.Context, w *suite.World) error {
	p := w.Edge().Process()
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.Done():
	case <-time.After(40 * time.Second):
		return errors.New("the edge does not end")
	}
	return w.Edge().Start(ctx)
}
