package trunk

import (
	"time"

	"github.com/sallyport/sallyport/edge/internal/relay/decide"
	"github.com/sallyport/sallyport/wire"
)

// Resume begins the decision whether a stream may go on with a trunk of the
// link's key. It never blocks. Then call Decide or Forget.
func (t *Table) Resume(l Link, id wire.TrunkID, m *wire.ResumeStream) (*Open, *wire.Reason) {
	t.mu.Lock()
	defer t.mu.Unlock()
	y, why := t.ownLocked(l, id)
	if why != nil {
		return nil, why
	}
	s := &stream{id: m.Stream, trace: m.Trace, port: m.Port, trunk: y, started: time.Now(), resumes: true, from: m.From}
	if !t.resumes.Take(y.session.ID, time.Now()) {
		return nil, decide.TooMany("too many connections of this session go on at once")
	}
	if cur := t.streams[s.id]; cur != nil {
		s.from = cur.trunk.id
	}
	s.session = &y.session
	return &Open{t, s, l}, t.fitsLocked(s)
}

// fitsLocked says why a stream may not go on with its new trunk: what is known
// of it must be of the same client, person, hostname, port and host process. The
// trunk may be the old one: a lane was lost before its grant.
// One that is not known, since the edge was restarted, is decided like a new
// one; whether the host holds it the host says.
func (t *Table) fitsLocked(s *stream) *wire.Reason {
	if why := t.graves.Find(s.id); why != nil {
		return decide.Over(why)
	}
	cur, y := t.streams[s.id], s.trunk
	switch {
	case cur == nil && !s.id.IsZero():
		return nil
	case cur == nil || !cur.granted:
		return decide.UsedBefore()
	}
	x := cur.trunk
	before, now := cur.session.Person, s.session.Person
	switch {
	case x.clientKey != y.clientKey, before.Issuer != now.Issuer, before.Subject != now.Subject,
		x.hostname != y.hostname, cur.port != s.port:
		return decide.UsedBefore()
	case cur.cut != nil:
		return cur.cut
	case x.cut != nil:
		return x.cut
	case cur.ended:
		return decide.StreamOver()
	case x.hostKey.IsZero():
		return nil
	case x.hostKey != y.hostKey:
		return decide.NoConnector(y.hostname)
	case x.host.BootID != y.host.BootID:
		return decide.HostRestarted()
	}
	return nil
}

// moveLocked puts a stream that was granted in the place of its row before.
func (t *Table) moveLocked(s *stream) {
	moved := false
	if cur := t.streams[s.id]; cur != nil {
		moved = !cur.trunk.over && (cur.trunk.carrier == wire.CarrierLane || s.trunk.carrier == wire.CarrierLane)
		s.started = cur.started
		cur.trunk.host.AddStreams(-1)
		t.forgetLocked(cur)
	}
	t.streams[s.id], s.trunk.streams[s.id] = s, s
	t.cfg.Meter.Resumed(moved)
}

// notResumed has the host end a stream that was refused another trunk for good:
// its client has heard the same. What may be tried again stays as it is.
func (t *Table) notResumed(s *stream, why *wire.Reason) {
	if why.Code == wire.CodeCarrierLost || decide.Passing(why) {
		return
	}
	t.mu.Lock()
	host, id := s.trunk.hostKey, s.from
	if cur := t.streams[s.id]; cur != nil {
		if cur.trunk.clientKey != s.trunk.clientKey || !cur.granted {
			t.mu.Unlock()
			return
		}
		host, id = cur.trunk.hostKey, cur.trunk.id
		cur.cutLocked(*why)
		t.endSoonLocked(cur)
	}
	t.mu.Unlock()
	if l := t.cfg.Link(host); l != nil {
		l.Tell(&wire.Cut{Trunk: id, Stream: s.id, Reason: *why})
	}
}
