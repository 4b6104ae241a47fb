//go:build linux

package e2e

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/test/harness"
)

// TestBrokenHop: what is broken between the person and the edge is named, in the
// command's words, in status and in the exit code; the daemon goes on.
func TestBrokenHop(t *testing.T) {
	t.Parallel()
	s := begin(t, harness.EdgeOptions{})
	cases := []struct {
		name  string
		edge  []string
		code  api.Code
		words string
	}{
		{"name does not resolve", []string{"no-such-edge.invalid:443"}, api.CodeEdgeUnresolved, "resolve"},
		{"refused", []string{"edge.site.com:8443", "--address", "127.0.0.1:1"}, api.CodeEdgeRefused, "refuse"},
		{"not trusted", []string{s.edge.Name()}, api.CodeEdgeUntrusted, "trust"},
		{"another name", []string{"edge.site.com:8443", "--ca", s.edge.CA, "--address", fmt.Sprintf("127.0.0.1:%d", s.edge.Port)}, api.CodeEdgeUntrusted, ""},
		{"no answer", []string{"edge.site.com:443", "--address", blackHole(t)}, api.CodeEdgeTimeout, "443"},
		{"something else answers", []string{"edge.site.com:443", "--address", serve(t, func(c *net.TCPConn) { io.WriteString(c, "220 mail ready\r\n") })}, api.CodeEdgeProtocol, ""},
		{"certificate of the past", append([]string{"edge.site.com:443"}, oldEdge(t, s.world.Dir, time.Time{})...), api.CodeEdgeUntrusted, "holds from"},
		{"clock is wrong", append([]string{"edge.site.com:443"}, oldEdge(t, s.world.Dir, time.Now().AddDate(-1, -6, 0))...), api.CodeClockWrong, "clock"},
	}
	for i, c := range cases {
		d, err := s.world.StartDaemon(s.ctx, fmt.Sprintf("d%d", i), harness.DaemonOptions{})
		s.must(err)
		s.ok(d.Ctl(s.ctx, append([]string{"edge", "use"}, c.edge...)...))
		r := d.Ctl(s.ctx, "login", "--no-browser")
		if r.Code != exitFailed || !strings.Contains(strings.ToLower(r.Stderr), c.words) || !strings.Contains(r.Stderr, "hint:") {
			t.Errorf("%s: exit code %d, %q", c.name, r.Code, r.Stderr)
		}
		err = d.Await(s.ctx, c.name+" in status", func(st api.Status) bool {
			return len(st.Edges) == 1 && st.Edges[0].Link.Problem != nil && st.Edges[0].Link.Problem.Code == c.code
		})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		s.must(d.Process().Stop())
	}
}

// blackHole is a port that takes connections and never says anything.
func blackHole(t *testing.T) string {
	return serve(t, func(c *net.TCPConn) { io.Copy(io.Discard, c) })
}

// oldEdge answers with a certificate that is a year past, and gives the flags
// that reach and trust it. Where it tells its own time, which the certificate
// holds at, it is this machine's clock that is wrong.
func oldEdge(t *testing.T, dir string, tells time.Time) []string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"edge.site.com"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().AddDate(-2, 0, 0), NotAfter: time.Now().AddDate(-1, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, fmt.Sprintf("old-ca-%d.pem", tells.Unix()))
	if err := os.WriteFile(file, certPEM(der), 0o644); err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, NextProtos: []string{"sallyport/1", "http/1.1"}}
	addr := serve(t, func(c *net.TCPConn) {
		tc := tls.Server(c, config)
		if tc.Handshake() != nil {
			return
		}
		if tc.ConnectionState().NegotiatedProtocol == "http/1.1" && !tells.IsZero() {
			if _, err := http.ReadRequest(bufio.NewReader(tc)); err == nil {
				fmt.Fprintf(tc, "HTTP/1.1 200 OK\r\nDate: %s\r\nContent-Length: 0\r\n\r\n", tells.UTC().Format(http.TimeFormat))
			}
			return
		}
		io.Copy(io.Discard, tc)
	})
	return []string{"--ca", file, "--address", addr}
}

// TestOriginErrors: what is broken between the host and the service is named at
// the client.
func TestOriginErrors(t *testing.T) {
	t.Parallel()
	s := begin(t, harness.EdgeOptions{})
	s.startHost()
	s.must(s.host.Join(s.ctx, s.edge, "*.site.com"))
	s.startClient()
	s.signIn(alice, harness.Loopback)
	for _, c := range []struct {
		name, hostname, origin string
		words                  []string
	}{
		{"origin refuses", "refused.site.com", "tcp://127.0.0.1:1", []string{"refuse"}},
		{"origin does not answer", "silent.site.com", "tcp://" + fullBacklog(t), []string{"not answer"}},
		{"no connector", "nobody.site.com", "", []string{"no host"}},
	} {
		s.allow(c.hostname, "everyone")
		if c.origin != "" {
			s.must(s.host.AddTunnel(s.ctx, c.hostname, c.origin))
			s.must(s.host.Await(s.ctx, "the tunnel to be known", func(st api.Status) bool {
				for _, x := range st.Tunnels {
					if x.Hostname == c.hostname {
						return x.State == api.TunnelPublished || x.State == api.TunnelOriginDown
					}
				}
				return false
			}))
		}
		r := s.client.Ctl(s.ctx, "access", "tcp", "--hostname", c.hostname)
		s.refused(r, exitFailed, c.words...)
		addr := s.forward(c.hostname)
		if err := echoOnce(s.ctx, addr); err == nil {
			t.Errorf("%s: the forward answered", c.name)
		}
		s.must(s.client.Await(s.ctx, c.name+" in status", func(st api.Status) bool {
			return forwardOf(st, addr).LastError != nil
		}))
	}
}

