// Package netwatch tells when this machine's network may be another one: its
// routes, addresses or interfaces have changed, or it woke from sleep.
//
// Units and limits: a change is told within a second of the system's word; a
// burst of them once, and at most one a second.
//
// Concurrency: Run blocks and joins what it starts.
//
// Source: protocol rule 9; rtnetlink(7), timerfd_create(2), route(4) of the
// BSDs, NotifyRouteChange2 of Windows. Where the system says nothing, the gap
// between two looks at the clocks still tells of sleep.
package netwatch

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	// tick is how often the clocks are looked at where nobody tells when they
	// leap. Where the system does, rarely is enough: what is left is a process
	// that was stopped alone.
	tick, rarely = time.Second, 10 * time.Second
	// apart is the time between two words of a change.
	apart = time.Second
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
	var wg sync.WaitGroup
	defer wg.Wait()
	network, leaps, deaf := make(chan struct{}, 1), make(chan struct{}, 1), make(chan struct{})
	wg.Go(func() {
		if err := listen(ctx, func() { poke(network) }); ctx.Err() == nil {
			log.Warn("changes of the network are not seen, only sleep is", "error", err)
		}
	})
	wg.Go(func() {
		defer close(deaf)
		if err := clocks(ctx, func() { poke(leaps) }); ctx.Err() == nil {
			log.Debug("the system does not tell of sleep, the clocks are looked at", "error", err)
		}
	})
	watch(ctx, sources{network: network, leaps: leaps, deaf: deaf, now: time.Now, tick: tick, rarely: rarely}, changed)
	return nil
}

func poke(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// sources are what watch joins.
type sources struct {
	network, leaps <-chan struct{} // the system's word
	deaf           <-chan struct{} // closed: there is no word of leaps
	now            func() time.Time
	tick, rarely   time.Duration // between looks, with and without that
}

// watch joins events and clocks.
func watch(ctx context.Context, from sources, changed func(what string)) {
	every := from.rarely
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	last := from.now()
	var told time.Time
	look := func() {
		at := from.now()
		// Round takes the monotonic reading off.
		if slept(at.Round(0).Sub(last.Round(0)), at.Sub(last), every) {
			changed(Wake)
		}
		last = at
	}
	for {
		select {
		case <-ticker.C:
			look()
		case <-from.leaps:
			look()
		case <-from.deaf:
			from.deaf, every = nil, from.tick
			ticker.Reset(every)
		case <-from.network:
			pause(ctx, max(settle, apart-time.Since(told)))
			select { // the rest of the burst
			case <-from.network:
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
	return (wall-mono).Abs() > wakeGap || mono > every+2*wakeGap
}
