// Package ticket holds the permits by which the edge joins the two connections
// of a trunk, from their issue until both ends have come.
//
// Shapes: a Ticket has two unrelated labels. Take consumes a label on first
// sight; Join parks the connection that comes first and hands it to the second.
//
//	issued --Take, Join--> half-joined --Take, Join--> joined
//	   \______________________\_____ expired or voided
//
// Units and limits: wire.TicketLife, wire.MaxHalfJoinedSession and
// wire.MaxHalfJoinedConnector; in memory only.
//
// Concurrency: all methods may be called from any goroutine. The hook of expiry
// runs on a goroutine of its own, without a lock held.
//
// Source: protocol rule 11.
package ticket

import (
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/sallyport/sallyport/edge/internal/relay/peek"
	"github.com/sallyport/sallyport/internal/sockopt"
	"github.com/sallyport/sallyport/wire"
)

// ErrLimit: too many tickets of the session or the connector are waiting.
var ErrLimit = errors.New("too many tickets waiting")

// Errors of Arrive.
var (
	// ErrLabel: no ticket has this label, or it was used before.
	ErrLabel = errors.New("unknown or used label")
	// ErrRule: the connection is not what its ticket is for.
	ErrRule = errors.New("connection is not what its ticket is for")
	// ErrLate: the ticket is no more.
	ErrLate = errors.New("ticket is no more")
)

// Side is one end of a ticket.
type Side string

const (
	Client Side = "client"
	Host   Side = "host"
)

// Ticket is one permit.
type Ticket struct {
	Trunk     wire.TrunkID
	Session   string
	Connector string
	// Carrier is what the ticket is for.
	Carrier wire.CarrierKind
	// Client and Host are the labels of the two sides.
	Client, Host wire.Label
}

type entry struct {
	ticket Ticket
	parked *peek.Conn // who came first, nil before
	side   Side       // of parked
	timer  *time.Timer
}

type mark struct {
	entry *entry
	side  Side
}

// Table is all tickets of an edge. Use New.
type Table struct {
	expired func(Ticket, *peek.Conn, Side)

	mu         sync.Mutex
	labels     map[wire.Label]mark
	trunks     map[wire.TrunkID]*entry
	sessions   map[string]int
	connectors map[string]int
}

// New makes an empty table. expired is told of every ticket that was not joined
// in time, with the connection that waited, nil where none did, and its side.
func New(expired func(t Ticket, parked *peek.Conn, side Side)) *Table {
	return &Table{
		expired: expired,
		labels:  make(map[wire.Label]mark), trunks: make(map[wire.TrunkID]*entry),
		sessions: make(map[string]int), connectors: make(map[string]int),
	}
}

// Issue makes a ticket; ErrLimit where too many wait.
func (t *Table) Issue(trunk wire.TrunkID, carrier wire.CarrierKind, session, connector string) (Ticket, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sessions[session] >= wire.MaxHalfJoinedSession || t.connectors[connector] >= wire.MaxHalfJoinedConnector {
		return Ticket{}, ErrLimit
	}
	e := &entry{ticket: Ticket{
		Trunk: trunk, Carrier: carrier, Session: session, Connector: connector,
		Client: wire.NewLabel(), Host: wire.NewLabel(),
	}}
	t.labels[e.ticket.Client] = mark{e, Client}
	t.labels[e.ticket.Host] = mark{e, Host}
	t.trunks[trunk] = e
	t.sessions[session]++
	t.connectors[connector]++
	e.timer = time.AfterFunc(wire.TicketLife, func() { t.expire(e) })
	return e.ticket, nil
}

func (t *Table) expire(e *entry) {
	t.mu.Lock()
	live := t.removeLocked(e)
	t.mu.Unlock()
	if live {
		t.expired(e.ticket, e.parked, e.side)
	}
}

func (t *Table) removeLocked(e *entry) bool {
	if t.trunks[e.ticket.Trunk] != e {
		return false
	}
	delete(t.trunks, e.ticket.Trunk)
	delete(t.labels, e.ticket.Client)
	delete(t.labels, e.ticket.Host)
	dec(t.sessions, e.ticket.Session)
	dec(t.connectors, e.ticket.Connector)
	e.timer.Stop()
	return true
}

func dec(counts map[string]int, key string) {
	if counts[key]--; counts[key] <= 0 {
		delete(counts, key)
	}
}

// Take consumes a label; ok is false where it is unknown or was seen before.
func (t *Table) Take(l wire.Label) (tk Ticket, side Side, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	m, ok := t.labels[l]
	if !ok {
		return Ticket{}, "", false
	}
	delete(t.labels, l)
	return m.entry.ticket, m.side, true
}

// Join brings a connection whose label was taken. Where the other end waits it
// is returned and the ticket is done. Else c is parked: other is nil. ok is
// false where the ticket is no more; c is the caller's then.
func (t *Table) Join(trunk wire.TrunkID, side Side, c *peek.Conn) (other *peek.Conn, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.trunks[trunk]
	if e == nil {
		return nil, false
	}
	if e.parked == nil {
		e.parked, e.side = c, side
		return nil, true
	}
	other = e.parked
	t.removeLocked(e)
	return other, true
}

// Arrive brings a connection that showed a label. Both ends are returned where the
// other one waits; else c is kept and none is. On an error c is the caller's.
func (t *Table) Arrive(c *peek.Conn, label wire.Label) (tk Ticket, client, host *peek.Conn, err error) {
	tk, side, ok := t.Take(label)
	if !ok {
		return tk, nil, nil, ErrLabel
	}
	if !wellFormed(c, side, tk.Carrier) {
		return tk, nil, nil, ErrRule
	}
	if tk.Carrier == wire.CarrierLane {
		sockopt.Lane(c.Conn)
	} else {
		sockopt.Carrier(c.Conn)
	}
	other, ok := t.Join(tk.Trunk, side, c)
	switch {
	case !ok:
		return tk, nil, nil, ErrLate
	case other == nil:
		return tk, nil, nil, nil
	case side == Host:
		return tk, other, c, nil
	}
	return tk, c, other, nil
}

// wellFormed checks the form of one end's first bytes: a host sends exactly one
// record, a client asks for what the ticket is for.
func wellFormed(c *peek.Conn, side Side, carrier wire.CarrierKind) bool {
	if side == Host {
		return c.Single()
	}
	return slices.Contains(c.Hello.ALPN, wire.ALPNOf(carrier))
}

// Void ends a ticket. It returns the connection that waited, nil where none did.
func (t *Table) Void(trunk wire.TrunkID) (parked *peek.Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.trunks[trunk]
	if e == nil {
		return nil
	}
	t.removeLocked(e)
	return e.parked
}

// Waiting says whether a label has not been seen yet.
func (t *Table) Waiting(l wire.Label) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, ok := t.labels[l]
	return ok
}

// Len is how many tickets wait.
func (t *Table) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.trunks)
}
