//go:build linux

package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/needs"
	"github.com/sallyport/sallyport/test/chrome"
	"github.com/sallyport/sallyport/test/harness"
	"github.com/sallyport/sallyport/test/provider"
)

// page is what a story does in one tab of a real browser.
type page struct {
	*chrome.Browser
	edge *harness.Edge
}

// browser starts Chromium, or skips the story where there is none.
func (s *story) browser() *page {
	s.Helper()
	dir := filepath.Join(s.world.Dir, "chromium")
	s.must(os.MkdirAll(dir, 0o700))
	b, err := chrome.Start(s.ctx, dir)
	if errors.Is(err, chrome.ErrMissing) {
		needs.Missing(s, "chromium")
	}
	s.must(err)
	s.Cleanup(b.Close)
	return &page{b, s.edge}
}

// signer signs in at a provider's own pages.
type signer func(p *page) error

// embedded fills the form of the edge's own provider in.
func embedded(who harness.Person) signer {
	return func(p *page) error {
		return errors.Join(p.Fill("input[name=email]", who.Email), p.Fill("input[name=password]", who.Password), p.Enter("input[name=password]"))
	}
}

// independent fills the forms of oidc-provider in: login, then consent.
func independent(email string) signer {
	return func(p *page) error {
		return errors.Join(p.Fill("input[name=login]", email), p.Fill("input[name=password]", "any"), p.Enter("input[name=password]"),
			p.WaitText("Authorize"), p.Enter("button[type=submit]"))
	}
}

// approve is a harness.Browser: the person reads the first page, goes on, signs
// in, and says yes on the confirm page.
func (p *page) approve(sign signer, mode harness.LoginMode) harness.Browser {
	return func(ctx context.Context, url string) (string, error) {
		steps := []func() error{
			func() error { return p.Open(url) },
			func() error { return p.Enter("button[value=continue]") },
			func() error { return sign(p) },
			func() error { return p.WaitFor("button[value=approve]") },
			func() error { return p.Enter("button[value=approve]") },
		}
		for i, step := range steps {
			if err := step(); err != nil {
				at, _ := p.Location()
				text, _ := p.Text("body")
				return "", fmt.Errorf("step %d at %s: %w; the page says: %s", i, at, err, text)
			}
		}
		if mode == harness.TypedCode {
			if err := p.WaitFor("#code"); err != nil {
				return "", err
			}
			code, err := p.Text("#code")
			return strings.TrimSpace(code), err
		}
		return "", p.leaves(ctx)
	}
}

// leaves waits until the tab is at the program that asked.
func (p *page) leaves(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	return harness.Poll(ctx, "the tab to be at the program", func() (bool, error) {
		at, err := p.Location()
		return strings.HasPrefix(at, "http://127.0.0.1:"), errors.Join(err, errors.New(at))
	})
}

// TestChromium: a person signs in with a real browser, at the embedded provider
// and at an independent, certified one, in both modes, and reaches the app.
func TestChromium(t *testing.T) {
	t.Parallel()
	for _, mode := range []harness.LoginMode{harness.Loopback, harness.TypedCode} {
		t.Run("embedded/"+string(mode), func(t *testing.T) {
			s := standard(t)
			b := s.browser()
			s.must(s.client.Walk(s.ctx, harness.Login{Mode: mode, Browser: b.approve(embedded(s.people[alice]), mode)}).Err())
			s.must(echoOnce(s.ctx, s.forward(app)))
		})
		t.Run("independent/"+string(mode), func(t *testing.T) {
			s := withProvider(t)
			b := s.browser()
			s.must(s.client.Walk(s.ctx, harness.Login{Mode: mode, Browser: b.approve(independent(alice), mode)}).Err())
			s.must(echoOnce(s.ctx, s.forward(app)))
		})
	}
}

// withProvider is the standard stage, but people sign in at oidc-provider.
func withProvider(t *testing.T) *story {
	t.Helper()
	s := empty(t)
	port, err := harness.FreePort(0)
	s.must(err)
	edgePort, err := harness.FreePort(0)
	s.must(err)
	p, err := provider.Start(s.ctx, provider.Options{Port: port, Dir: s.world.Dir,
		RedirectURI: fmt.Sprintf("http://localhost:%d/callback", edgePort)})
	if errors.Is(err, provider.ErrMissing) {
		needs.Missing(t, "oidc-provider")
	}
	s.must(err)
	t.Cleanup(p.Stop)
	secret := filepath.Join(s.world.Dir, "client-secret")
	s.must(os.WriteFile(secret, []byte(p.ClientSecret), 0o600))
	s.edge, err = s.world.StartEdge(s.ctx, harness.EdgeOptions{WantPort: edgePort, Change: func(yaml string) string {
		return yaml + fmt.Sprintf("\noidc:\n  issuer: %s\n  client_id: %s\n  client_secret_file: %s\n", p.Issuer, p.ClientID, secret)
	}})
	s.must(err)
	s.publish(serve(t, echo))
	s.startClient()
	return s
}
