//go:build linux

package causes

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/sallyport/sallyport/test/bench/load"
	"github.com/sallyport/sallyport/test/faults/impair"
	"github.com/sallyport/sallyport/test/faults/suite"
	"github.com/sallyport/sallyport/test/harness"
)

const (
	trunkDead = 14 * time.Second // wire's 10 s of silence, and a look every few seconds
	soon      = 2 * time.Second
)

func shape(s impair.Shape) func(context.Context, *suite.World) error {
	return func(_ context.Context, w *suite.World) error {
		w.HostProxy().Set(s)
		w.Proxy().Set(s)
		return nil
	}
}

func healAll(_ context.Context, w *suite.World) error {
	w.HostProxy().Heal()
	w.Proxy().Heal()
	return nil
}

func cut(host bool, match func(*impair.Conn) bool) func(context.Context, *suite.World) error {
	return func(_ context.Context, w *suite.World) error {
		p := w.Proxy()
		if host {
			p = w.HostProxy()
		}
		if p.Cut(match) == 0 {
			return errors.New("there was nothing to cut")
		}
		return nil
	}
}

func hole(host bool) func(context.Context, *suite.World) error {
	return func(_ context.Context, w *suite.World) error {
		if host {
			w.HostProxy().Hole(true)
		} else {
			w.Proxy().Hole(true)
		}
		return nil
	}
}

// during does a fault and takes it back after a time.
func during(d time.Duration, fault, heal func(context.Context, *suite.World) error) func(context.Context, *suite.World) error {
	return func(ctx context.Context, w *suite.World) error {
		if err := fault(ctx, w); err != nil {
			return err
		}
		load.Wait(ctx, d)
		return heal(ctx, w)
	}
}

func killEdge(_ context.Context, w *suite.World) error { w.Edge().Process().Kill(); return nil }

func startEdge(ctx context.Context, w *suite.World) error { return w.Edge().Start(ctx) }

type program func(*suite.World) *harness.Process

func theEdge(w *suite.World) *harness.Process   { return w.Edge().Process() }
func theHost(w *suite.World) *harness.Process   { return w.Host().Process() }
func theClient(w *suite.World) *harness.Process { return w.Client().Process() }

// paused stops a program for a time, as the sleep of its machine does.
func paused(p program, d time.Duration) func(context.Context, *suite.World) error {
	send := func(s syscall.Signal) func(context.Context, *suite.World) error {
		return func(_ context.Context, w *suite.World) error { return p(w).Signal(s) }
	}
	return during(d, send(syscall.SIGSTOP), send(syscall.SIGCONT))
}

func both(f func(bool) func(context.Context, *suite.World) error) func(context.Context, *suite.World) error {
	return func(ctx context.Context, w *suite.World) error { return errors.Join(f(true)(ctx, w), f(false)(ctx, w)) }
}

// doubled makes new connections of the client with everything sent twice.
func doubled(ctx context.Context, w *suite.World) error {
	w.Proxy().Double(true)
	_, err := w.Recovered(ctx, soon)
	return err
}

// trap springs on everything that carries streams.
func trap(a impair.Action) func(context.Context, *suite.World) error {
	return func(ctx context.Context, w *suite.World) error {
		return spring(w, impair.Trap{Direction: impair.Down, Action: a})
	}
}

// spring does something to the next byte of every trunk and lane of the client.
func spring(w *suite.World, t impair.Trap) error {
	n := 0
	for _, c := range w.Proxy().Conns() {
		if suite.Carries(c) {
			c.Spring(t)
			n++
		}
	}
	if n == 0 {
		return fmt.Errorf("no trunk to spring %s on", t.Action)
	}
	return nil
}
