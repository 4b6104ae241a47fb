// Package authn is the edge's side of OpenID Connect.
package authn

import (
	"context"
	"log/slog"
	"net/http"
	"time"
)

// Config names the provider and this client of it.
type Config struct {
	// Issuer, ClientID and RedirectURL are required.
	Issuer      string
	ClientID    string
	RedirectURL string // WebURL + "/callback"
	// ClientSecret is empty for a public client. SecretFile, where set, is read
	// at every use instead, so that it may be changed.
	ClientSecret string
	SecretFile   string
	// Scopes: nil means openid, email, profile.
	Scopes []string
	// GroupsClaim: "" means "groups".
	GroupsClaim string
	// CAFile has the certificates that the provider is checked against; "" means the system's.
	CAFile string
	// Transport carries the requests to the provider; nil means a network one
	// with time limits. The embedded provider gives its own.
	Transport http.RoundTripper
	Log       *slog.Logger
	// Clock is the time; nil means time.Now.
	Clock func() time.Time
}

// Provider is one OpenID provider. Discovery happens at the first use.
type Provider struct{}

// Request is one trip of a browser to the provider.
type Request struct {
	State, Nonce string
	// Verifier is the PKCE verifier; the provider sees its SHA-256.
	Verifier string
	// Again asks the provider to let the person choose another account.
	Again bool
}

// Identity is who the provider says the person is.
type Identity struct {
	Issuer, Subject string
	Email           string
	EmailVerified   bool
	Name            string
	Groups          []string
	AMR             []string
	ACR             string
	AuthTime        time.Time
}

// New checks the configuration; it asks nobody.
func New(cfg Config) (*Provider, error) { panic("soon") }

// AuthURL is where the browser goes. It fails within 5 seconds where the
// provider cannot be reached.
func (p *Provider) AuthURL(ctx context.Context, r Request) (string, error) { panic("soon") }

// Exchange turns the code of the callback into a checked identity.
func (p *Provider) Exchange(ctx context.Context, code, verifier, nonce string) (Identity, error) {
	panic("soon")
}
