package dial

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/daemon/internal/link/linktest"
	"github.com/sallyport/sallyport/internal/webconn"
	"github.com/sallyport/sallyport/wire"
)

// webEdge is the web port of an edge behind a middlebox: direct says what becomes
// of a connection that is not for the web.
type webEdge struct {
	address string
	outer   tls.Certificate // of whoever ends the outer TLS
	inner   tls.Certificate
	direct  atomic.Pointer[func(net.Conn)]
	keys    chan wire.KeyID
	labels  chan string
	conns   chan net.Conn
}

func newWebEdge(t *testing.T, outer, inner tls.Certificate, direct func(net.Conn)) *webEdge {
	t.Helper()
	e := &webEdge{outer: outer, inner: inner, keys: make(chan wire.KeyID, 8), labels: make(chan string, 8), conns: make(chan net.Conn)}
	e.direct.Store(&direct)
	e.address = listen(t, e.front)
	srv := &http.Server{Handler: e, TLSConfig: &tls.Config{Certificates: []tls.Certificate{outer}}}
	l := &handed{e.conns, make(chan struct{})}
	go srv.Serve(l)
	t.Cleanup(func() { srv.Close() })
	return e
}

// front tells a direct link from the web by its ClientHello, as a middlebox would.
func (e *webEdge) front(raw net.Conn) {
	r := bufio.NewReaderSize(raw, 4096)
	head, err := r.Peek(5)
	if err != nil {
		return
	}
	hello, err := r.Peek(5 + int(head[3])<<8 + int(head[4]))
	if err != nil {
		return
	}
	c := &replayed{raw, r}
	if strings.Contains(string(hello), wire.ALPNLink) {
		(*e.direct.Load())(c)
		return
	}
	e.conns <- tls.Server(c, &tls.Config{Certificates: []tls.Certificate{e.outer}, NextProtos: []string{"http/1.1"}})
}

type replayed struct {
	net.Conn
	r io.Reader
}

func (c *replayed) Read(p []byte) (int, error) { return c.r.Read(p) }
func (c *replayed) NetConn() net.Conn          { return c.Conn }

type handed struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (h *handed) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}
func (h *handed) Close() error   { close(h.closed); return nil }
func (h *handed) Addr() net.Addr { return &net.TCPAddr{} }

func (e *webEdge) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	c, err := webconn.Accept(w, req)
	if err != nil {
		return
	}
	defer c.Close()
	if req.URL.Path == webconn.TrunkPath {
		label := make([]byte, 26)
		io.ReadFull(c, label)
		e.labels <- string(label)
		return
	}
	e.serve(c)
}

// serve is the edge's end of a link's TLS.
func (e *webEdge) serve(c net.Conn) {
	conn := tls.Server(c, wire.LinkServerConfig(func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &e.inner, nil }))
	if conn.Handshake() != nil {
		return
	}
	id, _ := wire.PeerKeyID(conn.ConnectionState())
	e.keys <- id
	io.Copy(io.Discard, conn)
}

