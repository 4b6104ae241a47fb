//go:build linux

package e2e

import (
	"bufio"
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

	"github.com/sallyport/sallyport/test/harness"
)

// blackHole is a port that takes connections and never says anything.
func blackHole(t *testing.T) string {
	return serve(t, func(c *net.TCPConn) { io.Copy(io.Discard, c) })
}

// oldEdge answers with a certificate that is a year past, and gives its address
// and the file that it is trusted by. Where it tells its own time, which the certificate
// holds at, it is this machine's clock that is wrong.
func oldEdge(t *testing.T, dir string, tells time.Time) (addr, ca string) {
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
	addr = serve(t, func(c *net.TCPConn) {
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
	return addr, file
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

// TestUsage: a command that makes no sense, or that names nothing there is.
func TestUsage(t *testing.T) {
	t.Parallel()
	s := empty(t)
	var err error
	s.client, err = s.world.StartDaemon(s.ctx, "client", harness.DaemonOptions{})
	s.must(err)
	s.refused(s.client.Ctl(s.ctx, "forward", "add"), exitUsage)
	s.refused(s.client.Ctl(s.ctx, "forward", "add", "not a hostname", "localhost:0"), exitUsage)
	s.refused(s.client.Ctl(s.ctx, "forward", "rm", "nothing.site.com"), exitConflict)
	s.refused(s.client.Ctl(s.ctx, "tunnel", "list", "--nonsense"), exitUsage)
	s.ok(s.client.Ctl(s.ctx, "status"))
}

// TestLoginAgain: one login takes the place of another, whose program is told so;
// and after one that was refused, or given up, the next one works.
func TestLoginAgain(t *testing.T) {
	t.Parallel()
	s := begin(t, harness.EdgeOptions{})
	s.startClient()
	first := s.begun()
	s.refused(s.client.Ctl(s.ctx, "login", "--no-browser"), exitLogin, "no approval code")
	if r := s.left(first); r.Code != exitLogin || !strings.Contains(r.Stdout, "another login took the place") {
		t.Errorf("a login that was replaced: exit code %d, %q", r.Code, r.Stdout)
	}
	r := s.client.Walk(s.ctx, harness.Login{Mode: harness.Loopback, Browser: s.edge.Refuse(s.people[alice])})
	if r.Code != exitLogin {
		t.Errorf("a refused login: exit code %d, %q, %s", r.Code, r.Stdout, r.Stderr)
	}
	s.signIn(alice, harness.Loopback)
	if status := s.ok(s.client.Ctl(s.ctx, "status")).Stdout; strings.Contains(status, "refused") {
		t.Errorf("status still tells of the refusal: %s", status)
	}
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
	s.refused(s.edge.Serve(s.ctx, s.edge.Config()), exitUsage, fmt.Sprintf("edge.yaml:%d: session.livetime:", lines))
}
