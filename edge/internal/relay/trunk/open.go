package trunk

import (
	"context"
	"time"

	"github.com/sallyport/sallyport/edge/internal/audit"
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
	x := t.trunks[m.Trunk]
	switch {
	case x == nil || x.clientKey != l.Key() || l.Role() != wire.RoleClient:
		return nil, trunkGone()
	case x.cut != nil:
		return nil, x.cut
	case x.over:
		return nil, trunkGone()
	case m.Stream.IsZero() || t.streams[m.Stream] != nil:
		return nil, &wire.Reason{Code: wire.CodeProtocol, Text: "the stream id was used before"}
	case len(x.streams) >= maxStreams:
		return nil, tooMany("too many streams")
	}
	s := &stream{id: m.Stream, trace: m.Trace, port: m.Port, trunk: x, started: time.Now()}
	x.streams[s.id], t.streams[s.id] = s, s
	return &Open{t, s, l}, nil
}

// Forget takes the row away again; it gives the reason.
func (o *Open) Forget() *wire.Reason {
	o.table.forget(o.stream)
	return tooMany("too many streams are being opened")
}

func (t *Table) forget(s *stream) {
	t.mu.Lock()
	t.forgetLocked(s)
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
	return true
}

// Decide decides the stream and sends the grant to the host; nil means that it
// was sent, and that the start is durable in the audit.
func (o *Open) Decide(ctx context.Context) *wire.Reason {
	t, s := o.table, o.stream
	why := t.may(o.link, s)
	if why == nil {
		why = t.grant(ctx, o.link, s)
	}
	if why != nil {
		t.refused.Take(s.trunk.session.ID, time.Now())
		t.forget(s)
	}
	return why
}

// may asks session, policy and registry.
func (t *Table) may(l Link, s *stream) *wire.Reason {
	x := s.trunk
	if !t.refused.Has(x.session.ID, time.Now()) {
		return tooMany("too many refused requests of this session")
	}
	session, why := t.SessionOf(l, x.session.ID)
	if why != nil {
		return why
	}
	d, why := t.decide(x.hostname, session)
	if why == nil && s.port != 0 {
		// Rules name no ports yet, so only the tunnel's one origin is allowed.
		why = t.denied(x.hostname, d.Contact)
		d.Rule = "no rule names the port"
	}
	s.session, s.rule, s.version = session, d.Rule, d.Version
	if why != nil {
		rec := t.record(s)
		rec.Event, rec.Outcome, rec.Reason = audit.EventDecision, audit.Refused, string(wire.CodeDenied)
		t.cfg.Audit.Note(rec)
		return why
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if x.orphan {
		return noConnector(x.hostname)
	}
	return nil
}

// grant writes the start, then tells the link instance that took the offer. What
// was cut while the record became durable is not granted any more.
func (t *Table) grant(ctx context.Context, l Link, s *stream) *wire.Reason {
	start := t.record(s)
	start.Event, start.Outcome = audit.EventStreamStart, audit.OK
	if err := t.cfg.Audit.Write(ctx, start); err != nil {
		t.log.Error("stream refused: its start cannot be audited", "stream", s.id, "error", err)
		return Internal()
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
		return trunkGone()
	case x.orphan:
		return noConnector(x.hostname)
	}
	err := x.host.Send(&wire.Grant{
		Trunk: x.id, Stream: s.id, Session: s.session.ID, Person: s.session.Person,
		Hostname: x.hostname, Port: s.port, Rule: s.rule,
	})
	if err != nil {
		return noConnector(x.hostname)
	}
	s.granted = true
	x.host.AddStreams(1)
	return nil
}

func (t *Table) record(s *stream) audit.Record {
	rec := PersonRecord(s.session)
	rec.DaemonAddress, rec.Trunk, rec.Stream, rec.Trace = s.trunk.address, s.trunk.id.String(), s.id.String(), s.trace.String()
	rec.Hostname, rec.Port, rec.Connector = s.trunk.hostname, s.port, s.trunk.host.Connector
	rec.Rule, rec.PolicyVersion = s.rule, s.version
	return rec
}
