package trunk

import (
	"errors"
	"time"

	"github.com/sallyport/sallyport/edge/internal/audit"
	"github.com/sallyport/sallyport/edge/internal/policy"
	"github.com/sallyport/sallyport/edge/internal/registry"
	"github.com/sallyport/sallyport/edge/internal/relay/ticket"
	"github.com/sallyport/sallyport/edge/internal/sessions"
	"github.com/sallyport/sallyport/wire"
)

// SessionOf returns a live session that a link may name: one of its own key.
func (t *Table) SessionOf(l Link, id string) (sessions.Session, *wire.Reason) {
	s, ok := t.cfg.Sessions.Get(id)
	if !ok || s.Key != l.Key() || l.Role() != wire.RoleClient {
		return sessions.Session{}, loginNeeded()
	}
	return s, nil
}

// Request answers a TicketRequest: it makes a ticket and a trunk's row, and
// offers the trunk to a host.
func (t *Table) Request(l Link, m *wire.TicketRequest) (*wire.Ticket, *wire.Reason) {
	s, why := t.SessionOf(l, m.Session)
	if why != nil {
		return nil, why
	}
	if !t.refused.Has(s.ID, time.Now()) {
		return nil, tooMany("too many refused requests of this session")
	}
	for {
		tk, offer, host, why := t.issue(l, s, m)
		if why != nil {
			t.refused.Take(s.ID, time.Now())
			t.auditRefused(l, s, m.Hostname, why)
			return nil, why
		}
		if host.Send(offer) == nil {
			return tk, nil
		}
		t.drop(tk.Trunk)
		if now := t.cfg.Link(host.Key); now != nil && now.Host() == host && now.Err() == nil {
			return nil, noConnector(m.Hostname)
		}
		t.cfg.Registry.Remove(host) // its link has just ended; there may be another host
	}
}

// auditRefused writes that a ticket was denied.
func (t *Table) auditRefused(l Link, s sessions.Session, hostname string, why *wire.Reason) {
	if why.Code != wire.CodeDenied {
		return
	}
	rec := PersonRecord(s)
	rec.Event, rec.Outcome, rec.Reason = audit.EventDecision, audit.Refused, string(wire.CodeDenied)
	rec.DaemonAddress, rec.Hostname = l.Address(), Clip(hostname)
	t.cfg.Audit.Note(rec)
}

// issue decides a ticket and makes its row.
func (t *Table) issue(l Link, s sessions.Session, m *wire.TicketRequest) (*wire.Ticket, *wire.Offer, *registry.Host, *wire.Reason) {
	if m.Carrier != wire.CarrierTrunk && m.Carrier != "" {
		return nil, nil, nil, &wire.Reason{Code: wire.CodeInvalid, Text: "this edge joins trunks only"}
	}
	hostname, err := policy.Normalise(m.Hostname)
	if err != nil {
		return nil, nil, nil, t.denied(m.Hostname, "")
	}
	if _, why := t.decide(hostname, s); why != nil {
		return nil, nil, nil, why
	}
	host, why := t.pick(s, hostname, m.Host)
	if why != nil {
		return nil, nil, nil, why
	}
	app, _ := t.cfg.Apps.Get(hostname)
	if app == nil {
		return nil, nil, nil, t.denied(hostname, "") // removed in between
	}
	x := &trunk{
		id: wire.NewTrunkID(), session: s, hostname: hostname, clientKey: l.Key(), hostKey: host.Key,
		address: l.Address(), resume: app.ResumeWindow(), host: host, streams: make(map[wire.StreamID]*stream),
	}
	if why := t.admit(x); why != nil {
		return nil, nil, nil, why
	}
	tk, err := t.tickets.Issue(x.id, s.ID, host.Connector)
	if err != nil {
		t.drop(x.id)
		if errors.Is(err, ticket.ErrLimit) {
			return nil, nil, nil, tooMany("too many connections are being set up")
		}
		return nil, nil, nil, Internal()
	}
	edge := t.cfg.Settings().ID
	resume := x.resume.Milliseconds()
	return &wire.Ticket{
			Trunk: x.id, Label: tk.Client, EdgeID: edge, HostKey: host.Key, BootID: host.BootID, ResumeMS: resume,
		},
		&wire.Offer{
			Trunk: x.id, Carrier: wire.CarrierTrunk, Label: tk.Host, ClientLabel: tk.Client, EdgeID: edge,
			ClientKey: x.clientKey, Session: s.ID, Person: s.Person, Hostname: hostname, ResumeMS: resume,
		}, host, nil
}

// pick chooses a host: any that serves the hostname, or the process that holds
// streams of the client already.
func (t *Table) pick(s sessions.Session, hostname string, process *wire.HostProcess) (*registry.Host, *wire.Reason) {
	if process == nil {
		if host, ok := t.cfg.Registry.Pick(s.ID, hostname); ok {
			return host, nil
		}
		return nil, noConnector(hostname)
	}
	l := t.cfg.Link(process.Key)
	if l == nil || l.Host() == nil {
		return nil, noConnector(hostname)
	}
	if l.BootID() != process.BootID {
		return nil, hostRestarted()
	}
	host := l.Host()
	if host == nil || !t.cfg.Registry.Serves(host, hostname) {
		return nil, noConnector(hostname) // it has just come back, and not said yet what it publishes
	}
	return host, nil
}

// decide asks the policy, and counts. hostname is in normal form.
func (t *Table) decide(hostname string, s sessions.Session) (policy.Decision, *wire.Reason) {
	app, _ := t.cfg.Apps.Get(hostname)
	d := policy.Decide(app, s.Subject())
	t.cfg.Meter.Decision(d.Allow)
	if !d.Allow {
		return d, t.denied(hostname, d.Contact)
	}
	return d, nil
}

// admit makes the trunk's row. What ended while it was decided is looked at
// again: an end that came before the row was there has not cut it.
func (t *Table) admit(x *trunk) *wire.Reason {
	t.mu.Lock()
	n := 0
	for _, y := range t.trunks {
		if y.session.ID == x.session.ID && !y.parked {
			n++
		}
	}
	var why *wire.Reason
	switch {
	case t.stopped:
		why = draining()
	case n >= maxTrunks:
		why = tooMany("too many connections of this session")
	}
	if why != nil {
		t.mu.Unlock()
		return why
	}
	t.trunks[x.id] = x
	t.mu.Unlock()
	if why := t.passes(x); why != nil {
		t.drop(x.id)
		return why
	}
	return nil
}

// passes says why a trunk may not, or no longer, be; nil where it may.
func (t *Table) passes(x *trunk) *wire.Reason {
	s, ok := t.cfg.Sessions.Get(x.session.ID)
	if !ok {
		return loginNeeded()
	}
	app, _ := t.cfg.Apps.Get(x.hostname)
	if d := policy.Decide(app, s.Subject()); !d.Allow {
		return t.denied(x.hostname, d.Contact)
	}
	t.mu.Lock()
	connector := x.host.Connector
	t.mu.Unlock()
	if _, ok := t.cfg.Enrol.Get(connector); !ok && connector != "" {
		return noConnector(x.hostname)
	}
	return nil
}

// PersonRecord begins a record about a person's session.
func PersonRecord(s sessions.Session) audit.Record {
	return audit.Record{
		Session: s.ID, Issuer: s.Person.Issuer, Subject: s.Person.Subject, Email: s.Person.Email,
		KeyHash: s.Key.String(), DeviceName: s.DeviceName, OSUser: s.OSUser,
	}
}
