package authn

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

const (
	dialTimeout     = 5 * time.Second
	callTimeout     = 10 * time.Second
	discoverTimeout = 5 * time.Second
	// retryAfter is how long a failed discovery is remembered: people who press
	// again do not reach a provider that is down more than once a second.
	retryAfter = time.Second
	// refreshAfter is how old a discovery document may get: providers move
	// endpoints, rarely.
	refreshAfter = 24 * time.Hour
)

var (
	// ErrUnreachable: the provider did not answer; the login may be tried again.
	ErrUnreachable = errors.New("identity provider cannot be reached")
	// ErrProvider: the provider's answer does not hold.
	ErrProvider = errors.New("identity provider's answer was not accepted")
	// ErrCode: the provider refused the code of the callback.
	ErrCode = errors.New("identity provider refused the sign-in code")
)

// Config names the provider and this client of it.
type Config struct {
	// Issuer, ClientID and RedirectURL are required.
	Issuer      string
	ClientID    string
	RedirectURL string // WebURL + "/callback"
	// ClientSecret is empty for a public client. SecretFile, where set, is read
	// at every use instead, so that the secret may be changed.
	ClientSecret string
	SecretFile   string
	// Scopes: nil means openid, email, profile. openid is always among them.
	Scopes []string
	// GroupsClaim: "" means "groups".
	GroupsClaim string
	// CAFile has the certificates that the provider is checked against; "" means the system's.
	CAFile string
	// Transport carries the requests to the provider; nil means a network one
	// with time limits. The embedded provider gives its own.
	Transport http.RoundTripper
	// Log is required.
	Log *slog.Logger
	// Clock is the time; nil means time.Now.
	Clock func() time.Time
}

// Provider is one OpenID provider. Discovery happens at the first use.
type Provider struct {
	cfg    Config
	client *http.Client

	// discovering is held by the one goroutine that asks; a channel, so that
	// others can stop waiting.
	discovering chan struct{}

	mu     sync.Mutex
	found  *oidc.Provider // guarded by mu
	at     time.Time      // guarded by mu; of found, or of failed
	failed error          // guarded by mu
}

// Request is one trip of a browser to the provider.
type Request struct {
	State, Nonce string
	// Verifier is the PKCE verifier; the provider sees its SHA-256.
	Verifier string
	// Again asks the provider to let the person choose another account.
	Again bool
}

// New checks the configuration; it asks nobody.
func New(cfg Config) (*Provider, error) {
	var errs []error
	if u, err := url.Parse(cfg.Issuer); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		errs = append(errs, fmt.Errorf("issuer %q: not an http(s) URL without query", cfg.Issuer))
	}
	if cfg.ClientID == "" {
		errs = append(errs, errors.New("client id is missing"))
	}
	if cfg.RedirectURL == "" {
		errs = append(errs, errors.New("redirect URL is missing"))
	}
	if cfg.GroupsClaim == "" {
		cfg.GroupsClaim = "groups"
	}
	if cfg.Scopes == nil {
		cfg.Scopes = []string{"email", "profile"}
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Transport == nil {
		t, err := networkTransport(cfg.CAFile)
		if err != nil {
			errs = append(errs, err)
		}
		cfg.Transport = t
	}
	if len(errs) > 0 {
		return nil, fmt.Errorf("identity provider: %w", errors.Join(errs...))
	}
	return &Provider{
		cfg: cfg, discovering: make(chan struct{}, 1),
		client: &http.Client{
			Transport: limited{cfg.Transport}, Timeout: callTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

func networkTransport(caFile string) (http.RoundTripper, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12} // some providers have no more
	if caFile != "" {
		pem, err := os.ReadFile(caFile)
		if err != nil {
			return nil, fmt.Errorf("certificates of the provider: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("certificates of the provider: %s holds none", caFile)
		}
	}
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: dialTimeout}).DialContext,
		TLSHandshakeTimeout:    dialTimeout,
		TLSClientConfig:        config,
		ForceAttemptHTTP2:      true,
		MaxIdleConnsPerHost:    2,
		IdleConnTimeout:        time.Minute,
		ResponseHeaderTimeout:  callTimeout,
		MaxResponseHeaderBytes: 64 << 10,
	}, nil
}

// Issuer is the provider's issuer, as it must come back.
func (p *Provider) Issuer() string { return p.cfg.Issuer }

