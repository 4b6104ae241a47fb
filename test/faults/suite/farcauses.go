//go:build linux

package suite

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/sallyport/sallyport/test/faults/ledger"
	"github.com/sallyport/sallyport/test/faults/services"
	"github.com/sallyport/sallyport/test/faults/wan"
)

// FarCause is a fault of the network between client and edge, with pgbench, ssh
// and scp beside the ledger's streams.
type FarCause struct {
	Cause
	// Copy is how many bytes scp carries.
	Copy int64
}

// FarRow is what came of a FarCause.
type FarRow struct {
	Row
	// Services are what pgbench, ssh and scp thought of it; none where they are
	// not installed.
	Services []services.Outcome
}

// FarCauses are all of them. They heal by themselves: what comes after the fault
// is that streams go on.
func FarCauses() []FarCause {
	const short, copied = 200_000_000, 1_000_000_000
	survive := func(name string, p wan.Path) FarCause {
		return FarCause{Cause{Name: name, Want: Survive, New: soon, Bulk: 2 << 20, Lasts: 8 * time.Second, fault: network(wan.Both(p)), heal: clear}, short}
	}
	dies := func(name string, size int64, ends time.Duration, slow bool, fault func(context.Context, *World) error) FarCause {
		lasts := 20 * time.Second
		if slow {
			lasts = 40 * time.Second
		}
		return FarCause{Cause{Name: name, Want: Survive, Ends: ends, New: 5 * time.Second, Bulk: 16 << 20, Lasts: lasts, Slow: slow, fault: fault}, size}
	}
	// Beyond the edge nothing is heard of it, while the edge's kernel acknowledges.
	const beyond = 65 * time.Second
	return []FarCause{
		survive("50 ms there and back, 0.1 % loss", wan.Path{Delay: 25 * time.Millisecond, Loss: 0.001, Rate: 500_000_000}),
		survive("packets of the network out of order", wan.Path{Delay: 5 * time.Millisecond, Reorder: 0.02, LateBy: 3 * time.Millisecond}),
		dies("client's address changed", short, trunkDead+4*time.Second, true, move),
		dies("route gone for 20 s", short, beyond, true, during(20*time.Second, down(true), down(false))),
		dies("black hole for 20 s", copied, beyond, true, during(20*time.Second, network(wan.Both(wan.Path{Hole: true})), clear)),
		dies("MTU hole of 1,000 bytes for 20 s", short, beyond, true, during(20*time.Second, network(wan.Both(wan.Path{Largest: 1000})), clear)),
		dies("edge killed with -9, and restarted", copied, soon, true, func(ctx context.Context, w *World) error {
			w.edge.Process().Kill()
			return w.edge.Start(ctx)
		}),
		dies("edge ended by SIGTERM, and restarted", copied, 12*time.Second, true, restartEdge),
		dies("client paused for 30 s", short, 45*time.Second, true, during(30*time.Second, signal(false, syscall.SIGSTOP), signal(false, syscall.SIGCONT))),
	}
}

func network(p [2]wan.Path) func(context.Context, *World) error {
	return func(_ context.Context, w *World) error { w.far.network.Set(p); return nil }
}

func clear(_ context.Context, w *World) error { w.far.network.Set([2]wan.Path{}); return nil }

func down(d bool) func(context.Context, *World) error {
	return func(_ context.Context, w *World) error { return w.far.network.Down(d) }
}

// move gives the client's machine another address, every time another.
func move(_ context.Context, w *World) error {
	w.far.moves++
	return w.far.network.Address(netip.AddrFrom4([4]byte{10, 99, 0, byte(10 + w.far.moves)}))
}

// restartEdge lets it end in order.
func restartEdge(ctx context.Context, w *World) error {
	p := w.edge.Process()
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.Done():
	case <-time.After(40 * time.Second):
		return errors.New("the edge does not end")
	}
	return w.edge.Start(ctx)
}

// PlayFar is Play over the network, with the services beside the streams.
func (w *World) PlayFar(ctx context.Context, c FarCause, n int) FarRow {
	row := FarRow{}
	ctx, cancel := context.WithTimeout(ctx, c.Lasts+3*time.Minute)
	defer cancel()
	var wg sync.WaitGroup
	begun, begin := context.WithCancel(ctx)
	defer begin()
	if w.far.services == nil {
		begin()
	} else {
		wg.Go(func() {
			row.Services = w.far.services.Run(ctx, services.Use{
				PostgreSQL: w.far.pg, SSH: w.far.ssh, Lasts: c.Lasts, Copy: c.Copy, Inside: w.far.inside, Begun: begin,
			})
		})
	}
	play := c.Cause
	var resumed time.Duration
	play.fault = func(ctx context.Context, w *World) error {
		<-begun.Done()
		err := c.fault(ctx, w)
		if c.Want == Survive {
			resumed = w.goOn(ctx)
		}
		return err
	}
	row.Row = w.Play(ctx, play, n)
	row.Resumed = resumed
	wg.Wait()
	row.Faults = errors.Join(row.Faults, row.judgeServices())
	return row
}

func (r FarRow) judgeServices() error {
	var errs []error
	for _, o := range r.Services {
		if o.Err != nil && (r.Cause.Want == Survive || strings.Contains(o.Err.Error(), services.Wrong)) {
			errs = append(errs, fmt.Errorf("%s: %w", o.Name, o.Err))
		}
	}
	return errors.Join(errs...)
}

// goOn waits until every ping-pong stream that has not ended has gone on from
// where it is now, and says how long that took.
func (w *World) goOn(ctx context.Context) time.Duration {
	start := time.Now()
	before := map[uint32]uint64{}
	for _, e := range w.server.Entries() {
		if e.Kind == ledger.PingPong && e.End == ledger.EndOpen {
			before[e.Stream] = e.Received
		}
	}
	for len(before) > 0 && ctx.Err() == nil && time.Since(start) < time.Minute {
		pause(ctx, 10*time.Millisecond)
		for _, e := range w.server.Entries() {
			if n, ok := before[e.Stream]; ok && (e.End != ledger.EndOpen || e.Received > n) {
				delete(before, e.Stream)
			}
		}
	}
	return time.Since(start)
}
