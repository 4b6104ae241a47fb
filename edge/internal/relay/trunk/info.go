package trunk

import (
	"github.com/sallyport/sallyport/edge/internal/relay/listing"
	"github.com/sallyport/sallyport/wire"
)

// shownLocked says whether the stream lives, or waits to go on.
func (s *stream) shownLocked() bool {
	return s.granted && (!s.trunk.over || s.trunk.parked && s.trunk.cut == nil)
}

// Streams lists the streams that live or are parked, ordered by their start.
func (t *Table) Streams() []listing.Info {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := make([]listing.Info, 0, len(t.streams))
	for _, s := range t.streams {
		if !s.shownLocked() {
			continue
		}
		list = append(list, listing.Info{
			ID: s.id, Trace: s.trace, Trunk: s.trunk.id, Session: s.session.ID,
			Email: s.session.Person.Email, Device: s.session.DeviceName, OSUser: s.session.OSUser,
			Address: s.trunk.address, Hostname: s.trunk.hostname, Port: s.port,
			Connector: s.trunk.host.Connector, Rule: s.rule, StartedAt: s.started.UTC(), Parked: s.trunk.parked,
		})
	}
	listing.Sort(list)
	return list
}

// Count counts what lives now, and the streams that are parked; spliced is both
// directions of all trunks since the start.
func (t *Table) Count() (trunks, streams, parked int, spliced uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, x := range t.trunks {
		if x.pair != nil && !x.over {
			trunks++
		}
	}
	for _, s := range t.streams {
		switch {
		case !s.shownLocked():
		case s.trunk.parked:
			parked++
		default:
			streams++
		}
	}
	return trunks, streams, parked, t.spliced.Load()
}

// Waiting says whether a label has not been seen yet.
func (t *Table) Waiting(l wire.Label) bool { return t.tickets.Waiting(l) }
