//go:build linux

package main

import (
	"context"
	"time"

	"github.com/sallyport/sallyport/test/bench/load"
	"github.com/sallyport/sallyport/test/bench/table"
)

// idleStreams opens n connections, lets them rest, and gives the resident
// memory that each cost, in KiB, by role. It wants processes that have done
// nothing else: what bulk once used would hide it.
func (p path) idleStreams(ctx context.Context, n int) (table.Figures, error) {
	before := p.settle(ctx)
	conns, err := load.OpenEchoes(ctx, p.addr, n, 2*time.Minute)
	defer load.CloseAll(conns)
	if err != nil {
		return nil, err
	}
	f := table.Figures{}
	for role, after := range p.settle(ctx) {
		f[role] = (after - before[role]) / 1024 / float64(n)
		f["all"] += f[role]
	}
	return f, nil
}

// settle waits until the memory of the processes rests, and gives it by role. It
// rests where it is the same for long enough to be given back to the system.
func (p path) settle(ctx context.Context) table.Figures {
	const step, limit, enough = 500 * time.Millisecond, 12 * time.Second, 5
	last, same := p.rss(), 0
	for end := time.Now().Add(limit); time.Now().Before(end); {
		if load.Wait(ctx, step) != nil {
			break
		}
		now := p.rss()
		rest := true
		for role, b := range now {
			rest = rest && b-last[role] < 64<<10 && last[role]-b < 64<<10
		}
		if same++; !rest {
			same = 0
		}
		if last = now; same == enough {
			break
		}
	}
	return last
}

func (p path) rss() table.Figures {
	f := table.Figures{}
	for _, proc := range p.procs {
		f[proc.role] = proc.rss()
	}
	return f
}
