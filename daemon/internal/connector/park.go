package connector

import (
	"context"
	"errors"
	"time"

	"github.com/sallyport/sallyport/wire"
)

// maxParked bounds the streams of one client key that wait for another trunk; the
// edge bounds those of a session in the same way.
const maxParked = 16 << 10

// errLate ends a stream that no trunk came for.
var errLate = &wire.Reason{Code: wire.CodeCarrierLost, Text: "the client did not come back in time"}

// errTooMany ends a stream that may not wait.
var errTooMany = &wire.Reason{Code: wire.CodeCarrierLost, Text: "too many streams wait for their client"}

// park keeps what a trunk that has ended leaves: streams that go on with another,
// and the ends of streams of which the client may not know. Where the trunk was
// ended for a reason there is nothing.
func (c *Connector) park(t *trunk, w *wire.Trunk) {
	why := errTooMany
	ended := errors.As(context.Cause(t.ctx), &why)
	c.mu.Lock()
	room := maxParked - c.parkedOfLocked(t.offer.ClientKey)
	var over []*stream
	for _, left := range w.Remains() {
		s := c.held[left.ID()]
		if s != nil && (s.wire != left || s.trunk != t) {
			continue // another trunk has it already
		}
		switch {
		case s == nil && !ended && room > 0: // it ended before the trunk did
			s = &stream{wire: left, trunk: t, hostname: t.offer.Hostname, over: true, said: true}
			c.held[left.ID()], t.streams[left.ID()] = s, s
			room--
		case s != nil && !ended && room > 0:
			s.untold = true
			room--
		case s != nil:
			over = append(over, s)
		}
	}
	n := len(t.streams) - len(over)
	t.until, t.left = time.Now().Add(t.window), w.Left()
	close(t.lost)
	c.emptyLocked(t)
	c.mu.Unlock()
	for _, s := range over {
		c.endParked(s, why)
	}
	if n > 0 && !ended {
		c.log.Info("streams parked", "trunk", t.offer.Trunk, "hostname", t.offer.Hostname, "streams", n, "for", t.window)
		c.changed()
		signal(c.parked)
	}
}

// parkedOfLocked is how many streams of a client key wait.
func (c *Connector) parkedOfLocked(key wire.KeyID) (n int) {
	for _, t := range c.trunks {
		if !t.until.IsZero() && t.offer.ClientKey == key {
			n += len(t.streams)
		}
	}
	return n
}

// lookEvery is how often streams are looked for whose client has left their carrier
// on a trunk that lives, and has not come back on another.
const lookEvery = 30 * time.Second

// sweep ends what has waited for too long.
func (c *Connector) sweep(ctx context.Context) {
	for {
		due, left, next := c.due(time.Now())
		for _, t := range due {
			c.log.Info("parked streams expired", "trunk", t.offer.Trunk, "hostname", t.offer.Hostname)
			c.endLost(t, errLate)
		}
		for _, s := range left {
			c.endParked(s, errLate)
		}
		timer := time.NewTimer(time.Until(next))
		select {
		case <-timer.C:
		case <-c.parked:
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

// due are the lost trunks whose time is over, the streams that were left on others,
// and when to look again.
func (c *Connector) due(now time.Time) (due []*trunk, left []*stream, next time.Time) {
	next = now.Add(lookEvery)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.trunks {
		switch {
		case t.until.IsZero() || t.swept:
		case !now.Before(t.until):
			t.swept = true
			due = append(due, t)
		case t.until.Before(next):
			next = t.until
		}
	}
	for _, s := range c.held {
		if at := s.wire.Parked(); s.trunk.until.IsZero() && !at.IsZero() && now.Sub(at) > s.trunk.window {
			left = append(left, s)
		}
	}
	return due, left, next
}

// endLost ends what is left of a lost trunk.
func (c *Connector) endLost(t *trunk, r *wire.Reason) {
	c.mu.Lock()
	left := t.listLocked()
	if r == errLate {
		for _, s := range left {
			if !s.over {
				c.statsLocked(s.hostname).Expired++
			}
		}
	}
	c.mu.Unlock()
	for _, s := range left {
		c.endParked(s, r)
	}
	c.changed()
}

// endParked ends a stream that waits.
func (c *Connector) endParked(s *stream, r *wire.Reason) {
	if ended := c.cutStream(s, r); ended != nil {
		c.report(ended)
	}
}
