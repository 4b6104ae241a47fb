package trunk

import (
	"context"
	"time"

	"github.com/sallyport/sallyport/edge/internal/policy"
	"github.com/sallyport/sallyport/edge/internal/registry"
	"github.com/sallyport/sallyport/edge/internal/relay/decide"
	"github.com/sallyport/sallyport/wire"
)

// maxNamed bounds the cuts that name the parked streams of one trunk, so that
// they fit into a link's queue. The cut of the trunk stands for the others.
const maxNamed = 256

// roomLocked says whether n more streams of a session may wait.
func (t *Table) roomLocked(session string, n int) bool {
	trunks := 0
	for _, x := range t.trunks {
		if x.parked && x.session.ID == session {
			trunks++
			n += len(x.streams)
		}
	}
	return trunks < maxTrunks && n <= maxParked
}

// parkLocked lets the streams of a trunk that was lost wait for another.
func (t *Table) parkLocked(x *trunk) {
	x.parked = true
	x.timer = time.AfterFunc(x.resume+t.cfg.ParkTime, func() { t.expire(x) })
	t.log.Debug("streams parked", "trunk", x.id, "streams", len(x.streams))
}

// expire ends what has waited for another trunk for too long.
func (t *Table) expire(x *trunk) {
	for range t.settle(x, wire.CodeCarrierLost) {
		t.cfg.Meter.Expired()
	}
}

// heldLocked are the streams of a parked trunk, marked as cut.
func (t *Table) heldLocked(x *trunk) []*stream {
	if !x.parked {
		return nil
	}
	held := make([]*stream, 0, len(x.streams))
	for _, s := range x.streams {
		s.cutLocked(*x.cut)
		held = append(held, s)
	}
	return held
}

// tellCut tells both daemons, and names what is parked.
func (t *Table) tellCut(x *trunk, held []*stream, why wire.Reason) {
	for _, l := range t.endsOf(x) {
		l.Tell(&wire.Cut{Trunk: x.id, Reason: why})
		for _, s := range held[:min(len(held), maxNamed)] {
			l.Tell(&wire.Cut{Trunk: x.id, Stream: s.id, Reason: why})
		}
	}
}

// endParked ends streams that are parked and were cut. It waits a little for the
// word of their hosts, as far as those are there: no byte passes in any case.
func (t *Table) endParked(ctx context.Context, parked []*stream, code wire.Code) {
	ctx, cancel := context.WithTimeout(ctx, t.cfg.CutTime)
	defer cancel()
	for _, s := range parked {
		if t.cfg.Link(t.hostOf(s.trunk)) != nil {
			select {
			case <-s.cutDone:
			case <-ctx.Done():
			}
		}
	}
	for _, s := range parked {
		t.endStream(s, code)
	}
}

// buryLocked keeps in mind the end, unless in order, of what a daemon may come back with.
func (t *Table) buryLocked(s *stream, code wire.Code) {
	x, cut := s.trunk, s.cut
	if cut == nil {
		cut = x.cut
	}
	if cut == nil && (!x.parked || code == wire.CodeClosed) || x.resume == 0 || t.stopped {
		return
	}
	why := wire.Reason{Code: code, Text: "the stream has ended"}
	if cut != nil {
		why = *cut
	}
	t.graves.Bury(s.id, why, x.resume+t.cfg.ParkTime, cut != nil)
}

// restoreLocked makes the row of a parked stream that its daemon lists and the
// edge has not seen. What follows decides it like any other.
func (t *Table) restoreLocked(l Link, ref wire.StreamRef) (*trunk, *wire.Reason) {
	session, ok := t.cfg.Sessions.Get(ref.Session)
	hostname, err := policy.Normalise(ref.Hostname)
	switch {
	case t.stopped:
		return nil, decide.Draining()
	case !ok:
		return nil, decide.LoginNeeded()
	case err != nil || ref.Stream.IsZero() || l.Role() == wire.RoleClient && session.Key != l.Key():
		return nil, decide.StreamOver()
	}
	d, why := t.cfg.May(hostname, session)
	if why != nil {
		return nil, why
	}
	x := t.trunks[ref.Trunk]
	if x == nil {
		x = &trunk{
			id: ref.Trunk, session: session, hostname: hostname, clientKey: session.Key, resume: t.cfg.Apps.ResumeWindow(hostname),
			host: &registry.Host{}, over: true, streams: make(map[wire.StreamID]*stream),
		}
	}
	switch {
	case !x.over || x.cut != nil || x.session.ID != session.ID || x.hostname != hostname || x.resume == 0:
		return nil, decide.StreamOver()
	case !t.roomLocked(session.ID, 1):
		return nil, decide.TooMany("too many streams")
	}
	s := &stream{
		id: ref.Stream, trunk: x, started: time.Now(), granted: true, old: true, session: x.session.Or(session), rule: d.Rule, version: d.Version,
	}
	if why := t.learnHostLocked(l, s, ref); why != nil {
		return nil, why
	}
	if !x.parked {
		t.trunks[x.id] = x
		t.parkLocked(x)
	}
	x.streams[s.id], t.streams[s.id] = s, s
	if c := t.cfg.Link(x.clientKey); l.Role() == wire.RoleHost && c != nil && c.Whole() {
		t.endSoonLocked(s) // its client has ended it, and told an edge that did not know it
	}
	return x, nil
}

// learnHostLocked completes a row that was restored: the client that lists a
// parked stream does not say which host holds it.
func (t *Table) learnHostLocked(l Link, s *stream, ref wire.StreamRef) *wire.Reason {
	x := s.trunk
	if l.Role() == wire.RoleClient {
		if x.clientKey != l.Key() {
			return decide.StreamOver()
		}
		x.address = l.Address()
		return nil
	}
	host := l.Host()
	switch {
	case host == nil || x.session.ID != ref.Session:
		return decide.StreamOver()
	case x.hostKey.IsZero():
		x.hostKey, x.host = l.Key(), &registry.Host{Connector: host.Connector, Key: l.Key(), BootID: l.BootID()}
	case x.hostKey != l.Key():
		return decide.StreamOver()
	}
	return nil
}