// What a middlebox does to the direct form leads to the WebSocket; the edge's
// certificate is that of the TLS inside, whoever ends the one outside.
func TestFormIsFound(t *testing.T) {
	t.Parallel()
	ca, other := linktest.NewCA(t), linktest.NewCA(t)
	device, key := linktest.Device(t)
	from, to := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	good, foreign := ca.Issue(t, name, from, to), other.Issue(t, name, from, to)
	reset := func(c net.Conn) { c.(*replayed).Conn.(*net.TCPConn).SetLinger(0); c.Close() }
	for _, test := range []struct {
		name   string
		direct func(net.Conn)
		outer  tls.Certificate
		inner  tls.Certificate
		code   api.Code // "" where the link is made
	}{
		{"swallowed", func(c net.Conn) { io.Copy(io.Discard, c) }, good, good, ""},
		{"reset after the name was seen", reset, good, good, ""},
		{"closed", func(c net.Conn) { c.Close() }, good, good, ""},
		{"ALPN not known", edgeTLS(good, time.Time{}, "http/1.1"), good, good, ""},
		{"ALPN ignored", edgeTLS(good, time.Time{}), good, good, ""},
		{"TLS intercepted, WebSockets passed", edgeTLS(foreign, time.Time{}), good, good, ""},
		{"TLS intercepted by an authority not known here", edgeTLS(foreign, time.Time{}), foreign, good, api.CodeEdgeUntrusted},
		{"a web server of an authority not known here", edgeTLS(foreign, time.Time{}, "h2", "http/1.1"), foreign, good, api.CodeEdgeUntrusted},
		{"another edge inside a web server's TLS", edgeTLS(good, time.Time{}, "h2", "http/1.1"), good, foreign, api.CodeEdgeUntrusted},
		{"another edge inside", reset, good, foreign, api.CodeEdgeUntrusted},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			e := newWebEdge(t, test.outer, test.inner, test.direct)
			d := NewDialer(Target{Name: name, Address: e.address, CAPEM: ca.PEM}, time.Now)
			conn, form, err := d.Link(t.Context(), device, 2*time.Second)
			if test.code != "" {
				if p := Problem(err); err == nil || p.Code != test.code {
					t.Fatalf("%v, want %s", err, test.code)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if got := <-e.keys; form != FormWebSocket || got != key {
				t.Errorf("form %s, key %s", form, got)
			}
			label := wire.NewLabel()
			trunk, err := d.Trunk(t.Context(), label, 5*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			defer trunk.Close()
			if got := <-e.labels; got != string(label) {
				t.Errorf("the trunk said %q", got)
			}
		})
	}
}

// The form is kept for a network and a while; elsewhere, and afterwards, the
// direct one is tried again.
func TestFormIsRememberedPerNetwork(t *testing.T) {
	t.Parallel()
	ca := linktest.NewCA(t)
	device, _ := linktest.Device(t)
	cert := ca.Issue(t, name, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	tries := make(chan struct{}, 16)
	e := newWebEdge(t, cert, cert, func(c net.Conn) { tries <- struct{}{}; c.Close() })
	d := NewDialer(Target{Name: name, Address: e.address, CAPEM: ca.PEM}, time.Now)
	at := "office"
	d.network = func() string { return at }
	link := func(want Form, direct int) {
		t.Helper()
		conn, form, err := d.Link(t.Context(), device, 5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		<-e.keys
		conn.Close()
		if form != want || len(tries) != direct {
			t.Errorf("at the %s: form %s after %d direct tries, want %s after %d", at, form, len(tries), want, direct)
		}
		for len(tries) > 0 {
			<-tries
		}
	}
	link(FormWebSocket, 1)
	link(FormWebSocket, 0)
	at = "hotel"
	link(FormWebSocket, 1)
	let := func(c net.Conn) { tries <- struct{}{}; e.serve(c) }
	e.direct.Store(&let)
	at = "office"
	link(FormWebSocket, 0)
	at = "home"
	link(FormDirect, 1)
	d.mu.Lock()
	d.blocked["office"] = time.Now() // the while is over
	d.mu.Unlock()
	at = "office"
	link(FormDirect, 1)
}

// What no middlebox causes is told as it is, without another try.
func TestFormIsNotTriedInVain(t *testing.T) {
	t.Parallel()
	ca := linktest.NewCA(t)
	device, _ := linktest.Device(t)
	var asked atomic.Int32
	plain := listen(t, func(c net.Conn) {
		asked.Add(1)
		io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n")
		io.Copy(io.Discard, c)
	})
	for _, address := range []string{closedPort(t), plain} {
		d := NewDialer(Target{Name: name, Address: address, CAPEM: ca.PEM}, time.Now)
		if _, form, err := d.Link(t.Context(), device, time.Second); err == nil || form != FormDirect {
			t.Errorf("form %s, %v", form, err)
		}
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

// Links and trunks go through a proxy, in both forms; a portal is named as the
// broken hop, and nothing of the device is shown to it.
func TestThroughAProxy(t *testing.T) {
	t.Parallel()
	ca := linktest.NewCA(t)
	device, key := linktest.Device(t)
	cert := ca.Issue(t, name, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	e := newWebEdge(t, cert, cert, func(c net.Conn) { c.Close() })
	at := listen(t, func(c net.Conn) {
		defer c.Close()
		r := bufio.NewReader(c)
		req, err := http.ReadRequest(r)
		if err != nil || req.Host != name+":443" {
			io.WriteString(c, "HTTP/1.1 403 Forbidden\r\n\r\n")
			return
		}
		up, err := net.Dial("tcp", e.address)
		if err != nil {
			return
		}
		defer up.Close()
		io.WriteString(c, "HTTP/1.1 200 Connection established\r\n\r\n")
		go func() { io.Copy(up, r); up.Close() }()
		io.Copy(c, up)
	})
	d := NewDialer(Target{Name: name, CAPEM: ca.PEM, Proxy: "http://bob:canary-password@" + at}, time.Now)
	conn, form, err := d.Link(t.Context(), device, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got := <-e.keys; got != key || form != FormWebSocket {
		t.Errorf("key %s in form %s", got, form)
	}
	refused := Target{Name: "other.site.com", Proxy: "http://bob:canary-password@" + at}
	_, err = TCP(t.Context(), refused, 5*time.Second)
	if p := Problem(err); p.Code != api.CodeProxy || !strings.Contains(p.Detail, at) || strings.Contains(err.Error()+p.Detail+p.Hint, "canary") {
		t.Errorf("%v: %+v", err, p)
	}
}

// A family that swallows everything costs 300 ms, not the connection.
func TestBlackHoleOfOneFamily(t *testing.T) {
	t.Parallel()
	hole, port := blackHole6(t)
	if !hole {
		t.Skip("no IPv6 on loopback, or no way to fill a backlog here")
	}
	l, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		t.Skip("the port is taken in the other family")
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	conn, err := tcp(ctx, Target{Name: "edge.site.com", Port: portNumber(port)}, net.Dialer{Resolver: bothFamilies(), Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if at := conn.RemoteAddr().(*net.TCPAddr); at.IP.To4() == nil {
		t.Errorf("reached %v", at)
	}
}
