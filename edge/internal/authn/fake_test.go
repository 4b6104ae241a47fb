package authn

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

const clientID = "edge"

// fake is an OpenID provider whose answers a test can bend.
type fake struct {
	*httptest.Server
	key  *ecdsa.PrivateKey
	asks atomic.Int32 // requests for the discovery document

	// discovery, header, claims change what is honest; nil leaves it.
	discovery func(map[string]any)
	header    func(map[string]any)
	claims    func(map[string]any)
	userinfo  func(map[string]any)
	// sign replaces the signature.
	sign func(signed []byte) []byte
	// handle answers instead, where it returns true.
	handle func(w http.ResponseWriter, r *http.Request) bool
	// form is the last token request.
	form atomic.Pointer[http.Request]
}

func newFake(t *testing.T) *fake {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{key: key}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if f.handle != nil && f.handle(w, r) {
		return
	}
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		f.asks.Add(1)
		doc := map[string]any{
			"issuer": f.URL, "authorization_endpoint": f.URL + "/auth", "token_endpoint": f.URL + "/token",
			"jwks_uri": f.URL + "/keys", "userinfo_endpoint": f.URL + "/userinfo",
			"id_token_signing_alg_values_supported": []string{"ES256"},
		}
		answer(w, change(doc, f.discovery))
	case "/keys":
		x, y := f.key.X.FillBytes(make([]byte, 32)), f.key.Y.FillBytes(make([]byte, 32))
		answer(w, map[string]any{"keys": []any{map[string]any{"kty": "EC", "crv": "P-256", "kid": "k1", "alg": "ES256", "use": "sig", "x": b64(x), "y": b64(y)}}})
	case "/token":
		r.ParseForm()
		f.form.Store(r)
		if r.PostForm.Get("code") != "good" {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			io.WriteString(w, `{"error":"invalid_grant"}`)
			return
		}
		answer(w, map[string]any{"access_token": "at", "token_type": "Bearer", "id_token": f.idToken()})
	case "/userinfo":
		answer(w, change(map[string]any{"sub": "a1", "email": "info@site.com", "email_verified": true, "groups": []string{"info"}}, f.userinfo))
	default:
		http.NotFound(w, r)
	}
}

func (f *fake) idToken() string {
	now := time.Now().Unix()
	header := change(map[string]any{"alg": "ES256", "kid": "k1", "typ": "JWT"}, f.header)
	body := change(map[string]any{
		"iss": f.URL, "sub": "a1", "aud": clientID, "exp": now + 300, "iat": now, "auth_time": now - 5, "nonce": "n1",
		"email": "alice@site.com", "email_verified": true, "name": "Alice", "groups": []string{"staff", "admins"},
		"amr": []string{"pwd", "otp"}, "acr": "2",
	}, f.claims)
	signed := jsonB64(header) + "." + jsonB64(body)
	sum := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, f.key, sum[:])
	if err != nil {
		panic(err)
	}
	signature := append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	if f.sign != nil {
		signature = f.sign([]byte(signed))
	}
	return signed + "." + b64(signature)
}

func change(m map[string]any, f func(map[string]any)) map[string]any {
	m = maps.Clone(m)
	if f != nil {
		f(m)
	}
	return m
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v)
}

func jsonB64(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b64(b)
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func (f *fake) client(t *testing.T, change func(*Config)) *Provider {
	t.Helper()
	cfg := Config{
		Issuer: f.URL, ClientID: clientID, RedirectURL: "https://edge/callback", ClientSecret: "s3cret",
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	if change != nil {
		change(&cfg)
	}
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
