package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/edge/internal/config"
)

var discard = slog.New(slog.DiscardHandler)

// settings is a config with a private CA for edge.site.com and site.com, org.net.
func settings(t *testing.T) *config.Config {
	t.Helper()
	c := &config.Config{Name: edgeName, Listen: ":8443", State: t.TempDir()}
	if err := MakeCA(c.CADir(), c.Name, []string{"site.com", "org.net"}, false); err != nil {
		t.Fatal(err)
	}
	return c
}

func roots(t *testing.T, c *Certs) *x509.CertPool {
	t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(c.CAPEM()) {
		t.Fatal("no CA")
	}
	return pool
}

func TestPrivateCA(t *testing.T) {
	t.Parallel()
	cfg := settings(t)
	c, err := Open(cfg, discard)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := c.Get(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{edgeName, "t1." + edgeName} {
		if _, err := cert.Leaf.Verify(x509.VerifyOptions{Roots: roots(t, c), DNSName: name}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(cert.Leaf.IPAddresses) != 0 || slices.Contains(cert.Leaf.DNSNames, "localhost") {
		t.Errorf("a public edge's certificate names %v %v", cert.Leaf.DNSNames, cert.Leaf.IPAddresses)
	}
	if left := time.Until(cert.Leaf.NotAfter); left < 89*24*time.Hour || left > 90*24*time.Hour {
		t.Errorf("lasts %v", left)
	}
	if info, err := os.Stat(filepath.Join(cfg.CADir(), caKeyFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key of the CA: %v %v", info.Mode(), err)
	}
	if err := MakeCA(cfg.CADir(), cfg.Name, nil, false); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second CA over the first: %v", err)
	}
	if err := MakeCA(cfg.CADir(), cfg.Name, nil, true); err != nil {
		t.Error(err)
	}
	cfg.Listen = "127.0.0.1:8443"
	if c, err = Open(cfg, discard); err != nil {
		t.Fatal(err)
	}
	cert, _ = c.Get(nil)
	for _, name := range []string{"localhost", "127.0.0.1", "::1"} {
		if err := cert.Leaf.VerifyHostname(name); err != nil {
			t.Error(err)
		}
	}
}

// TestConstraints: with the key of the CA one cannot pass for somebody else.
func TestConstraints(t *testing.T) {
	t.Parallel()
	cfg := settings(t)
	c, err := Open(cfg, discard)
	if err != nil {
		t.Fatal(err)
	}
	ca, key, err := readCA(cfg.CADir(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{edgeName: true, "tcp.site.com": true, "a.org.net": true, "localhost": true,
		"example.com": false, "evilsite.com": false, "com": false, "192.0.2.1": false, "127.0.0.1": true} {
		leaf := sign(t, &pair{ca, key}, newKey(t), func(c *x509.Certificate) {
			if ip := net.ParseIP(name); ip != nil {
				c.DNSNames, c.IPAddresses = nil, []net.IP{ip}
				return
			}
			c.DNSNames = []string{name}
		})
		if _, err := leaf.cert.Verify(x509.VerifyOptions{Roots: roots(t, c)}); (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHandshake(t *testing.T) {
	t.Parallel()
	c, err := Open(settings(t), discard)
	if err != nil {
		t.Fatal(err)
	}
	client, server := net.Pipe()
	defer client.Close()
	defer server.Close()
	done := make(chan error, 1)
	go func() { done <- tls.Server(server, &tls.Config{GetCertificate: c.Get}).Handshake() }() // ends with the pipe
	if err := tls.Client(client, &tls.Config{ServerName: edgeName, RootCAs: roots(t, c)}).Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestBrokenCA(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		change func(t *testing.T, c *config.Config)
		want   string
	}{
		{"none", func(t *testing.T, c *config.Config) { os.RemoveAll(c.CADir()) }, "run sallyport-edge init"},
		{"no key", func(t *testing.T, c *config.Config) { os.Remove(filepath.Join(c.CADir(), caKeyFile)) }, "ca.key: it does not exist"},
		{"other key", func(t *testing.T, c *config.Config) { write(t, c.CADir(), caKeyFile, keyPEM(t, newKey(t))) }, "does not belong"},
		{"damaged", func(t *testing.T, c *config.Config) { write(t, c.CADir(), CAFile, "x") }, "ca.pem: it is not PEM"},
		{"expired", func(t *testing.T, c *config.Config) {
			p := sign(t, nil, newKey(t), func(c *x509.Certificate) { authority(c); c.NotAfter = time.Now().Add(-time.Minute) })
			write(t, c.CADir(), CAFile, certPEM(p))
		}, "ended on"},
		{"no authority", func(t *testing.T, c *config.Config) {
			write(t, c.CADir(), CAFile, certPEM(sign(t, nil, newKey(t), nil)))
		}, "not the certificate of an authority"},
		{"other name", func(t *testing.T, c *config.Config) { c.Name = "edge.example.com" }, "cannot vouch for edge.example.com"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cfg := settings(t)
			c.change(t, cfg)
			if _, err := Open(cfg, discard); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %s", err, c.want)
			}
		})
	}
}

func TestReloadFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, second := sign(t, nil, newKey(t), nil), sign(t, nil, newKey(t), nil)
	cfg := &config.Config{Name: edgeName, TLS: config.TLS{
		Cert: write(t, dir, "cert.pem", certPEM(first)), Key: write(t, dir, "key.pem", keyPEM(t, first.key))}}
	c, err := Open(cfg, discard)
	if err != nil {
		t.Fatal(err)
	}
	if c.CAPEM() != nil {
		t.Error("certificate files come with a CA")
	}
	inUse := func() *x509.Certificate { cert, _ := c.Get(nil); return cert.Leaf }
	write(t, dir, "cert.pem", certPEM(second))
	if err := c.Reload(); err == nil || !inUse().Equal(first.cert) {
		t.Fatalf("half a change was taken over: %v", err)
	}
	write(t, dir, "key.pem", keyPEM(t, second.key))
	if err := c.Reload(); err != nil || !inUse().Equal(second.cert) {
		t.Fatalf("reload: %v", err)
	}
}

// TestRun: over a year a certificate of the private CA never comes near its end,
// and files are taken over when they change and not before.
func TestRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, err := Open(settings(t), discard)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		go c.Run(ctx) // ends with ctx
		seen := map[string]bool{}
		for range 365 {
			time.Sleep(24 * time.Hour)
			synctest.Wait()
			cert, _ := c.Get(nil)
			seen[cert.Leaf.SerialNumber.String()] = true
			if left := time.Until(cert.Leaf.NotAfter); left < renewBefore-2*checkEvery {
				t.Fatalf("%v left", left)
			}
		}
		if len(seen) < 5 || len(seen) > 8 {
			t.Errorf("%d certificates in a year", len(seen))
		}
		cancel()
		synctest.Wait()
	})
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		p := sign(t, nil, newKey(t), func(c *x509.Certificate) { c.NotAfter = time.Now().Add(100 * time.Hour) })
		q := sign(t, nil, newKey(t), nil)
		cfg := &config.Config{Name: edgeName, TLS: config.TLS{
			Cert: write(t, dir, "cert.pem", certPEM(p)), Key: write(t, dir, "key.pem", keyPEM(t, p.key))}}
		c, err := Open(cfg, discard)
		if err != nil {
			t.Fatal(err)
		}
		before, _ := c.Get(nil)
		c.renew()
		if after, _ := c.Get(nil); after != before {
			t.Error("files that did not change were loaded again")
		}
		write(t, dir, "cert.pem", certPEM(q)+"\n")
		c.renew() // the key is not there yet
		if after, _ := c.Get(nil); after != before {
			t.Error("half a change was taken over")
		}
		write(t, dir, "key.pem", keyPEM(t, q.key)+"\n")
		c.renew()
		if after, _ := c.Get(nil); !after.Leaf.Equal(q.cert) {
			t.Error("changed files were not taken over")
		}
	})
}
