package relay

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"testing"
	"time"

	"github.com/sallyport/sallyport/wire"
)

// The real trunks of both daemons through the real edge: bytes both ways, both
// half-closes, and a cut that is an error, never an end.
func TestRealTrunk(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.allow(app, "everyone")
	host, _ := w.host(app)
	client, s := w.client("alice@site.com")
	tk := call[*wire.Ticket](client, &wire.TicketRequest{Session: s.ID, Hostname: app, Carrier: wire.CarrierTrunk})
	offer := expect[*wire.Offer](host)
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	defer cancel()
	type result struct {
		trunk *wire.Trunk
		err   error
	}
	accepted := make(chan result, 1)
	go func() {
		x, err := wire.AcceptTrunk(ctx, w.tcp2(), offer.Label.ServerName("localhost"), wire.TrunkConfig{
			ID: offer.Trunk, Cert: host.d.cert, PeerKey: offer.ClientKey, ServerName: offer.ClientLabel.ServerName("localhost"),
		})
		accepted <- result{x, err}
	}()
	ct, err := wire.DialTrunk(ctx, w.tcp2(), wire.TrunkConfig{
		ID: tk.Trunk, Cert: client.d.cert, PeerKey: tk.HostKey, ServerName: tk.Label.ServerName("localhost"),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer ct.CloseWith(nil)
	a := <-accepted
	if a.err != nil {
		t.Fatal(a.err)
	}
	defer a.trunk.CloseWith(nil)
	if ct.Fingerprint() != a.trunk.Fingerprint() {
		t.Error("the two ends see different connections")
	}

	id, trace := wire.NewStreamID(), wire.NewTraceID()
	client.Send(&wire.OpenRequest{Trunk: tk.Trunk, Stream: id, Trace: trace})
	cs, err := ct.Open(ctx, id, trace, false)
	if err != nil {
		t.Fatal(err)
	}
	hs, err := a.trunk.Accept(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if g := expect[*wire.Grant](host); g.Stream != hs.ID() {
		t.Fatalf("grant = %+v, stream %s", g, hs.ID())
	}
	if err := hs.Admit(); err != nil {
		t.Fatal(err)
	}
	if err := cs.Verdict(ctx); err != nil {
		t.Fatal(err)
	}
	sent := make([]byte, 3<<20)
	rand.Read(sent)
	go func() {
		io.Copy(hs, hs) // echo
		hs.CloseWrite()
	}()
	go func() {
		cs.Write(sent)
		cs.CloseWrite()
	}()
	got, err := io.ReadAll(cs)
	if err != nil || !bytes.Equal(got, sent) {
		t.Fatalf("echoed %d bytes, %v", len(got), err)
	}

	// A stream that is cut reads an error.
	id = wire.NewStreamID()
	client.Send(&wire.OpenRequest{Trunk: tk.Trunk, Stream: id, Trace: trace})
	if cs, err = ct.Open(ctx, id, trace, false); err != nil {
		t.Fatal(err)
	}
	if hs, err = a.trunk.Accept(ctx); err != nil {
		t.Fatal(err)
	}
	expect[*wire.Grant](host)
	if err := hs.Admit(); err != nil {
		t.Fatal(err)
	}
	if err := w.sessions.End(ctx, s.ID, wire.Reason{Code: wire.CodeRevoked}); err != nil {
		t.Fatal(err)
	}
	cs.SetReadDeadline(time.Now().Add(wait))
	if n, err := cs.Read(make([]byte, 1)); err == nil || err == io.EOF {
		t.Errorf("read %d, %v after the cut", n, err)
	}
}
