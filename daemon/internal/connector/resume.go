package connector

import (
	"context"
	"errors"

	"github.com/sallyport/sallyport/wire"
)

// errNotHeld is the answer to an ATTACH that no stream is held for. Which of the
// conditions is not met is not told.
var errNotHeld = &wire.Reason{Code: wire.CodeCarrierLost, Text: "the host does not hold the stream"}

// errLinkGone ends a trunk whose host lost its link, as if it was lost itself.
var errLinkGone = errors.New("the host lost its link to the edge")

// knock is an ATTACH that waits for its grant.
type knock struct {
	wire *wire.Stream // never changes
	// granted has one slot and takes one grant.
	granted chan *wire.Grant
	taken   bool // guarded by Connector.mu
}

func (k *knock) grantLocked(g *wire.Grant) bool {
	if k.taken {
		return false
	}
	k.taken = true
	k.granted <- g
	return true
}

// attach takes an ATTACH. Like an Open it waits for its grant. It may come on the
// trunk that the stream is of: its client left that for a lane, which was lost.
func (c *Connector) attach(t *trunk, w *wire.Stream) {
	k := &knock{wire: w, granted: make(chan *wire.Grant, 1)}
	id := w.ID()
	c.mu.Lock()
	held, g := c.held[id], t.dropGrantLocked(id)
	refused := held == nil || t.knocks[id] != nil || t.waiting >= maxWaiting
	if g != nil {
		k.grantLocked(g)
	}
	if !refused {
		t.knocks[id] = k
		t.waiting++
	}
	c.mu.Unlock()
	if !refused && c.tasks.Soon(func(context.Context) { c.resume(t, k) }) {
		return
	}
	if g != nil {
		c.neverOpened(g)
	}
	w.Reset(errNotHeld)
}

// resume has a stream that is held go on with the trunk, once that is granted. The
// origin is not dialled in any case.
func (c *Connector) resume(t *trunk, k *knock) {
	g, refusal := c.await(t, k.granted, k.wire)
	c.mu.Lock()
	delete(t.knocks, k.wire.ID())
	t.waiting--
	if refusal != nil && k.taken {
		g, refusal = <-k.granted, nil // it came at the same moment
	}
	c.mu.Unlock()
	switch {
	case refusal != nil && (refusal.Code == wire.CodeNoConnector || refusal.Code == wire.CodeGrantTimeout && c.isOf(t, k.wire.ID())):
		// No grant can come on this trunk, or none did since the edge leaves; one
		// can on another. A client that was denied has reset the stream by now.
		t.lose()
	case refusal != nil:
		k.wire.Reset(&wire.Reason{Code: wire.CodeCarrierLost, Text: refusal.Text})
	default:
		c.goOn(t, k.wire, g)
	}
}

// goOn moves a stream to the trunk that k came on.
func (c *Connector) goOn(t *trunk, k *wire.Stream, g *wire.Grant) {
	c.mu.Lock()
	s := c.held[g.Stream]
	if s == nil || !s.fits(t, g) {
		c.mu.Unlock()
		k.Reset(errNotHeld)
		c.neverOpened(g)
		c.log.Warn("stream not resumed", "trunk", g.Trunk, "stream", g.Stream, "held", s != nil)
		return
	}
	if err := s.wire.GoOn(k); err != nil {
		c.mu.Unlock()
		c.log.Debug("stream not resumed", "trunk", g.Trunk, "stream", g.Stream, "err", err)
		return // another trunk may come
	}
	from := s.trunk
	delete(from.streams, g.Stream)
	c.emptyLocked(from)
	s.trunk, s.untold = t, false
	t.streams[g.Stream] = s
	var ended *wire.StreamEnded
	if s.over {
		s.said = false // the edge has a row of it again
		ended = s.endedLocked(c.codeOfLocked(s, nil))
		c.dropLocked(s)
	} else if !moves(from, t) {
		c.statsLocked(s.hostname).Resumed++
	}
	c.mu.Unlock()
	if ended != nil {
		c.report(ended)
	}
	c.log.Debug("stream resumed", "trunk", g.Trunk, "from", from.offer.Trunk, "stream", g.Stream, "over", ended != nil)
	c.changed()
}

// moves says whether a stream goes to a lane or comes from one, rather than that it
// lost what carried it. Where the edge is slow a lane may have ended by the time that
// the grant comes: its client leaves it at once. Connector.mu is held.
func moves(from, to *trunk) bool {
	lane := from.offer.Carrier == wire.CarrierLane || to.offer.Carrier == wire.CarrierLane
	return lane && (from.left || !from.isLost())
}

// fits says whether a held stream may go on with a trunk that was granted.
// Connector.mu is held.
func (s *stream) fits(t *trunk, g *wire.Grant) bool {
	return g.Resumes && s.cut == nil && s.trunk.offer.ClientKey == t.offer.ClientKey &&
		s.trunk.offer.Hostname == g.Hostname && samePerson(s.trunk.offer.Person, g.Person) && (s.port == g.Port || s.over)
}

// isOf says whether a stream is held for the client of a trunk.
func (c *Connector) isOf(t *trunk, id wire.StreamID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.held[id]
	return s != nil && s.cut == nil && s.trunk.offer.ClientKey == t.offer.ClientKey && samePerson(s.trunk.offer.Person, t.offer.Person)
}

func samePerson(a, b wire.PersonInfo) bool { return a.Issuer == b.Issuer && a.Subject == b.Subject }
