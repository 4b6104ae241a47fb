package idp

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/sallyport/sallyport/edge/internal/store"
)

// Config says where the provider lives.
type Config struct {
	// WebURL is the edge's web URL without a slash at its end; the issuer is
	// WebURL + Path, the only redirect WebURL + "/callback".
	WebURL string
	Log    *slog.Logger
	// Clock is the time; nil means time.Now.
	Clock func() time.Time
}

// Path is where the provider is mounted.
const Path = "/idp"

// Provider is the embedded OpenID provider.
type Provider struct{}

// New reads keys and people from the store, and makes the first key.
func New(ctx context.Context, s store.Store, cfg Config) (*Provider, error) { panic("soon") }

// Issuer is the provider's exact issuer.
func (p *Provider) Issuer() string { panic("soon") }

// Client is the one client's id and secret, for authn in this process.
func (p *Provider) Client() (id, secret string) { panic("soon") }

// Handler serves everything under Path.
func (p *Provider) Handler() http.Handler { panic("soon") }

// Transport is a RoundTripper that asks Handler without the network; it refuses
// every other URL.
func (p *Provider) Transport() http.RoundTripper { panic("soon") }

// People are the provider's people.
func (p *Provider) People() *People { panic("soon") }

// SetupLink is the one-time link by which the first administrator is made; ""
// once there is a person. Asked again it gives the same link, until its 24
// hours are over.
func (p *Provider) SetupLink() string { panic("soon") }

// CheckSetup says whether a set-up token is good: ErrSetup otherwise.
func (p *Provider) CheckSetup(token string) error { panic("soon") }

// Setup makes the first person, in the group admins, and voids the link.
func (p *Provider) Setup(ctx context.Context, token string, n NewPerson) (Person, error) {
	panic("soon")
}
