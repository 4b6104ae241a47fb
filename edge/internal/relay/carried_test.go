package relay

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/edge/internal/config"
	"github.com/sallyport/sallyport/internal/webconn"
	"github.com/sallyport/sallyport/wire"
)

// websocket is a connection to the relay in a WebSocket of its own.
func (w *world) websocket(path string) net.Conn {
	tc := tls.Client(w.tcp2(), &tls.Config{ServerName: "localhost", RootCAs: w.roots, NextProtos: []string{"http/1.1"}})
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	c, err := webconn.Dial(ctx, tc, "localhost", path)
	if err != nil {
		panic(err) // also called from other goroutines than the test's
	}
	return c
}

// carrier is one side's connection for a trunk, in either form.
func (w *world) carrier(web bool, label wire.Label) net.Conn {
	if !web {
		return w.tcp2()
	}
	c := w.websocket(webconn.TrunkPath)
	if _, err := io.WriteString(c, string(label)); err != nil {
		panic(err)
	}
	return c
}

// meet brings both ends of a ticket to the edge, each in its form.
func (w *world) meet(client, host *peerLink, session string, clientWeb, hostWeb bool) (c, h *wire.Trunk) {
	w.t.Helper()
	tk := call[*wire.Ticket](client, &wire.TicketRequest{Session: session, Hostname: app, Carrier: wire.CarrierTrunk})
	offer := expect[*wire.Offer](host)
	ctx, cancel := context.WithTimeout(w.t.Context(), wait)
	defer cancel()
	failed := make(chan error, 1)
	go func() {
		var err error
		h, err = wire.AcceptTrunk(ctx, w.carrier(hostWeb, offer.Label), offer.Label.ServerName("localhost"), wire.TrunkConfig{
			ID: offer.Trunk, Cert: host.d.cert, PeerKey: offer.ClientKey, ServerName: offer.ClientLabel.ServerName("localhost"),
		})
		failed <- err
	}()
	c, err := wire.DialTrunk(ctx, w.carrier(clientWeb, tk.Label), wire.TrunkConfig{
		ID: tk.Trunk, Cert: client.d.cert, PeerKey: tk.HostKey, ServerName: tk.Label.ServerName("localhost"),
	})
	if err := errors.Join(err, <-failed); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { c.CloseWith(nil); h.CloseWith(nil); <-c.Done(); <-h.Done() })
	return c, h
}

// Any mix of direct and WebSocket sides is one trunk: bytes both ways, counted,
// and cut at once.
func TestTrunkInAWebSocket(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name         string
		client, host bool
	}{{"client", true, false}, {"host", false, true}, {"both", true, true}} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.allow(app, "everyone")
			host, _ := w.host(app)
			client, s := w.client("alice@site.com")
			ct, ht := w.meet(client, host, s.ID, test.client, test.host)
			id := wire.NewStreamID()
			client.Send(&wire.OpenRequest{Trunk: ct.ID(), Stream: id, Trace: wire.NewTraceID()})
			cs := must[*wire.Stream](t)(ct.Open(t.Context(), id, wire.NewTraceID(), false))
			hs := must[*wire.Stream](t)(ht.Accept(t.Context()))
			expect[*wire.Grant](host)
			if err := errors.Join(hs.Admit(), cs.Verdict(t.Context())); err != nil {
				t.Fatal(err)
			}
			sent := make([]byte, 2<<20)
			rand.Read(sent)
			go func() { io.Copy(hs, hs) }()
			go func() { cs.Write(sent) }()
			got := make([]byte, len(sent))
			if _, err := io.ReadFull(cs, got); err != nil || !bytes.Equal(got, sent) {
				t.Fatalf("echo differs, %v", err)
			}
			w.eventually("the bytes are counted", func() bool { return w.relay.Links().BytesSpliced >= 4<<20 })
			began := time.Now()
			if err := w.sessions.End(t.Context(), s.ID, wire.Reason{Code: wire.CodeRevoked}); err != nil {
				t.Fatal(err)
			}
			for _, x := range []*wire.Trunk{ct, ht} {
				select {
				case <-x.Done():
				case <-time.After(wait):
					t.Fatalf("trunk lives %v after the cut", time.Since(began))
				}
			}
		})
	}
}

