//go:build linux

package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/test/harness"
)

// TestPublicEdgePrivateCA is the README's walk with an edge that has a name, and
// the private CA that init makes: its pages are https.
func TestPublicEdgePrivateCA(t *testing.T) {
	t.Parallel()
	s := empty(t)
	var err error
	s.edge, err = s.world.StartEdge(s.ctx, harness.EdgeOptions{Host: "edge.site.com"})
	s.must(err)
	s.walk()
}

// walk goes from a fresh edge to a byte from the service, on one daemon.
func (s *story) walk() {
	s.Helper()
	me, err := s.edge.SetUp(s.ctx, "me@site.com")
	s.must(err)
	if _, err := s.edge.SetUp(s.ctx, "late@site.com"); err == nil {
		s.Error("the set-up link worked twice")
	}
	s.ok(s.edge.Run(s.ctx, "app", "add", app, "--allow", "domain:site.com"))

	d, err := s.world.StartDaemon(s.ctx, "both", harness.DaemonOptions{})
	s.must(err)
	s.must(d.UseEdge(s.ctx, s.edge, true))
	s.must(d.Enrol(s.ctx, s.edge, me))
	tunnel, err := d.Foreground("tunnel", "tunnel", "--hostname", app, "--url", "tcp://"+serve(s.T, echo))
	s.must(err)
	s.must(d.AwaitTunnel(s.ctx, app, api.TunnelPublished))

	addr := s.freeAddr()
	access, err := d.Foreground("access", "access", "tcp", "--hostname", app, "--url", addr)
	s.must(err)
	s.must(d.Await(s.ctx, "the forward to listen", func(st api.Status) bool { return forwardOf(st, addr) != nil }))
	done := make(chan error, 1)
	go func() { done <- echoOnce(s.ctx, addr) }()
	s.must(d.SignIn(s.ctx, s.edge, me, harness.Loopback))
	s.must(<-done)
	s.must(access.Stop())
	s.must(tunnel.Stop())
}

// certificates makes a CA and a certificate for a name, as files.
func certificates(t *testing.T, dir, name string) (ca, cert, key string) {
	t.Helper()
	fail := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	fail(err)
	authority := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	caDER, err := x509.CreateCertificate(rand.Reader, authority, authority, caKey.Public(), caKey)
	fail(err)
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	fail(err)
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: []string{name}, NotBefore: authority.NotBefore, NotAfter: authority.NotAfter,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, authority, own.Public(), caKey)
	fail(err)
	ownDER, err := x509.MarshalPKCS8PrivateKey(own)
	fail(err)
	ca, cert, key = filepath.Join(dir, "ca.pem"), filepath.Join(dir, "edge.crt"), filepath.Join(dir, "edge.key")
	fail(os.WriteFile(ca, certPEM(caDER), 0o644))
	fail(os.WriteFile(cert, certPEM(leafDER), 0o644))
	fail(os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: ownDER}), 0o600))
	return ca, cert, key
}

// TestEdgeThatCannotStart wants the harness to say so at once: a story whose edge
// never serves waits for nothing.
func TestEdgeThatCannotStart(t *testing.T) {
	t.Parallel()
	s := empty(t)
	_, err := s.world.StartEdge(s.ctx, harness.EdgeOptions{Change: func(yaml string) string { return yaml + "\nunheard: of\n" }})
	if err == nil || !strings.Contains(err.Error(), "the edge ended with code") || s.ctx.Err() != nil {
		t.Errorf("got %v, want the edge's end", err)
	}
}
