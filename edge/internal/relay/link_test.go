package relay

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/sallyport/sallyport/wire"
)

func TestNewerLinkTakesThePlace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, _ := w.client("alice@site.com")
	p.d.link(wire.Hello{Role: wire.RoleClient})
	select {
	case <-p.Done():
	case <-time.After(wait):
		t.Error("the older link still lives")
	}
	if c := w.relay.Links(); c.Clients != 1 {
		t.Errorf("Links = %+v", c)
	}
}

func TestLinkRules(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(l *times) { l.parting = 500 * time.Millisecond })
	ended := func(t *testing.T, p *peerLink) {
		t.Helper()
		select {
		case <-p.Done():
		case <-time.After(wait):
			t.Error("the link lives")
		}
	}
	t.Run("a message before hello", func(t *testing.T) {
		p := w.device().dial()
		p.Send(&wire.AppsRequest{})
		ended(t, p)
	})
	t.Run("two hellos", func(t *testing.T) {
		p := w.device().link(wire.Hello{Role: wire.RoleClient})
		p.Send(&wire.Hello{Versions: []int{1}, Role: wire.RoleClient})
		ended(t, p)
	})
	t.Run("a message for daemons", func(t *testing.T) {
		p := w.device().link(wire.Hello{Role: wire.RoleClient})
		p.Send(&wire.Grant{})
		ended(t, p)
	})
	t.Run("no common version", func(t *testing.T) {
		p := w.device().dial()
		if why := p.refusal(&wire.Hello{Versions: []int{99}, Role: wire.RoleClient}); why.Code != wire.CodeProtocol || why.Hint == "" {
			t.Errorf("reason = %v", why)
		}
		ended(t, p)
	})
	t.Run("unknown role", func(t *testing.T) {
		p := w.device().dial()
		if why := p.refusal(&wire.Hello{Versions: []int{1}, Role: "king"}); why.Code != wire.CodeInvalid {
			t.Errorf("reason = %v", why)
		}
	})
	t.Run("a bad session token", func(t *testing.T) {
		p := w.device().link(wire.Hello{Role: wire.RoleClient, SessionToken: "ses_x.y"})
		if p.welcome.Session != nil || p.welcome.Ended == nil {
			t.Errorf("welcome = %+v", p.welcome)
		}
	})
	t.Run("a revoked host hears why", func(t *testing.T) {
		host, c := w.host()
		w.enrol.Revoke(t.Context(), c.ID, wire.Reason{Code: wire.CodeRevoked, Text: "gone"})
		p := host.d.link(wire.Hello{Role: wire.RoleHost})
		if p.welcome.Connector != nil || p.welcome.Ended == nil || p.welcome.Ended.Text != "gone" {
			t.Errorf("welcome = %+v", p.welcome)
		}
	})
	t.Run("a client registers", func(t *testing.T) {
		p := w.device().link(wire.Hello{Role: wire.RoleClient})
		if why := p.refusal(&wire.Register{}); why.Code != wire.CodeInvalid {
			t.Errorf("reason = %v", why)
		}
	})
	t.Run("a client asks to enrol", func(t *testing.T) {
		p := w.device().link(wire.Hello{Role: wire.RoleClient})
		if why := p.refusal(&wire.LoginStart{Purpose: wire.PurposeEnrol, Mode: wire.ModeCode}); why.Code != wire.CodeInvalid {
			t.Errorf("reason = %v", why)
		}
	})
}

// A peer that stalls at any stage is dropped.
func TestSlowPeersAreCulled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(l *times) { l.peek, l.web, l.hello = 200*time.Millisecond, 200*time.Millisecond, 3*time.Second })
	stages := map[string]func() net.Conn{
		"says nothing": func() net.Conn { return w.tcp() },
		"half a ClientHello": func() net.Conn {
			c := w.tcp()
			hello := record(t, wire.NewLabel())
			c.Write(hello[:len(hello)/2])
			return c
		},
		"a ClientHello of the web, no more": func() net.Conn {
			c := &capture{}
			tls.Client(c, &tls.Config{ServerName: "localhost"}).Handshake()
			conn := w.tcp()
			conn.Write(c.buf.Bytes())
			return conn
		},
		"a link without a hello": func() net.Conn {
			c := tls.Client(w.tcp(), wire.LinkClientConfig(w.device().cert, "localhost", w.roots))
			if err := c.HandshakeContext(t.Context()); err != nil {
				t.Fatal(err)
			}
			return c
		},
	}
	for name, stage := range stages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := stage()
			c.SetDeadline(time.Now().Add(2 * wait))
			if _, err := io.Copy(io.Discard, c); err != nil {
				if ne, ok := err.(net.Error); ok && ne.Timeout() {
					t.Error("still connected")
				}
			}
		})
	}
}

// A link that never gets a session or a connector ends.
func TestLooseLinkEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(l *times) { l.loose = 50 * time.Millisecond })
	p := w.device().dial()
	p.Send(&wire.Hello{Versions: []int{wire.Version}, Role: wire.RoleClient, BootID: "boot"}) // its answer may not come in time
	select {
	case <-p.Done():
	case <-time.After(wait):
		t.Error("the link lives")
	}
	bound, _ := w.client("alice@site.com")
	call[*wire.Apps](bound, &wire.AppsRequest{Session: bound.welcome.Session.ID})
	if c := w.relay.Links(); c.Waiting != 0 {
		t.Errorf("Links = %+v", c)
	}
}

// One address cannot hold any number of links that are bound to nothing.
func TestLooseLinksAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.relay.mu.Lock()
	w.relay.loose[netip.MustParsePrefix("127.0.0.1/32")] = maxLoose
	w.relay.mu.Unlock()
	p := w.device().dial()
	if why := p.refusal(&wire.Hello{Versions: []int{1}, Role: wire.RoleClient}); why.Code != wire.CodeLimit {
		t.Errorf("reason = %v", why)
	}
	w.client("alice@site.com") // a session is not counted
}

// A daemon takes nothing before its welcome, not even from its link: what the
// hello brings about is told after it.
func TestNothingComesBeforeTheWelcome(t *testing.T) {
	t.Parallel()
	j := newJoined(t)
	raw := must[net.Conn](t)(net.Dial("tcp", j.addr))
	tc := tls.Client(raw, wire.LinkClientConfig(j.host.d.cert, "localhost", j.roots))
	if err := tc.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	link, welcomed, cut := wire.NewLink(tc), make(chan struct{}), make(chan struct{}, 16)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		link.Run(context.Background(), func(_ uint32, m wire.Message) {
			if _, ok := m.(*wire.Cut); !ok {
				return
			}
			select {
			case <-welcomed:
			case <-time.After(wait):
				t.Error("a cut comes before the welcome")
			}
			cut <- struct{}{}
		})
	}()
	t.Cleanup(func() { link.Close(); <-ended })
	if _, err := link.Call(t.Context(), &wire.Hello{Versions: []int{wire.Version}, Role: wire.RoleHost, BootID: "another"}); err != nil {
		t.Fatal(err)
	}
	close(welcomed)
	<-cut
}
