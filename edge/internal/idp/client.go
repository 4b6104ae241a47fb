package idp

import (
	"crypto/rand"
	"crypto/subtle"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// clientID is the edge itself, the one client.
const clientID = "sallyport-edge"

// tokenLife is how long ID and access tokens are good: the edge uses them within
// seconds.
const tokenLife = 5 * time.Minute

// client is what op asks about the one client.
type client struct {
	webURL string
	secret string
}

func newClient(webURL string) *client { return &client{webURL: webURL, secret: rand.Text()} }

func (c *client) GetID() string                       { return clientID }
func (c *client) RedirectURIs() []string              { return []string{c.webURL + "/callback"} }
func (c *client) PostLogoutRedirectURIs() []string    { return nil }
func (c *client) ApplicationType() op.ApplicationType { return op.ApplicationTypeWeb }
func (c *client) AuthMethod() oidc.AuthMethod         { return oidc.AuthMethodBasic }
func (c *client) ResponseTypes() []oidc.ResponseType {
	return []oidc.ResponseType{oidc.ResponseTypeCode}
}
func (c *client) GrantTypes() []oidc.GrantType         { return []oidc.GrantType{oidc.GrantTypeCode} }
func (c *client) LoginURL(request string) string       { return c.webURL + loginPath + "?id=" + request }
func (c *client) AccessTokenType() op.AccessTokenType  { return op.AccessTokenTypeBearer }
func (c *client) IDTokenLifetime() time.Duration       { return tokenLife }
func (c *client) DevMode() bool                        { return false }
func (c *client) IsScopeAllowed(string) bool           { return false }
func (c *client) IDTokenUserinfoClaimsAssertion() bool { return true }
func (c *client) ClockSkew() time.Duration             { return 0 }

func (c *client) RestrictAdditionalIdTokenScopes() func([]string) []string     { return unchanged }
func (c *client) RestrictAdditionalAccessTokenScopes() func([]string) []string { return unchanged }

func unchanged(scopes []string) []string { return scopes }

// mayBegin says whether these are parameters of /authorize as the edge sends
// them: the code flow with PKCE, to its one redirect.
func (c *client) mayBegin(q url.Values) bool {
	for name, allowed := range map[string][]string{
		"client_id": {clientID}, "redirect_uri": c.RedirectURIs(), "response_type": {"code"},
		"code_challenge_method": {"S256"}, "response_mode": {"", "query"}, "prompt": {"", "login"},
	} {
		if len(q[name]) > 1 || !slices.Contains(allowed, q.Get(name)) {
			return false
		}
	}
	return q.Get("code_challenge") != "" && !q.Has("request") && !q.Has("id_token_hint")
}

// only lets nobody but the client pass.
func (c *client) only(next http.Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id, secret, _ := r.BasicAuth()
		if id != clientID || subtle.ConstantTimeCompare([]byte(secret), []byte(c.secret)) != 1 {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			w.Write([]byte(`{"error":"invalid_client"}`))
			return
		}
		next.ServeHTTP(w, r)
	}
}