// AuthURL is where the browser goes. It fails within 5 seconds where the
// provider cannot be reached.
func (p *Provider) AuthURL(ctx context.Context, r Request) (string, error) {
	provider, err := p.discover(ctx)
	if err != nil {
		return "", err
	}
	options := []oauth2.AuthCodeOption{oidc.Nonce(r.Nonce), oauth2.S256ChallengeOption(r.Verifier)}
	if r.Again {
		options = append(options, oauth2.SetAuthURLParam("prompt", "login"))
	}
	return p.oauth(provider, "").AuthCodeURL(r.State, options...), nil
}

func (p *Provider) oauth(provider *oidc.Provider, secret string) *oauth2.Config {
	scopes := []string{oidc.ScopeOpenID}
	for _, s := range p.cfg.Scopes {
		if s != oidc.ScopeOpenID {
			scopes = append(scopes, s)
		}
	}
	endpoint := provider.Endpoint()
	endpoint.AuthStyle = authStyle(provider, secret)
	return &oauth2.Config{
		ClientID: p.cfg.ClientID, ClientSecret: secret, Endpoint: endpoint,
		RedirectURL: p.cfg.RedirectURL, Scopes: scopes,
	}
}

// authStyle is how this client names itself at the token endpoint. It is never
// tried out: a code that was sent twice would be refused.
func authStyle(provider *oidc.Provider, secret string) oauth2.AuthStyle {
	var doc struct {
		Methods []string `json:"token_endpoint_auth_methods_supported"`
	}
	if err := provider.Claims(&doc); err != nil || secret == "" {
		return oauth2.AuthStyleInParams
	}
	if len(doc.Methods) == 0 || slices.Contains(doc.Methods, "client_secret_basic") {
		return oauth2.AuthStyleInHeader // the standard's default
	}
	return oauth2.AuthStyleInParams
}

func (p *Provider) secret() (string, error) {
	if p.cfg.SecretFile == "" {
		return p.cfg.ClientSecret, nil
	}
	b, err := os.ReadFile(p.cfg.SecretFile)
	if err != nil {
		return "", fmt.Errorf("%w: client secret: %w", ErrProvider, err)
	}
	return strings.TrimSpace(string(b)), nil
}

// discover gives the provider's endpoints, asking for them where they are not
// known or old. While a known document can be used, a provider that is down for
// the moment does no harm here.
func (p *Provider) discover(ctx context.Context) (*oidc.Provider, error) {
	if found, err := p.known(); found != nil || err != nil {
		return found, err
	}
	ctx, cancel := context.WithTimeout(ctx, discoverTimeout)
	defer cancel()
	select {
	case p.discovering <- struct{}{}:
		defer func() { <-p.discovering }()
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, context.Cause(ctx))
	}
	if found, err := p.known(); found != nil || err != nil {
		return found, err // somebody else has just asked
	}
	found, err := oidc.NewProvider(oidc.ClientContext(ctx, p.client), p.cfg.Issuer)
	if err == nil {
		err = p.checkEndpoints(found)
	}
	if err != nil {
		err = explain(ctx, "discovery", err)
		p.cfg.Log.Warn("identity provider not discovered", "issuer", p.cfg.Issuer, "error", err)
	}
	return p.remember(found, err)
}

func (p *Provider) known() (*oidc.Provider, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	age := p.cfg.Clock().Sub(p.at)
	switch {
	case p.failed != nil && age >= 0 && age < retryAfter:
		if p.found != nil {
			return p.found, nil
		}
		return nil, p.failed
	case p.failed == nil && p.found != nil && age >= 0 && age < refreshAfter:
		return p.found, nil
	}
	return nil, nil
}

func (p *Provider) remember(found *oidc.Provider, err error) (*oidc.Provider, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at, p.failed = p.cfg.Clock(), err
	if err == nil {
		p.found = found
	}
	if p.found != nil {
		return p.found, nil
	}
	return nil, err
}

// checkEndpoints refuses a document that would send secrets in the clear.
func (p *Provider) checkEndpoints(found *oidc.Provider) error {
	var doc struct {
		JWKS string `json:"jwks_uri"`
	}
	if err := found.Claims(&doc); err != nil {
		return err
	}
	for name, raw := range map[string]string{
		"authorization_endpoint": found.Endpoint().AuthURL, "token_endpoint": found.Endpoint().TokenURL, "jwks_uri": doc.JWKS,
	} {
		u, err := url.Parse(raw)
		if err != nil || u.Host == "" || u.Scheme != "https" && !(u.Scheme == "http" && strings.HasPrefix(p.cfg.Issuer, "http://")) {
			return fmt.Errorf("%s %q is not an https URL", name, raw)
		}
	}
	return nil
}
