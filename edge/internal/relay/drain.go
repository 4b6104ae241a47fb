package relay

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/sallyport/sallyport/wire"
)

// drainRetry is asked of a daemon that comes while the edge leaves: by then it
// is away, or back.
const drainRetry = time.Second

// drainTick is how often a draining edge looks whether a stream lives.
const drainTick = 50 * time.Millisecond

func (r *Relay) leaving() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.draining
}

// Drain tells every daemon that the edge leaves at the deadline, takes no new
// streams and links, and returns when the streams have ended, or ctx or the time
// has. Serve is to be ended then.
func (r *Relay) Drain(ctx context.Context, deadline time.Time) {
	r.mu.Lock()
	r.draining = true
	links := slices.Collect(maps.Values(r.peers))
	r.mu.Unlock()
	for _, p := range links {
		p.Tell(&wire.Drain{Deadline: deadline.UTC()})
	}
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	r.trunks.Leave()
	tick := time.NewTicker(drainTick)
	defer tick.Stop()
	for {
		// What is parked cannot go on here: it waits for the edge to be back.
		if _, streams, _, _ := r.trunks.Count(); streams == 0 {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
