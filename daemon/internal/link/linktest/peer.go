package linktest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/wire"
)

// timeout bounds every wait of a peer.
const timeout = 20 * time.Second

// Peer is a hand-written daemon: it speaks the messages that a test tells it to.
type Peer struct {
	*wire.Link
	t    testing.TB
	edge *Edge
	Cert tls.Certificate // of its device key
	Key  wire.KeyID
	wg   sync.WaitGroup
	ctx  context.Context
	// Got takes every message that is no answer.
	Got chan wire.Message
}

// NewPeer connects to an edge in a role and exchanges hellos. It ends with the test.
func NewPeer(t testing.TB, e *Edge, role wire.Role) *Peer {
	t.Helper()
	cert, key := Device(t)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(e.CAPEM()))
	conn, err := tls.Dial("tcp", e.Addr(), wire.LinkClientConfig(cert, Name, roots))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &Peer{Link: wire.NewLink(conn), t: t, edge: e, Cert: cert, Key: key, ctx: ctx, Got: make(chan wire.Message, 4096)}
	p.wg.Go(func() { p.Run(ctx, func(_ uint32, m wire.Message) { p.Got <- m }) })
	t.Cleanup(func() { cancel(); p.wg.Wait() })
	hello := &wire.Hello{Versions: []int{wire.Version}, Role: role, BootID: "peer"}
	if role == wire.RoleClient {
		hello.SessionToken = "peer"
	}
	if _, err := p.Call(ctx, hello); err != nil {
		t.Fatal(err)
	}
	return p
}

// Wait returns the next message of a type; others are dropped.
func Wait[M wire.Message](p *Peer) M {
	p.t.Helper()
	late := time.After(timeout)
	for {
		select {
		case m := <-p.Got:
			if want, ok := m.(M); ok {
				return want
			}
		case <-late:
			var want M
			p.t.Fatalf("no %T came", want)
		}
	}
}

func (p *Peer) dial(ctx context.Context) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "tcp", p.edge.Addr())
}

// Client asks for a trunk to a hostname and meets the host.
func (p *Peer) Client(hostname string) *wire.Trunk {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, timeout)
	defer cancel()
	answer, err := p.Call(ctx, &wire.TicketRequest{Session: "s1", Hostname: hostname, Carrier: wire.CarrierTrunk})
	if err != nil {
		p.t.Fatal(err)
	}
	ticket := answer.(*wire.Ticket)
	raw, err := p.dial(ctx)
	if err != nil {
		p.t.Fatal(err)
	}
	t, err := wire.DialTrunk(ctx, raw, wire.TrunkConfig{
		ID: ticket.Trunk, Cert: p.Cert, PeerKey: ticket.HostKey, ServerName: ticket.Label.ServerName(Name),
	})
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { t.CloseWith(nil); <-t.Done() })
	return t
}

// Accept meets the client of an offer.
func (p *Peer) Accept(m *wire.Offer) (*wire.Trunk, error) {
	ctx, cancel := context.WithTimeout(p.ctx, timeout)
	defer cancel()
	raw, err := p.dial(ctx)
	if err != nil {
		return nil, err
	}
	return wire.AcceptTrunk(ctx, raw, m.Label.ServerName(Name), wire.TrunkConfig{
		ID: m.Trunk, Cert: p.Cert, PeerKey: m.ClientKey, ServerName: m.ClientLabel.ServerName(Name),
		Carrier: m.Carrier, Resume: m.ResumeMS > 0,
	})
}

// Host serves offers until the peer ends: each stream goes to serve.
func (p *Peer) Host(serve func(t *wire.Trunk, s *wire.Stream)) {
	p.wg.Go(func() {
		for {
			select {
			case m := <-p.Got:
				if offer, ok := m.(*wire.Offer); ok {
					p.wg.Go(func() { p.host(offer, serve) })
				}
			case <-p.ctx.Done():
				return
			}
		}
	})
}

func (p *Peer) host(m *wire.Offer, serve func(*wire.Trunk, *wire.Stream)) {
	t, err := p.Accept(m)
	if err != nil {
		p.Send(&wire.OfferFailed{Trunk: m.Trunk, Reason: wire.Reason{Code: wire.CodeTicketFailed, Text: err.Error()}})
		return
	}
	for {
		s, err := t.Accept(p.ctx)
		if err != nil {
			if p.ctx.Err() != nil { // a trunk that is lost parks its streams
				t.CloseWith(nil)
			}
			<-t.Done()
			<-p.ctx.Done()
			for _, s := range t.Remains() {
				s.Reset(nil)
			}
			return
		}
		p.wg.Go(func() { serve(t, s) })
	}
}

// Echo admits a stream and sends back what comes.
func Echo(_ *wire.Trunk, s *wire.Stream) {
	if s.Admit() != nil {
		return
	}
	if _, err := io.Copy(s, s); err == nil {
		s.CloseWrite()
	}
	<-s.Done()
}
