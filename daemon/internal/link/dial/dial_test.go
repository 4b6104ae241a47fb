package dial

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/daemon/internal/link/linktest"
	"github.com/sallyport/sallyport/wire"
)

const name = "edge.site.com"

// listen serves connections on loopback until the test ends.
func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go serve(conn)
		}
	}()
	return l.Addr().String()
}

// edgeTLS speaks TLS with a certificate: the link's protocol, or HTTP with a
// date for who asks for the time.
func edgeTLS(cert tls.Certificate, date time.Time, protocols ...string) func(net.Conn) {
	return func(raw net.Conn) {
		defer raw.Close()
		conn := tls.Server(raw, &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: protocols, ClientAuth: tls.RequestClientCert})
		if conn.Handshake() != nil {
			return
		}
		if conn.ConnectionState().NegotiatedProtocol == "http/1.1" && !date.IsZero() {
			io.CopyN(io.Discard, conn, 16)
			fmt.Fprintf(conn, "HTTP/1.1 404 Not Found\r\nDate: %s\r\nContent-Length: 0\r\n\r\n", date.UTC().Format(http.TimeFormat))
		}
		io.Copy(io.Discard, conn)
	}
}

func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestProblems(t *testing.T) {
	t.Parallel()
	ca, device := linktest.NewCA(t), func() tls.Certificate { c, _ := linktest.Device(t); return c }()
	now := time.Now()
	day := 24 * time.Hour
	good := ca.Issue(t, name, now.Add(-day), now.Add(day))
	alpn := []string{wire.ALPNLink, "http/1.1"}
	tests := []struct {
		name    string
		target  func(t *testing.T) Target
		clock   time.Duration // of this machine, from the right one
		code    api.Code
		detail  string
		hint    string
		timeout time.Duration
	}{
		{name: "name does not resolve", target: func(*testing.T) Target { return Target{Name: "no such name"} },
			code: api.CodeEdgeUnresolved, detail: "not known to DNS", hint: "edge show"},
		{name: "closed port", target: func(t *testing.T) Target { return Target{Name: name, Address: closedPort(t), CAPEM: ca.PEM} },
			code: api.CodeEdgeRefused, detail: "refused", hint: "running"},
		{name: "black hole", target: func(t *testing.T) Target {
			return Target{Name: name, Address: listen(t, func(c net.Conn) { io.Copy(io.Discard, c) }), CAPEM: ca.PEM}
		}, code: api.CodeEdgeTimeout, detail: "TLS handshake", hint: "port 443 blocked", timeout: 100 * time.Millisecond},
		{name: "closed in the handshake", target: func(t *testing.T) Target {
			return Target{Name: name, Address: listen(t, func(c net.Conn) { io.CopyN(io.Discard, c, 5); c.Close() }), CAPEM: ca.PEM}
		}, code: api.CodeEdgeUnreached, detail: "closed the connection during the TLS handshake", hint: "firewall"},
		{name: "unknown authority", target: func(t *testing.T) Target {
			return Target{Name: name, Address: listen(t, edgeTLS(linktest.NewCA(t).Issue(t, name, now.Add(-day), now.Add(day)), time.Time{}, alpn...)), CAPEM: ca.PEM}
		}, code: api.CodeEdgeUntrusted, detail: "does not know", hint: "sallyport edge use edge.site.com --ca FILE"},
		{name: "another name", target: func(t *testing.T) Target {
			return Target{Name: name, Address: listen(t, edgeTLS(ca.Issue(t, "other.site.com", now.Add(-day), now.Add(day)), time.Time{}, alpn...)), CAPEM: ca.PEM}
		}, code: api.CodeEdgeUntrusted, detail: "other.site.com", hint: "name"},
		{name: "expired", target: func(t *testing.T) Target {
			return Target{Name: name, Address: listen(t, edgeTLS(ca.Issue(t, name, now.Add(-9*day), now.Add(-day)), now, alpn...)), CAPEM: ca.PEM}
		}, code: api.CodeEdgeUntrusted, detail: "holds from", hint: "fresh certificate"},
		{name: "not yet valid", target: func(t *testing.T) Target {
			return Target{Name: name, Address: listen(t, edgeTLS(ca.Issue(t, name, now.Add(day), now.Add(9*day)), now, alpn...)), CAPEM: ca.PEM}
		}, code: api.CodeEdgeUntrusted, detail: "holds from", hint: "fresh certificate"},
		{name: "clock ahead", target: func(t *testing.T) Target {
			return Target{Name: name, Address: listen(t, edgeTLS(good, now, alpn...)), CAPEM: ca.PEM}
		}, clock: 10*day + time.Hour, code: api.CodeClockWrong, detail: "10 days ahead", hint: "clock"},
		{name: "clock behind", target: func(t *testing.T) Target {
			return Target{Name: name, Address: listen(t, edgeTLS(good, now, alpn...)), CAPEM: ca.PEM}
		}, clock: -30 * time.Hour, code: api.CodeClockWrong, detail: "hours behind", hint: "clock"},
		{name: "wrong dates and a time that does not explain them", target: func(t *testing.T) Target {
			return Target{Name: name, Address: listen(t, edgeTLS(good, now.Add(5*day), alpn...)), CAPEM: ca.PEM}
		}, clock: 10 * day, code: api.CodeEdgeUntrusted, detail: "holds from", hint: "clock"},
		{name: "plain HTTP", target: func(t *testing.T) Target {
			s := httptest.NewServer(http.NotFoundHandler())
			t.Cleanup(s.Close)
			return Target{Name: name, Address: s.Listener.Addr().String(), CAPEM: ca.PEM}
		}, code: api.CodeEdgeProtocol, detail: "plain HTTP", hint: "proxy"},
		{name: "another protocol", target: func(t *testing.T) Target {
			return Target{Name: name, Address: listen(t, func(c net.Conn) { io.WriteString(c, "SSH-2.0-x\r\n"); io.Copy(io.Discard, c) }), CAPEM: ca.PEM}
		}, code: api.CodeEdgeProtocol, detail: "not TLS", hint: "port"},
		{name: "a web server", target: func(t *testing.T) Target {
			return Target{Name: name, Address: listen(t, edgeTLS(good, time.Time{}, "h2", "http/1.1")), CAPEM: ca.PEM}
		}, code: api.CodeEdgeProtocol, detail: "refused the handshake", hint: "portal"},
		{name: "a server without ALPN", target: func(t *testing.T) Target {
			return Target{Name: name, Address: listen(t, edgeTLS(good, time.Time{})), CAPEM: ca.PEM}
		}, code: api.CodeEdgeProtocol, detail: "not the protocol", hint: "portal"},
		{name: "CA file without certificate", target: func(*testing.T) Target { return Target{Name: name, CAPEM: "nothing"} },
			code: api.CodeEdgeUntrusted, detail: "CA file", hint: "edge use"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.timeout == 0 {
				tt.timeout = 10 * time.Second
			}
			conn, err := Link(t.Context(), tt.target(t), device, tt.timeout, func() time.Time { return time.Now().Add(tt.clock) })
			if err == nil {
				conn.Close()
				t.Fatal("reached")
			}
			p := Problem(err)
			if p.Code != tt.code || !strings.Contains(p.Detail, tt.detail) || !strings.Contains(p.Hint, tt.hint) {
				t.Errorf("%v\n gives %s | %s | %s | %s", err, p.Code, p.Title, p.Detail, p.Hint)
			}
		})
	}
}

