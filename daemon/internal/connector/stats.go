package connector

import (
	"time"

	"github.com/sallyport/sallyport/api"
)

// Stats is how one hostname is served.
type Stats struct {
	Connections     int
	TotalConns      uint64
	BytesToOrigin   uint64
	BytesFromOrigin uint64
	// Resuming is how many of Connections wait for another trunk, since Since.
	Resuming int
	Since    time.Time
	// Resumed and Expired are how many streams went on with another trunk, and
	// for how many none came. Replayed are bytes that were sent again.
	Resumed, Expired, Replayed uint64
	// Sick is true after a dial of the origin that did not succeed, until one does.
	Sick bool
	// Problem is what that dial met.
	Problem *api.Problem
}

func (c *Connector) statsLocked(hostname string) *Stats {
	st := c.stats[hostname]
	if st == nil {
		st = new(Stats)
		c.stats[hostname] = st
	}
	return st
}

// Stats are per hostname, with what the live streams have carried so far.
func (c *Connector) Stats() map[string]Stats {
	c.mu.Lock()
	all := make(map[string]Stats, len(c.stats))
	for hostname, st := range c.stats {
		all[hostname] = *st
	}
	for _, s := range c.held {
		if s.over {
			continue
		}
		st := all[s.hostname]
		toClient, toOrigin := s.wire.Counters()
		st.BytesToOrigin += toOrigin
		st.BytesFromOrigin += toClient
		st.Replayed += s.wire.Replayed()
		// Of a stream that only moves, the trunk or lane that it leaves is not lost.
		if at := s.wire.Parked(); !at.IsZero() && s.trunk.isLost() && !s.trunk.left {
			st.Resuming++
			if st.Since.IsZero() || at.Before(st.Since) {
				st.Since = at
			}
		}
		all[s.hostname] = st
	}
	c.mu.Unlock()
	c.health.mu.Lock()
	defer c.health.mu.Unlock()
	for hostname, p := range c.health.sick {
		st := all[hostname]
		st.Sick, st.Problem = true, p
		all[hostname] = st
	}
	return all
}
