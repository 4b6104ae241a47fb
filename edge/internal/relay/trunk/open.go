package trunk

import (
	"context"
	"time"

	"github.com/sallyport/sallyport/edge/internal/audit"
	"github.com/sallyport/sallyport/edge/internal/relay/decide"
	"github.com/sallyport/sallyport/internal/procs"
	"github.com/sallyport/sallyport/wire"
)

// Open is a stream that waits for its decision.
type Open struct {
	table  *Table
	stream *stream
	link   Link
}

// Reserve makes the row of a stream on a trunk of the link's key. It never
// blocks: what follows on the link finds the row. Then call Decide or Forget.
func (t *Table) Reserve(l Link, m *wire.OpenRequest) (*Open, *wire.Reason) {
	t.mu.Lock()
	defer t.mu.Unlock()
	x, why := t.ownLocked(l, m.Trunk)
	switch {
	case why != nil:
		return nil, why
	case m.Stream.IsZero() || t.streams[m.Stream] != nil:
		return nil, decide.UsedBefore()
	case x.carrier == wire.CarrierLane:
		return nil, decide.NotOnALane()
	}
	s := &stream{id: m.Stream, trace: m.Trace, port: m.Port, trunk: x, started: time.Now()}
	x.streams[s.id], t.streams[s.id] = s, s
	x.used = true
	return &Open{t, s, l}, nil
}

// ownLocked is the trunk on which a client's link asks for a stream.
func (t *Table) ownLocked(l Link, id wire.TrunkID) (*trunk, *wire.Reason) {
	x := t.trunks[id]
	switch {
	case x == nil || x.clientKey != l.Key() || l.Role() != wire.RoleClient:
		return nil, decide.Gone
	case x.cut != nil:
		return nil, x.cut
	case t.leaving.Load():
		return nil, decide.Draining()
	case x.over:
		return nil, decide.Gone
	case len(x.streams) >= maxStreams, x.carrier == wire.CarrierLane && len(x.streams) > 0:
		return nil, decide.TooMany("too many streams")
	}
	return x, nil
}

// Forget takes the row away again; it gives the reason.
func (o *Open) Forget() *wire.Reason {
	o.table.forget(o.stream)
	return decide.TooMany("too many streams are being opened")
}

func (t *Table) forget(s *stream) {
	t.mu.Lock()
	t.forgetLocked(s) // nothing where it was to resume: its row is the one before
	empty := s.trunk.emptyOrphanLocked()
	t.mu.Unlock()
	if empty {
		s.trunk.pair.Reset()
	}
}

func (t *Table) forgetLocked(s *stream) (known bool) {
	if s.timer != nil {
		s.timer.Stop()
	}
	if t.streams[s.id] != s {
		return false
	}
	delete(t.streams, s.id)
	delete(s.trunk.streams, s.id)
	t.emptyLocked(s.trunk)
	return true
}

// emptyLocked takes away a trunk that is over and has no stream any more.
func (t *Table) emptyLocked(x *trunk) {
	if !x.over || len(x.streams) > 0 {
		return
	}
	if x.timer != nil {
		x.timer.Stop()
	}
	if t.trunks[x.id] == x {
		delete(t.trunks, x.id)
	}
}

// Decide decides the stream and sends the grant to the host; nil means that it
// was sent, and that the start is durable in the audit.
func (o *Open) Decide(ctx context.Context) *wire.Reason {
	procs.Stir()
	t, s := o.table, o.stream
	why := t.may(o.link, s)
	if why == nil {
		why = t.grant(ctx, o.link, s)
	}
	if why != nil {
		t.refused.Take(s.trunk.session.ID, time.Now())
		t.forget(s)
		if s.resumes {
			t.notResumed(s, why)
		}
	}
	return why
}

// may asks session, policy and registry.
func (t *Table) may(l Link, s *stream) *wire.Reason {
	x := s.trunk
	if !t.refused.Has(x.session.ID, time.Now()) {
		return decide.TooMany("too many refused requests of this session")
	}
	session, why := t.cfg.SessionOf(l, x.session.ID)
	if why != nil {
		return why
	}
	d, why := t.decide(x.hostname, session)
	if why == nil && s.port != 0 {
		// Rules name no ports yet, so only the tunnel's one origin is allowed.
		why = t.cfg.Denied(x.hostname, d.Contact)
		d.Rule = "no rule names the port"
	}
	s.session, s.rule, s.version = x.session.Or(session), d.Rule, d.Version
	if why != nil {
		rec := t.record(s)
		rec.Event, rec.Outcome, rec.Reason = audit.EventDecision, audit.Refused, string(wire.CodeDenied)
		t.cfg.Audit.Note(rec)
		return why
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if x.orphan {
		return decide.NoConnector(x.hostname)
	}
	return nil
}

// grant writes the start, then tells the link instance that took the offer. What
// was cut while the record became durable is not granted any more.
func (t *Table) grant(ctx context.Context, l Link, s *stream) *wire.Reason {
	start := t.record(s)
	start.Event, start.Outcome = audit.EventStreamStart, audit.OK
	if s.resumes {
		start.Event, start.FromTrunk = audit.EventStreamResume, s.from.String()
	}
	if err := t.cfg.Audit.Write(ctx, start); err != nil {
		t.log.Error("stream refused: its start cannot be audited", "stream", s.id, "error", err)
		return decide.Internal()
	}
	why := t.sendGrant(l, s)
	if why != nil {
		t.auditEnd(s, nil, why.Code)
	}
	return why
}

func (t *Table) sendGrant(l Link, s *stream) *wire.Reason {
	x := s.trunk
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case x.cut != nil:
		return x.cut
	case s.cut != nil:
		return s.cut
	case x.over, s.ended, l.Err() != nil:
		return decide.Gone
	case x.orphan:
		return decide.NoConnector(x.hostname)
	}
	if s.resumes {
		if why := t.fitsLocked(s); why != nil {
			return why
		}
	}
	err := x.host.Send(&wire.Grant{
		Trunk: x.id, Stream: s.id, Session: s.session.ID, Person: s.session.Person,
		Hostname: x.hostname, Port: s.port, Rule: s.rule, Resumes: s.resumes,
	})
	if err != nil {
		return decide.NoConnector(x.hostname)
	}
	s.granted = true
	x.host.AddStreams(1)
	if s.resumes {
		t.moveLocked(s)
	}
	return nil
}

func (t *Table) record(s *stream) audit.Record {
	rec := decide.PersonRecord(*s.session)
	t.mu.Lock()
	defer t.mu.Unlock()
	rec.DaemonAddress, rec.Trunk, rec.Stream, rec.Trace = s.trunk.address, s.trunk.id.String(), s.id.String(), s.trace.String()
	rec.Hostname, rec.Port, rec.Connector = s.trunk.hostname, s.port, s.trunk.host.Connector
	rec.Rule, rec.PolicyVersion = s.rule, s.version
	return rec
}
