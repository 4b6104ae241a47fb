package trunk

import (
	"errors"
	"time"

	"github.com/sallyport/sallyport/edge/internal/audit"
	"github.com/sallyport/sallyport/edge/internal/policy"
	"github.com/sallyport/sallyport/edge/internal/registry"
	"github.com/sallyport/sallyport/edge/internal/relay/decide"
	"github.com/sallyport/sallyport/edge/internal/relay/ticket"
	"github.com/sallyport/sallyport/edge/internal/sessions"
	"github.com/sallyport/sallyport/wire"
)

// Request answers a TicketRequest: it makes a ticket and a trunk's row, and
// offers the trunk to a host.
func (t *Table) Request(l Link, m *wire.TicketRequest) (*wire.Ticket, *wire.Reason) {
	s, why := t.cfg.SessionOf(l, m.Session)
	if why != nil {
		return nil, why
	}
	if !t.refused.Has(s.ID, time.Now()) {
		return nil, decide.TooMany("too many refused requests of this session")
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
			return nil, decide.NoConnector(m.Hostname)
		}
		t.cfg.Registry.Remove(host) // its link has just ended; there may be another host
	}
}

// auditRefused writes that a ticket was denied.
func (t *Table) auditRefused(l Link, s sessions.Session, hostname string, why *wire.Reason) {
	if why.Code != wire.CodeDenied {
		return
	}
	rec := decide.PersonRecord(s)
	rec.Event, rec.Outcome, rec.Reason = audit.EventDecision, audit.Refused, string(wire.CodeDenied)
	rec.DaemonAddress, rec.Hostname = l.Address(), decide.Clip(hostname)
	t.cfg.Audit.Note(rec)
}

// issue decides a ticket and makes its row.
func (t *Table) issue(l Link, s sessions.Session, m *wire.TicketRequest) (*wire.Ticket, *wire.Offer, *registry.Host, *wire.Reason) {
	kind, why := decide.Carrier(m)
	if why != nil {
		return nil, nil, nil, why
	}
	hostname, err := policy.Normalise(m.Hostname)
	if err != nil {
		return nil, nil, nil, t.cfg.Denied(m.Hostname, "")
	}
	if _, why := t.decide(hostname, s); why != nil {
		return nil, nil, nil, why
	}
	host, why := t.cfg.Pick(s, hostname, m.Host)
	if why != nil {
		return nil, nil, nil, why
	}
	x := &trunk{
		id: wire.NewTrunkID(), carrier: kind, session: s, hostname: hostname, clientKey: l.Key(), hostKey: host.Key,
		address: l.Address(), resume: t.cfg.Apps.ResumeWindow(hostname), host: host, streams: make(map[wire.StreamID]*stream),
	}
	if why := t.admit(x); why != nil {
		return nil, nil, nil, why
	}
	tk, err := t.tickets.Issue(x.id, x.carrier, s.ID, host.Connector)
	if err != nil {
		t.drop(x.id)
		if errors.Is(err, ticket.ErrLimit) {
			return nil, nil, nil, decide.TooMany("too many connections are being set up")
		}
		return nil, nil, nil, decide.Internal()
	}
	edge := t.cfg.Settings().ID
	resume := x.resume.Milliseconds()
	return &wire.Ticket{
			Trunk: x.id, Label: tk.Client, EdgeID: edge, HostKey: host.Key, BootID: host.BootID, ResumeMS: resume,
		},
		&wire.Offer{
			Trunk: x.id, Carrier: x.carrier, Label: tk.Host, ClientLabel: tk.Client, EdgeID: edge,
			ClientKey: x.clientKey, Session: s.ID, Person: s.Person, Hostname: hostname, ResumeMS: resume,
		}, host, nil
}

// admit makes the trunk's row. What ended while it was decided is looked at
// again: an end that came before the row was there has not cut it.
func (t *Table) admit(x *trunk) *wire.Reason {
	t.mu.Lock()
	n, lanes := 0, 0
	for _, y := range t.trunks {
		if y.session.ID == x.session.ID && !y.parked {
			n++
			if y.carrier == wire.CarrierLane {
				lanes++
			}
		}
	}
	var why *wire.Reason
	switch {
	case t.stopped, t.leaving.Load():
		why = decide.Draining()
	case n >= maxTrunks, x.carrier == wire.CarrierLane && lanes >= wire.MaxSessionLanes:
		why = decide.TooMany("too many connections of this session")
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

// decide asks the policy, and counts. hostname is in normal form.
func (t *Table) decide(hostname string, s sessions.Session) (policy.Decision, *wire.Reason) {
	d, why := t.cfg.May(hostname, s)
	t.cfg.Meter.Decision(d.Allow)
	return d, why
}

// passes says why a trunk may not, or no longer, be; nil where it may.
func (t *Table) passes(x *trunk) *wire.Reason {
	t.mu.Lock()
	connector := x.host.Connector
	t.mu.Unlock()
	return t.cfg.Passes(x.session.ID, x.hostname, connector)
}