// An untrusted edge, a wrong clock and an unreachable one are not asked with
// the device key: the question for the time shows none.
func TestTimeIsAskedWithoutKey(t *testing.T) {
	t.Parallel()
	ca := linktest.NewCA(t)
	cert := ca.Issue(t, name, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	shown := make(chan int, 2)
	addr := listen(t, func(raw net.Conn) {
		defer raw.Close()
		conn := tls.Server(raw, &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"}, ClientAuth: tls.RequestClientCert})
		if conn.Handshake() == nil {
			shown <- len(conn.ConnectionState().PeerCertificates)
		}
	})
	late := func() time.Time { return time.Now().Add(48 * time.Hour) }
	target := Target{Name: name, Address: addr, CAPEM: ca.PEM}
	if skew := clockSkew(t.Context(), target, nil, late); skew != 0 {
		t.Errorf("skew %v of an edge that gave no time", skew)
	}
	if n := <-shown; n != 0 {
		t.Errorf("%d certificates shown", n)
	}
}

func TestLinkReaches(t *testing.T) {
	t.Parallel()
	ca := linktest.NewCA(t)
	device, key := linktest.Device(t)
	cert := ca.Issue(t, name, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	keys := make(chan wire.KeyID, 1)
	addr := listen(t, func(raw net.Conn) {
		conn := tls.Server(raw, wire.LinkServerConfig(func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &cert, nil }))
		if err := conn.Handshake(); err != nil {
			t.Error(err)
		}
		id, _ := wire.PeerKeyID(conn.ConnectionState())
		keys <- id
	})
	port := netip.MustParseAddrPort(addr).Port()
	for _, target := range []Target{
		{Name: name, Address: addr, CAPEM: ca.PEM},
		{Name: name, Port: port, Address: addr, CAPEM: ca.PEM},
	} {
		conn, err := Link(t.Context(), target, device, 5*time.Second, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		if got := <-keys; got != key {
			t.Errorf("key %s, want %s", got, key)
		}
		conn.Close()
	}
}

func TestOtherProblems(t *testing.T) {
	t.Parallel()
	tests := []struct {
		err  error
		code api.Code
	}{
		{&api.Problem{Code: api.CodeLimit, Title: "x"}, api.CodeLimit},
		{fmt.Errorf("x: %w", &wire.Reason{Code: wire.CodeDenied}), api.CodeDenied},
		{&wire.Failure{Reason: wire.Reason{Code: wire.CodeDraining}}, api.CodeDraining},
		{wire.ErrLinkDead, api.CodeEdgeTimeout},
		{fmt.Errorf("link ended: %w", io.ErrUnexpectedEOF), api.CodeEdgeUnreached},
		{&net.OpError{Op: "read", Err: syscall.ECONNRESET}, api.CodeEdgeUnreached},
		{context.DeadlineExceeded, api.CodeEdgeTimeout},
		{errors.New("odd"), api.CodeInternal},
		{&Error{Stage: StageConnect, Target: Target{Name: name}, Err: &net.DNSError{Err: "timeout", IsTimeout: true}}, api.CodeEdgeUnresolved},
		{&Error{Stage: StageConnect, Target: Target{Name: name}, Err: syscall.ENETUNREACH}, api.CodeEdgeUnreached},
		{&Error{Stage: StageConnect, Target: Target{Name: name}, Err: syscall.EHOSTUNREACH}, api.CodeEdgeUnreached},
		{&Error{Stage: StageConnect, Target: Target{Name: name}, Err: context.DeadlineExceeded}, api.CodeEdgeTimeout},
		{&Error{Stage: StageHello, Target: Target{Name: name}, Err: context.DeadlineExceeded}, api.CodeEdgeTimeout},
		{&Error{Stage: StageHello, Target: Target{Name: name}, Err: io.ErrUnexpectedEOF}, api.CodeEdgeUnreached},
		{&Error{Stage: StageHello, Target: Target{Name: name}, Err: errors.New("nonsense")}, api.CodeEdgeProtocol},
		{&Error{Stage: StageHello, Target: Target{Name: name}, Err: &wire.Failure{Reason: wire.Reason{Code: wire.CodeLimit}}}, api.CodeLimit},
	}
	for _, tt := range tests {
		if p := Problem(tt.err); p.Code != tt.code || p.Title == "" {
			t.Errorf("%v gives %+v, want %s", tt.err, p, tt.code)
		}
	}
	if Problem(nil) != nil {
		t.Error("a problem of nil")
	}
}

// Every reason that an edge or a host can give has words of its own.
func TestEveryReasonHasWords(t *testing.T) {
	t.Parallel()
	for _, c := range []wire.Code{
		wire.CodeDenied, wire.CodeLoginNeeded, wire.CodeSessionEnded, wire.CodeRevoked, wire.CodeExpired, wire.CodeLoggedOut,
		wire.CodeNoConnector, wire.CodeConnectorLost, wire.CodeOriginRefused, wire.CodeOriginTimeout, wire.CodeOriginError,
		wire.CodeNoSuchTunnel, wire.CodeLimit, wire.CodeDraining, wire.CodeTicketFailed, wire.CodeGrantTimeout, wire.CodeReset,
		wire.CodeCarrierLost, wire.CodeProtocol, wire.CodeRefused, wire.CodeAbandoned, wire.CodeInvalid, wire.CodeNotEnrolled,
		wire.CodeHostnameTaken, wire.CodeOutOfScope, wire.CodeBadToken, wire.CodeHostKey, wire.CodeAppRemoved, wire.CodeHostRestarted,
		wire.CodeKeyCopied, wire.CodeNoApp,
	} {
		if p := Reason(wire.Reason{Code: c}); p.Code == api.CodeInternal || p.Title == "" {
			t.Errorf("%s: %+v", c, p)
		}
	}
	p := Reason(wire.Reason{Code: wire.CodeDenied, Text: "not in group dba", Hint: "Ask dba@site.com"})
	if p.Detail != "not in group dba" || p.Hint != "Ask dba@site.com" {
		t.Errorf("the edge's words are lost: %+v", p)
	}
}
