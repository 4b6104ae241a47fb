package trunk

import (
	"context"
	"errors"
	"time"

	"github.com/sallyport/sallyport/edge/internal/audit"
	"github.com/sallyport/sallyport/edge/internal/relay/decide"
	"github.com/sallyport/sallyport/edge/internal/relay/peek"
	"github.com/sallyport/sallyport/edge/internal/relay/splice"
	"github.com/sallyport/sallyport/edge/internal/relay/ticket"
	"github.com/sallyport/sallyport/wire"
)

// Arrive brings one end of a trunk. Where the other end waits, both are joined
// and Arrive returns when the trunk is over; else the connection is kept and it
// returns at once. admitted is called when the connection has found its place.
// On an error (those of package ticket) the connection is the caller's.
func (t *Table) Arrive(ctx context.Context, c *peek.Conn, label wire.Label, admitted func()) error {
	tk, client, host, err := t.tickets.Arrive(c, label)
	if errors.Is(err, ticket.ErrRule) {
		t.failed(tk.Trunk, wire.Reason{Code: wire.CodeProtocol, Text: "one end of the ticket broke a rule of the protocol"})
	}
	if err != nil {
		return err
	}
	admitted()
	if client == nil || host == nil {
		return nil
	}
	c = nil // an idle pair is to hold nothing
	x, pair := t.join(tk.Trunk, client, host)
	if pair == nil {
		return nil
	}
	client, host = nil, nil
	stop := context.AfterFunc(ctx, pair.Reset)
	defer stop()
	t.trunkOver(x, pair.Run())
	return nil
}

// join gives the host the client's hello and makes their pair, nil where the
// trunk came to nothing.
func (t *Table) join(id wire.TrunkID, client, host *peek.Conn) (*trunk, *splice.Pair) {
	pair, err := splice.Begin(client.Conn, host.Conn, client.Raw(), &t.spliced)
	t.mu.Lock()
	x := t.trunks[id]
	live := err == nil && x != nil && x.cut == nil && !t.stopped
	if live {
		x.pair, x.done = pair, make(chan struct{})
		t.cfg.Registry.Met(x.session.ID, x.hostname)
	}
	t.mu.Unlock()
	if !live {
		pair.Reset()
		t.failed(id, decide.TicketFailed("the host broke the connection, or a rule of the protocol"))
		return nil, nil
	}
	t.log.Debug("trunk joined", "trunk", id, "session", x.session.ID, "app", x.hostname)
	return x, pair
}

// trunkOver accounts for a trunk whose pair has ended. The streams on it wait for
// another trunk, or where they may not, a little for the figures of their host.
func (t *Table) trunkOver(x *trunk, err error) {
	up, down := x.pair.Bytes()
	t.mu.Lock()
	if !x.used && x.cut == nil && x.carrier == wire.CarrierTrunk { // its client has not found there whom it wanted
		t.cfg.Registry.Failed(x.session.ID, x.host)
	}
	x.over = true
	if x.timer != nil {
		x.timer.Stop()
	}
	switch {
	case len(x.streams) == 0 || t.stopped:
		delete(t.trunks, x.id)
	case x.cut == nil && x.resume > 0 && t.roomLocked(x.session.ID, len(x.streams)):
		t.parkLocked(x)
	default:
		x.timer = time.AfterFunc(t.cfg.ReportTime, func() { t.settle(x, wire.CodeCarrierLost) })
	}
	t.mu.Unlock()
	close(x.done)
	rec := decide.PersonRecord(x.session)
	rec.Event, rec.Outcome, rec.Trunk, rec.Hostname, rec.Connector = audit.EventTrunkEnd, audit.OK, x.id.String(), x.hostname, x.host.Connector
	rec.BytesToOrigin, rec.BytesToClient = up, down
	t.cfg.Audit.Note(rec)
	t.log.Debug("trunk over", "trunk", x.id, "bytes_in", up, "bytes_out", down, "error", err)
}

// settle ends what is still open on a trunk that is over, with what is known, and
// says how much that was.
func (t *Table) settle(x *trunk, code wire.Code) (streams int) {
	t.mu.Lock()
	delete(t.trunks, x.id)
	left := make([]*stream, 0, len(x.streams))
	for _, s := range x.streams {
		left = append(left, s)
	}
	t.mu.Unlock()
	for _, s := range left {
		t.endStream(s, code)
	}
	return len(left)
}

// failed ends a trunk that was never joined and tells its client.
func (t *Table) failed(id wire.TrunkID, why wire.Reason) {
	x := t.drop(id)
	if x == nil {
		return
	}
	t.mu.Lock()
	if x.carrier == wire.CarrierTrunk { // a host may have no lanes
		t.cfg.Registry.Failed(x.session.ID, x.host)
	}
	if x.cut != nil {
		why = *x.cut
	}
	t.mu.Unlock()
	if client := t.cfg.Link(x.clientKey); client != nil {
		client.Tell(&wire.TicketFailed{Trunk: id, Reason: why})
	}
}

// drop takes away a trunk that was never joined, nil where there is none.
func (t *Table) drop(id wire.TrunkID) *trunk {
	if parked := t.tickets.Void(id); parked != nil {
		splice.Reset(parked.Conn)
	}
	t.mu.Lock()
	x := t.trunks[id]
	if x == nil || x.pair != nil {
		t.mu.Unlock()
		return nil
	}
	x.over = true
	delete(t.trunks, id)
	t.mu.Unlock()
	t.settle(x, wire.CodeCarrierLost)
	return x
}

// expired is the tickets' hook.
func (t *Table) expired(tk ticket.Ticket, parked *peek.Conn, side ticket.Side) {
	text := "neither end came to the edge in time"
	if parked != nil {
		splice.Reset(parked.Conn)
		text = "the host did not come to the edge in time"
		if side == ticket.Host {
			text = "this machine did not come to the edge in time"
		}
	}
	t.failed(tk.Trunk, decide.TicketFailed(text))
}

// OfferFailed takes a host's word that it cannot meet an offer.
func (t *Table) OfferFailed(l Link, m *wire.OfferFailed) {
	t.mu.Lock()
	x := t.trunks[m.Trunk]
	mine := x != nil && x.host == l.Host() && x.pair == nil
	t.mu.Unlock()
	if !mine {
		return
	}
	why := m.Reason
	why.Text, why.Hint = decide.Clip(why.Text), decide.Clip(why.Hint)
	if why.Code == "" {
		why.Code = wire.CodeTicketFailed
	}
	t.failed(m.Trunk, why)
}