// fullBacklog is an address on which a connection is never accepted and whose
// queue is full, so that a dial gets no answer.
func fullBacklog(t *testing.T) string {
	t.Helper()
	addr, stop, err := listenFull()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return addr
}

// TestLocalErrors: faults of this machine.
func TestLocalErrors(t *testing.T) {
	t.Parallel()
	s := standard(t)

	// A port that somebody else has: who has it.
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	s.must(err)
	defer taken.Close()
	addr := fmt.Sprintf("localhost:%d", taken.Addr().(*net.TCPAddr).Port)
	r := s.client.Ctl(s.ctx, "access", "tcp", "--hostname", app, "--url", addr)
	s.refused(r, exitConflict, "taken", "e2e.test")

	// A daemon that does not run.
	nobody := *s.client
	nobody.Socket = filepath.Join(s.world.Dir, "none.sock")
	s.refused(nobody.Ctl(s.ctx, "status"), exitDaemon, "sallyportd")

	// A second daemon on the same directory.
	second := s.world.RunDaemon(s.ctx, filepath.Join(s.client.Dir, "state"), filepath.Join(s.world.Dir, "second.sock"))
	if second.Code == 0 || second.Code == -1 || !strings.Contains(second.Stderr, "another") {
		t.Errorf("a second daemon: exit code %d, %q", second.Code, second.Stderr)
	}

	// A command that makes no sense.
	s.refused(s.client.Ctl(s.ctx, "forward", "add"), exitUsage)
	s.refused(s.client.Ctl(s.ctx, "forward", "add", "not a hostname", "localhost:0"), exitUsage)
	s.refused(s.client.Ctl(s.ctx, "forward", "rm", "nothing.site.com"), exitConflict)
	s.refused(s.client.Ctl(s.ctx, "tunnel", "list", "--nonsense"), exitUsage)

	// And the daemon still serves.
	s.ok(s.client.Ctl(s.ctx, "status"))
}

// TestLoginEnds: a login that is refused, and one that nobody acts on.
func TestLoginEnds(t *testing.T) {
	t.Parallel()
	s := standard(t)
	r := s.client.Walk(s.ctx, harness.Login{Mode: harness.Loopback, Browser: s.edge.Refuse(s.people[alice])})
	if r.Code != exitLogin || !strings.Contains(r.Stdout, "refused") {
		t.Errorf("a refused login: exit code %d, %q, %s", r.Code, r.Stdout, r.Stderr)
	}
	s.ok(s.client.Ctl(s.ctx, "status"))
	ctx, cancel := context.WithTimeout(s.ctx, 2*time.Second)
	defer cancel()
	// Ctrl-C while the browser is open gives the attempt up.
	s.client.Ctl(ctx, "login")
	s.must(s.client.Await(s.ctx, "no attempt to be left", func(st api.Status) bool {
		for _, l := range st.Logins {
			if !l.State.Final() {
				return false
			}
		}
		return true
	}))
	s.signIn(alice, harness.Loopback)
}

// TestBadConfig: a fault in edge.yaml is named with file, line and key; nothing
// starts, and a reload keeps what runs.
func TestBadConfig(t *testing.T) {
	t.Parallel()
	s := standard(t)
	good, err := os.ReadFile(s.edge.Config())
	s.must(err)
	bad := string(good) + "\nsession:\n  livetime: 1h\n"
	lines := strings.Count(bad, "\n")
	s.must(os.WriteFile(s.edge.Config(), []byte(bad), 0o600))
	s.must(s.edge.Reload())
	s.signIn(alice, harness.Loopback)
	s.must(echoOnce(s.ctx, s.forward(app)))
	s.must(s.edge.Process().Stop())
	r := s.edge.Serve(s.ctx)
	if r.Code != exitUsage && r.Code != exitFailed {
		t.Errorf("serve with a bad file: exit code %d", r.Code)
	}
	for _, w := range []string{"edge.yaml", fmt.Sprint(lines), "livetime"} {
		if !strings.Contains(r.Stderr, w) {
			t.Errorf("%q is not in %q", w, r.Stderr)
		}
	}
}
