package idp

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/sallyport/sallyport/edge/internal/store"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// Config says where the provider lives.
type Config struct {
	// WebURL is the edge's web URL without a slash at its end; the issuer is
	// WebURL + Path, the only redirect WebURL + "/callback".
	WebURL string
	// Log is required.
	Log *slog.Logger
	// Clock is the time; nil means time.Now.
	Clock func() time.Time
}

// Path is where the provider is mounted.
const Path = "/idp"

// Provider is the embedded OpenID provider.
type Provider struct {
	cfg     Config
	people  *People
	storage *storage
	login   *loginPage
	setup   setup
	op      *op.Provider
	mux     *http.ServeMux
}

// New reads keys and people from the store, and makes a signing key where there
// is none or it is old.
func New(ctx context.Context, s store.Store, cfg Config) (*Provider, error) {
	if cfg.WebURL == "" || strings.HasSuffix(cfg.WebURL, "/") || cfg.Log == nil {
		return nil, errors.New("embedded provider: web URL (without a slash at its end) and log are required")
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	keys, err := openKeys(ctx, s, cfg.Clock())
	if err != nil {
		return nil, fmt.Errorf("embedded provider: %w", err)
	}
	p := &Provider{cfg: cfg}
	if p.people, err = openPeople(ctx, s, p.Issuer(), cfg); err != nil {
		return nil, fmt.Errorf("embedded provider: %w", err)
	}
	p.storage = newStorage(p.people, keys, newClient(cfg.WebURL), cfg.Clock)
	p.login = newLoginPage(p.people, p.storage, cfg)
	if p.op, err = newOP(p.Issuer(), p.storage); err != nil {
		return nil, fmt.Errorf("embedded provider: %w", err)
	}
	p.mux = p.routes()
	return p, nil
}

func newOP(issuer string, s *storage) (*op.Provider, error) {
	options := []op.Option{op.WithCORSOptions(nil)} // no page of another origin has business here
	if strings.HasPrefix(issuer, "http://") {
		options = append(options, op.WithAllowInsecure())
	}
	config := &op.Config{
		CodeMethodS256: true, SupportedScopes: []string{"openid", "email", "profile"},
		CryptoKeyId: "memory",
	}
	rand.Read(config.CryptoKey[:]) // codes and access tokens do not outlive the process
	return op.NewProvider(config, s, op.StaticIssuer(issuer), options...)
}

// Issuer is the provider's exact issuer.
func (p *Provider) Issuer() string { return p.cfg.WebURL + Path }

// Client is the one client's id and secret, for authn in this process. The
// secret is new in every process.
func (p *Provider) Client() (id, secret string) {
	return clientID, p.storage.client.secret
}

// People are the provider's people.
func (p *Provider) People() *People { return p.people }

// Handler serves everything under Path.
func (p *Provider) Handler() http.Handler { return p.mux }

// routes is all that is offered of op: the code flow and no more.
func (p *Provider) routes() *http.ServeMux {
	mux := http.NewServeMux()
	inner := http.StripPrefix(Path, p.op)
	mux.HandleFunc("GET "+Path+"/.well-known/openid-configuration", p.discovery)
	mux.Handle("GET "+Path+"/keys", inner)
	mux.HandleFunc("GET "+Path+"/authorize", p.login.begin(inner))
	mux.HandleFunc("GET "+Path+"/authorize/callback", p.login.finish(inner))
	mux.HandleFunc("POST "+Path+"/oauth/token", p.storage.client.only(bounded(inner)))
	mux.Handle("GET "+Path+"/userinfo", inner)
	mux.HandleFunc("GET "+loginPath, p.login.show)
	mux.HandleFunc("POST "+loginPath, p.login.submit)
	return mux
}

// maxForm bounds the bodies of forms.
const maxForm = 64 << 10

func bounded(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		h.ServeHTTP(w, r)
	})
}

// discovery says what routes offers; op's own document would name endpoints
// that are not there.
func (p *Provider) discovery(w http.ResponseWriter, _ *http.Request) {
	at := func(path string) string { return p.Issuer() + path }
	writeJSON(w, map[string]any{
		"issuer":                                p.Issuer(),
		"authorization_endpoint":                at("/authorize"),
		"token_endpoint":                        at("/oauth/token"),
		"userinfo_endpoint":                     at("/userinfo"),
		"jwks_uri":                              at("/keys"),
		"response_types_supported":              []string{"code"},
		"response_modes_supported":              []string{"query"},
		"grant_types_supported":                 []string{"authorization_code"},
		"subject_types_supported":               []string{"public"},
		"scopes_supported":                      []string{"openid", "email", "profile"},
		"id_token_signing_alg_values_supported": []string{string(keyAlgorithm)},
		"token_endpoint_auth_methods_supported": []string{"client_secret_basic"},
		"code_challenge_methods_supported":      []string{"S256"},
		"claims_supported":                      []string{"sub", "iss", "aud", "exp", "iat", "auth_time", "amr", "nonce", "email", "email_verified", "name", "groups"},
	})
}
