package certs

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/edge/internal/config"
)

const (
	checkEvery  = time.Hour           // how often Run looks
	renewBefore = 30 * 24 * time.Hour // of the end of a certificate of the private CA
	warnBefore  = 14 * 24 * time.Hour // of the end of a certificate from files
)

// Certs holds the edge's certificate.
type Certs struct {
	log     *slog.Logger
	current atomic.Pointer[held]

	mu  sync.Mutex // held while loading; guards cfg
	cfg *config.Config
}

// held is one certificate in use and where it came from.
type held struct {
	cert  *tls.Certificate
	ca    []byte // PEM of the private CA, nil for files
	stamp string // of the files when they were read
}

// Open loads the certificate files, or issues a certificate of the private CA.
func Open(c *config.Config, log *slog.Logger) (*Certs, error) {
	certs := &Certs{log: log}
	if err := certs.Use(c); err != nil {
		return nil, err
	}
	return certs, nil
}

// Use loads as the config says from now on; on an error everything stays as it was.
func (c *Certs) Use(cfg *config.Config) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	h, err := load(cfg)
	if err != nil {
		return err
	}
	c.cfg = cfg
	c.current.Store(h)
	c.log.Info("certificate loaded", "names", h.cert.Leaf.DNSNames, "issuer", h.cert.Leaf.Issuer.String(), "ends", h.cert.Leaf.NotAfter)
	return nil
}

// Reload reads the files anew, or issues anew; on an error the old certificate is kept.
func (c *Certs) Reload() error {
	c.mu.Lock()
	cfg := c.cfg
	c.mu.Unlock()
	return c.Use(cfg)
}

func load(cfg *config.Config) (*held, error) {
	now := time.Now()
	if cfg.TLS.Cert == "" {
		cert, ca, err := issue(cfg, now)
		if err != nil {
			return nil, err
		}
		return &held{cert: cert, ca: ca}, nil
	}
	stamp := stampOf(cfg.TLS) // before reading, so that a later change is seen
	cert, err := LoadFiles(cfg.TLS.Cert, cfg.TLS.Key, cfg.Name, now)
	if err != nil {
		return nil, err
	}
	return &held{cert: cert, stamp: stamp}, nil
}

// Get is a tls.Config's GetCertificate.
func (c *Certs) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return c.current.Load().cert, nil
}

// CAPEM is the private CA's certificate; nil when certificate files are given.
func (c *Certs) CAPEM() []byte { return c.current.Load().ca }

// NotAfter is when the certificate in use ends.
func (c *Certs) NotAfter() time.Time { return c.current.Load().cert.Leaf.NotAfter }

// Run renews a certificate of the private CA before its end, takes over
// certificate files that have changed, and says when they are about to end,
// until ctx ends.
func (c *Certs) Run(ctx context.Context) error {
	ticker := time.NewTicker(checkEvery)
	defer ticker.Stop()
	warned := time.Time{}
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-ticker.C:
			c.renew()
			left := c.NotAfter().Sub(now)
			if left < warnBefore && now.Sub(warned) >= 24*time.Hour {
				warned = now
				c.log.Error("certificate is about to end; renew it", "ends", c.NotAfter(), "left", left.Round(time.Hour))
			}
		}
	}
}

// renew replaces the certificate where it is time, or its files are others.
func (c *Certs) renew() {
	c.mu.Lock()
	cfg := c.cfg
	c.mu.Unlock()
	h := c.current.Load()
	if h.ca != nil && time.Until(h.cert.Leaf.NotAfter) > renewBefore || h.ca == nil && stampOf(cfg.TLS) == h.stamp {
		return
	}
	if err := c.Reload(); err != nil {
		c.log.Error("certificate could not be renewed; the old one stays", "error", err)
	}
}

// stampOf changes when one of the files is written or replaced.
func stampOf(t config.TLS) string {
	var s string
	for _, path := range []string{t.Cert, t.Key} {
		if info, err := os.Stat(path); err == nil {
			s += fmt.Sprintf("%d %d,", info.ModTime().UnixNano(), info.Size())
		}
	}
	return s
}
