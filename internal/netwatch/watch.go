// Package netwatch tells when this machine's network may be another one: its
// routes, addresses or interfaces have changed, or it woke from sleep.
//
// Units and limits: a change is told within a second of the system's word; a
// burst of them once, and at most one a second.
//
// Concurrency: Run blocks and joins what it starts.
//
// Source: protocol rule 9; rtnetlink(7), route(4) of the BSDs,
// NotifyRouteChange2 of Windows. Where the system says nothing, the gap between
// two looks at the clocks still tells of sleep.
package netwatch

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	// tick is how often the clocks are looked at.
	tick = time.Second
	// settle is how long a burst of changes may go on before it is told: an
	// address comes with its routes.
	settle = 250 * time.Millisecond
	// wakeGap is the difference of clocks that means that the machine slept.
	wakeGap = 3 * time.Second
)

// What changed.
const (
	Network = "network" // routes, addresses or interfaces
	Wake    = "wake"    // the machine, or this process, was asleep
)

// Run tells of changes until ctx ends. changed must not block.
func Run(ctx context.Context, log *slog.Logger, changed func(what string)) error {
	events := make(chan struct{}, 1)
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		err := listen(ctx, func() {
			select {
			case events <- struct{}{}:
			default:
			}
		})
		if ctx.Err() == nil {
			log.Warn("changes of the network are not seen, only sleep is", "error", err)
		}
	})
	watch(ctx, events, time.Now, tick, changed)
	return nil
}

// watch joins events and clocks.
func watch(ctx context.Context, events <-chan struct{}, now func() time.Time, every time.Duration, changed func(what string)) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	last := now()
	var told time.Time
	for {
		select {
		case <-ticker.C:
			at := now()
			// Round takes the monotonic reading off.
			if slept(at.Round(0).Sub(last.Round(0)), at.Sub(last), every) {
				changed(Wake)
			}
			last = at
		case <-events:
			pause(ctx, max(settle, tick-time.Since(told)))
			select { // the rest of the burst
			case <-events:
			default:
			}
			told = time.Now()
			changed(Network)
		case <-ctx.Done():
			return
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// slept says whether the machine was asleep between two looks at its clocks
// that are meant to be every apart. The wall clock counts sleep; the monotonic
// one does not on some systems, and shows a late tick on the others.
func slept(wall, mono, every time.Duration) bool {
	return (wall-mono).Abs() > wakeGap || mono > 3*every+wakeGap
}
