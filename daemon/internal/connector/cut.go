package connector

import "github.com/sallyport/sallyport/wire"

// maxSaid bounds the ends that are told at once when a trunk is cut, so that they
// fit into the link's queue: as many as the edge names. The others are told at
// the pace of Config.Report.
const maxSaid = 256

// cut ends one stream, whatever carries it now, or with a zero stream a trunk and
// what is parked from it. The end of a stream is told before its cut is confirmed,
// since the edge waits for no figures after that.
func (c *Connector) cut(l *wire.Link, m *wire.Cut) {
	if m.Stream.IsZero() {
		c.cutTrunk(l, m)
		return
	}
	c.mu.Lock()
	s := c.held[m.Stream]
	if t := c.trunks[m.Trunk]; t != nil {
		t.dropGrantLocked(m.Stream)
		if s == nil {
			s = t.streams[m.Stream] // it has no grant yet
		}
	}
	c.mu.Unlock()
	if s != nil {
		if ended := c.cutStream(s, &m.Reason); ended != nil {
			l.Send(ended)
		}
	}
	l.Send(&wire.CutDone{Trunk: m.Trunk, Stream: m.Stream})
}

func (c *Connector) cutTrunk(l *wire.Link, m *wire.Cut) {
	c.mu.Lock()
	t := c.trunks[m.Trunk]
	if t == nil {
		c.mu.Unlock()
		return
	}
	all := t.listLocked()
	c.mu.Unlock()
	for i, s := range all {
		ended := c.cutStream(s, &m.Reason)
		switch {
		case ended == nil:
		case i < maxSaid:
			l.Send(ended)
		default:
			c.report(ended)
		}
	}
	t.end(&m.Reason)
}

// cutStream resets both sides of a stream at once. It gives what is to be told of
// its end, nil where that was told already or there is nothing to tell.
func (c *Connector) cutStream(s *stream, r *wire.Reason) *wire.StreamEnded {
	c.mu.Lock()
	if s.cut == nil {
		s.cut = r
	}
	s.wire.Reset(r)                    // before the origin, so that the client is told r and not what the origin's end looks like
	ended := s.endedLocked(s.cut.Code) // before serve does, since that tells it later
	origin := s.origin
	if s.over {
		c.dropLocked(s)
	}
	c.mu.Unlock()
	if origin != nil {
		abort(origin)
	}
	return ended
}

// closeTrunks ends all, and what is parked.
func (c *Connector) closeTrunks(r *wire.Reason) {
	c.mu.Lock()
	var all []*trunk
	for _, t := range c.trunks {
		all = append(all, t)
	}
	c.mu.Unlock()
	for _, t := range all {
		t.end(r)
		if t.isLost() {
			c.endLost(t, r)
		}
	}
}