// A link in a WebSocket has the same TLS inside, and nothing else is taken.
func TestLinkInAWebSocket(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.device()
	tc := tls.Client(w.websocket(webconn.LinkPath), wire.LinkClientConfig(d.cert, "localhost", w.roots))
	if err := tc.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	p := d.over(tc)
	welcome := call[*wire.Welcome](p, &wire.Hello{Versions: []int{wire.Version}, Role: wire.RoleClient, BootID: "boot"})
	if welcome.EdgeID != "edge-1" {
		t.Errorf("welcome = %+v", welcome)
	}

	for _, test := range []struct {
		name string
		say  func(c net.Conn)
	}{
		{"plain text", func(c net.Conn) { io.WriteString(c, strings.Repeat("hello ", 100)) }},
		{"TLS for the web", func(c net.Conn) {
			tls.Client(c, &tls.Config{ServerName: "localhost", RootCAs: w.roots, NextProtos: []string{"http/1.1"}}).Handshake()
		}},
		{"no certificate", func(c net.Conn) {
			x := tls.Client(c, &tls.Config{ServerName: "localhost", RootCAs: w.roots, NextProtos: []string{wire.ALPNLink}})
			x.Handshake()
			io.Copy(io.Discard, x)
		}},
	} {
		before := w.meter.refused.Load()
		c := w.websocket(webconn.LinkPath)
		go test.say(c)
		w.eventually(test.name+" is refused", func() bool { return w.meter.refused.Load() > before })
		c.Close()
	}
}

// The rules of tickets hold in a WebSocket: the label, once, the same in the
// ClientHello; a host is silent until the client's.
func TestTicketRulesInAWebSocket(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.allow(app, "everyone")
	host, _ := w.host(app)
	client, s := w.client("alice@site.com")
	ask := func() (*wire.Ticket, *wire.Offer) {
		return call[*wire.Ticket](client, &wire.TicketRequest{Session: s.ID, Hostname: app, Carrier: wire.CarrierTrunk}), expect[*wire.Offer](host)
	}
	refused := func(name string, c net.Conn, before int64) {
		t.Helper()
		w.eventually(name+" is refused", func() bool { return w.meter.refused.Load() > before })
		c.Close()
	}

	before := w.meter.refused.Load()
	c := w.websocket(webconn.TrunkPath)
	unknown := wire.NewLabel()
	c.Write(append([]byte(unknown), record(t, unknown)...))
	refused("an unknown label", c, before)

	tk, offer := ask()
	before = w.meter.refused.Load()
	c = w.websocket(webconn.TrunkPath)
	c.Write(append([]byte(tk.Label), record(t, offer.Label)...))
	refused("another label inside", c, before)

	early := w.carrier(true, offer.Label)
	early.Write(append(record(t, offer.Label), 'x')) // more than the one record
	defer early.Close()
	cc := w.clientConn(tk, client.d)
	if err := cc.HandshakeContext(t.Context()); err == nil {
		t.Error("joined with a host that spoke too early")
	}
	if why := expect[*wire.TicketFailed](client); why.Reason.Code != wire.CodeTicketFailed && why.Reason.Code != wire.CodeProtocol {
		t.Errorf("told %+v", why)
	}
}

// What a trusted proxy says of the address counts, and plain http from it; from
// anybody else neither does.
func TestTrustedProxy(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		proxies []string
		said    []string
		from    string
		want    string
	}{
		{"not trusted", nil, []string{"192.0.2.7"}, "198.51.100.1:5", "198.51.100.1:5"},
		{"trusted", []string{"198.51.100.1/32"}, []string{"192.0.2.7"}, "198.51.100.1:5", "192.0.2.7:0"},
		{"invented by the client", []string{"198.51.100.0/24"}, []string{"203.0.113.9, 192.0.2.7", "198.51.100.8"}, "198.51.100.1:5", "192.0.2.7:0"},
		{"nonsense", []string{"198.51.100.1/32"}, []string{"unknown"}, "198.51.100.1:5", "198.51.100.1:5"},
		{"silent", []string{"198.51.100.1/32"}, nil, "198.51.100.1:5", "198.51.100.1:5"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := &config.Config{Name: "edge.site.com", Port: 443, Listen: ":8443"}
			for _, p := range test.proxies {
				c.Proxies = append(c.Proxies, netip.MustParsePrefix(p))
			}
			r := &Relay{cfg: Config{Settings: func() *config.Config { return c }}}
			req := httptest.NewRequest("GET", "/", nil)
			req.RemoteAddr = test.from
			for _, v := range test.said {
				req.Header.Add("X-Forwarded-For", v)
			}
			got, status := "", httptest.NewRecorder()
			r.guardPlain(r.proxied(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) { got = req.RemoteAddr }))).ServeHTTP(status, req)
			if test.proxies == nil {
				if status.Code != http.StatusMisdirectedRequest {
					t.Errorf("plain http of a stranger: status %d", status.Code)
				}
				return
			}
			if got != test.want {
				t.Errorf("address %q, want %q", got, test.want)
			}
		})
	}
}
