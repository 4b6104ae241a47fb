package relay

import (
	"crypto/tls"
	"testing"

	"github.com/sallyport/sallyport/wire"
)

func (w *world) known(l wire.Label) bool { return w.relay.trunks.Waiting(l) }

func TestLabels(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.allow(app, "everyone")
	host, _ := w.host(app)
	client, s := w.client("alice@site.com")
	ticket := func() (*wire.Ticket, *wire.Offer) {
		tk := call[*wire.Ticket](client, &wire.TicketRequest{Session: s.ID, Hostname: app})
		return tk, expect[*wire.Offer](host)
	}
	t.Run("unknown", func(t *testing.T) {
		wantReset(t, w.hostConn(wire.NewLabel()))
	})
	t.Run("used", func(t *testing.T) {
		_, offer := ticket()
		first := w.hostConn(offer.Label)
		w.eventually("the label is consumed", func() bool { return !w.known(offer.Label) })
		wantReset(t, w.hostConn(offer.Label))
		first.Close()
	})
	t.Run("host says more than one record", func(t *testing.T) {
		tk, offer := ticket()
		c := w.tcp()
		c.Write(append(record(t, offer.Label), "surplus"...))
		wantReset(t, c)
		if m := expect[*wire.TicketFailed](client); m.Trunk != tk.Trunk || m.Reason.Code != wire.CodeProtocol {
			t.Errorf("client hears %+v", m)
		}
	})
	t.Run("host says more while it waits", func(t *testing.T) {
		tk, offer := ticket()
		c := w.hostConn(offer.Label)
		w.eventually("the label is consumed", func() bool { return !w.known(offer.Label) })
		c.Write([]byte("surplus"))
		cc := w.clientConn(tk, client.d)
		if err := cc.HandshakeContext(t.Context()); err == nil {
			t.Error("joined all the same")
		}
		wantReset(t, c)
		expect[*wire.TicketFailed](client)
	})
	t.Run("client asks for another protocol", func(t *testing.T) {
		tk, offer := ticket()
		c := w.tcp()
		tls.Client(c, &tls.Config{ServerName: tk.Label.ServerName("localhost"), InsecureSkipVerify: true, NextProtos: []string{"h2"}}).HandshakeContext(t.Context())
		wantReset(t, w.hostConn(offer.Label))
		expect[*wire.TicketFailed](client)
	})
	t.Run("offer failed", func(t *testing.T) {
		tk, offer := ticket()
		host.Send(&wire.OfferFailed{Trunk: offer.Trunk, Reason: wire.Reason{Code: wire.CodeNoSuchTunnel, Text: "not here\x00"}})
		if m := expect[*wire.TicketFailed](client); m.Trunk != tk.Trunk || m.Reason.Code != wire.CodeNoSuchTunnel || m.Reason.Text != "not here" {
			t.Errorf("client hears %+v", m)
		}
	})
	t.Run("offer failed by another host", func(t *testing.T) {
		_, offer := ticket()
		stranger, _ := w.host("other.site.com")
		stranger.Send(&wire.OfferFailed{Trunk: offer.Trunk})
		stranger.register("other.site.com") // has come after it
		if !w.known(offer.Label) {
			t.Error("a stranger voided the ticket")
		}
	})
}

func TestHalfJoinedCap(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.allow(app, "everyone")
	host, _ := w.host(app)
	client, s := w.client("alice@site.com")
	for range wire.MaxHalfJoinedSession {
		call[*wire.Ticket](client, &wire.TicketRequest{Session: s.ID, Hostname: app})
	}
	if why := client.refusal(&wire.TicketRequest{Session: s.ID, Hostname: app}); why.Code != wire.CodeLimit {
		t.Errorf("reason = %v", why)
	}
	offer := expect[*wire.Offer](host)
	host.Send(&wire.OfferFailed{Trunk: offer.Trunk})
	expect[*wire.TicketFailed](client)
	call[*wire.Ticket](client, &wire.TicketRequest{Session: s.ID, Hostname: app})
}
