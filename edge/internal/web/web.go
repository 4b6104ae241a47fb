package web

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/sallyport/sallyport/edge/internal/authn"
	"github.com/sallyport/sallyport/edge/internal/config"
	"github.com/sallyport/sallyport/edge/internal/login"
)

// maxForm bounds the bodies of forms.
const maxForm = 64 << 10

// Provider tells the pages who a browser's person is; authn.Provider is one.
type Provider interface {
	Issuer() string
	AuthURL(ctx context.Context, r authn.Request) (string, error)
	Exchange(ctx context.Context, code, verifier, nonce string) (authn.Identity, error)
}

// Setup makes the first administrator; idp.Provider is one.
type Setup interface {
	// CheckSetup says whether the token of a set-up link is good.
	CheckSetup(token string) error
	// SetupPerson makes the person. The text of an error is shown where
	// CheckSetup still holds.
	SetupPerson(ctx context.Context, token, email, name, password string) error
}

// Config is what the pages are made of.
type Config struct {
	// Edge gives the present configuration. Required.
	Edge func() *config.Config
	// Logins are required.
	Logins *login.Service
	// Provider is required.
	Provider Provider
	// IDP serves /idp/ and Setup serves /setup; both nil with an external provider.
	IDP   http.Handler
	Setup Setup
	// Log is required.
	Log *slog.Logger
}

// site is the handlers' common ground.
type site struct{ Config }

// New returns the handler of the edge's web side.
func New(cfg Config) http.Handler {
	s := &site{cfg}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.portal)
	mux.HandleFunc("GET /style.css", s.style)
	mux.HandleFunc("GET /.well-known/sallyport", s.wellKnown)
	mux.HandleFunc("GET /login/{attempt}", s.ask)
	mux.HandleFunc("POST /login/{attempt}", s.open)
	mux.HandleFunc("GET /callback", s.callback)
	mux.HandleFunc("GET /confirm/{attempt}", s.confirm)
	mux.HandleFunc("POST /confirm/{attempt}", s.decide)
	mux.HandleFunc("GET /done/{attempt}", s.done)
	if cfg.Setup != nil {
		mux.HandleFunc("GET /setup", s.setupForm)
		mux.HandleFunc("POST /setup", s.setup)
	}
	if cfg.IDP != nil {
		mux.Handle("/idp/", cfg.IDP)
	}
	mux.HandleFunc("/", s.notFound)
	sameOrigin := http.NewCrossOriginProtection()
	sameOrigin.SetDenyHandler(http.HandlerFunc(s.crossOrigin))
	return s.headers(s.ownName(sameOrigin.Handler(mux)))
}

// headers sets what every answer carries; pages may widen the policy's
// form-action.
func (s *site) headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policyFor(""))
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		if edge := s.Edge(); s.secure() && edge.Port == 443 {
			// On other ports it would bind what else the host serves.
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		next.ServeHTTP(w, r)
	})
}

// policyFor is the Content-Security-Policy of a page whose forms may lead to
// the given sources besides the edge: browsers hold form-action against the
// redirects that follow a form, too.
func policyFor(forms string) string {
	return strings.TrimSpace("default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self' " + forms)
}

// ownName lets only requests for the edge's own name pass. Hostnames under a
// site get what everybody may know; others were sent here by somebody's DNS.
func (s *site) ownName(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := hostOf(r)
		own, err := url.Parse(s.Edge().WebURL())
		switch _, ofSite := s.Edge().SiteOf(host); {
		case err == nil && host == own.Hostname():
			next.ServeHTTP(w, r)
		case ofSite && r.URL.Path == "/.well-known/sallyport":
			s.wellKnown(w, r)
		case ofSite && r.URL.Path == "/style.css":
			s.style(w, r)
		case ofSite:
			s.render(w, http.StatusNotFound, "app", appPage{Hostname: host, Edge: s.edgeName()})
		default:
			http.Error(w, "This server is a Sallyport edge; open it at "+s.Edge().WebURL(), http.StatusMisdirectedRequest)
		}
	})
}

func hostOf(r *http.Request) string {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

func (s *site) secure() bool { return strings.HasPrefix(s.Edge().WebURL(), "https://") }

// edgeName is what people type after `sallyport login`.
func (s *site) edgeName() string {
	u, err := url.Parse(s.Edge().WebURL())
	if err != nil {
		return s.Edge().Name
	}
	return u.Host
}

// wellKnown says which edge serves a hostname.
func (s *site) wellKnown(w http.ResponseWriter, _ *http.Request) {
	edge := s.Edge()
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(struct {
		Edge string `json:"edge"`
		Port uint16 `json:"port"`
		ID   string `json:"id"`
	}{edge.Name, edge.Port, edge.ID})
}

func (s *site) portal(w http.ResponseWriter, _ *http.Request) {
	s.render(w, http.StatusOK, "portal", portalPage{Edge: s.edgeName(), Sites: s.Edge().Sites})
}

func (s *site) notFound(w http.ResponseWriter, _ *http.Request) {
	s.stop(w, http.StatusNotFound, stopPage{Title: "Page not found", What: "There is no page at this address.", Next: "Check the address, or start again from the program that gave it to you."})
}

func (s *site) crossOrigin(w http.ResponseWriter, _ *http.Request) {
	s.stop(w, http.StatusForbidden, stopPage{Title: "Not accepted", What: "This request came from another website.", Next: "Start again from the program that asked you to sign in."})
}

// addressOf is the browser's address, zero where it cannot be told.
func addressOf(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr().Unmap()
}
