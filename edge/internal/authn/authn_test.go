package authn

import (
	"compress/gzip"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestHonestProvider(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	p := f.client(t, nil)
	raw, err := p.AuthURL(t.Context(), Request{State: "s1", Nonce: "n1", Verifier: "v1"})
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte("v1"))
	for name, want := range map[string]string{
		"client_id": clientID, "state": "s1", "nonce": "n1", "response_type": "code", "redirect_uri": "https://edge/callback",
		"scope": "openid email profile", "code_challenge_method": "S256", "code_challenge": b64(sum[:]), "prompt": "",
	} {
		if got := u.Query().Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	who, err := p.Exchange(t.Context(), "good", "v1", "n1")
	if err != nil {
		t.Fatal(err)
	}
	if who.Issuer != f.URL || who.Subject != "a1" || who.Email != "alice@site.com" || !who.EmailVerified || who.Name != "Alice" ||
		!slices.Equal(who.Groups, []string{"staff", "admins"}) || !slices.Equal(who.AMR, []string{"pwd", "otp"}) || who.ACR != "2" ||
		time.Since(who.AuthTime) > time.Minute {
		t.Fatalf("identity %+v", who)
	}
	r := f.form.Load()
	if id, secret, _ := r.BasicAuth(); id != clientID || secret != "s3cret" || r.PostForm.Get("code_verifier") != "v1" {
		t.Fatalf("token request %v", r.PostForm)
	}
	if again, _ := p.AuthURL(t.Context(), Request{Again: true}); !strings.Contains(again, "prompt=login") {
		t.Fatalf("again: %s", again)
	}
	if n := f.asks.Load(); n != 1 {
		t.Fatalf("discovered %d times", n)
	}
}

func TestHostileAnswersAreRefused(t *testing.T) {
	t.Parallel()
	claim := func(name string, v any) func(*fake) {
		return func(f *fake) {
			f.claims = func(m map[string]any) {
				if m[name] = v; v == nil {
					delete(m, name)
				}
			}
		}
	}
	now := time.Now().Unix()
	body := func(path, contentType string, write func(w io.Writer)) func(*fake) {
		return func(f *fake) {
			f.handle = func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path == path {
					w.Header().Set("Content-Type", contentType)
					write(w)
				}
				return r.URL.Path == path
			}
		}
	}
	huge := func(w io.Writer) {
		for range 64 {
			if _, err := io.WriteString(w, strings.Repeat(" ", 64<<10)); err != nil {
				return
			}
		}
	}
	redirect := func(path string) func(*fake) {
		return func(f *fake) {
			f.handle = func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path != path || r.URL.RawQuery != "" {
					return false // who follows gets an honest answer
				}
				http.Redirect(w, r, path+"?followed", http.StatusTemporaryRedirect)
				return true
			}
		}
	}
	for name, bend := range map[string]func(*fake){
		"issuer of the token":       claim("iss", "https://evil.example"),
		"issuer with a slash":       func(f *fake) { claim("iss", f.URL+"/")(f) },
		"no issuer":                 claim("iss", nil),
		"issuer of the document":    func(f *fake) { f.discovery = func(m map[string]any) { m["issuer"] = "https://evil.example" } },
		"nonce":                     claim("nonce", "n2"),
		"no nonce":                  claim("nonce", nil),
		"nonce is a number":         claim("nonce", 1),
		"audience":                  claim("aud", "somebody else"),
		"no audience":               claim("aud", nil),
		"several audiences, no azp": claim("aud", []string{clientID, "other"}),
		"azp":                       claim("azp", "other"),
		"expired":                   claim("exp", now-1),
		"no expiry":                 claim("exp", nil),
		"from the future":           claim("iat", now+3600),
		"not yet valid":             claim("nbf", now+3600),
		"no subject":                claim("sub", nil),
		"empty subject":             claim("sub", ""),
		"subject is a number":       claim("sub", 7),
		"huge subject":              claim("sub", strings.Repeat("a", 10_000)),
		"at_hash of another token":  claim("at_hash", "AAAAAAAAAAAAAAAAAAAAAA"),
		"groups are a map":          claim("groups", map[string]any{"a": 1}),
		"groups are numbers":        claim("groups", []int{1}),
		"too many groups":           claim("groups", slices.Repeat([]string{strings.Repeat("g", 100)}, 1000)),
		"email with a line break":   claim("email", "a@site.com\r\nx: y"),
		"huge name":                 claim("name", strings.Repeat("n", 100_000)),
		"alg none": func(f *fake) {
			f.header = func(m map[string]any) { m["alg"] = "none" }
			f.sign = func([]byte) []byte { return nil }
		},
		"alg HS256 with the secret": func(f *fake) {
			f.discovery = func(m map[string]any) { m["id_token_signing_alg_values_supported"] = []string{"HS256", "none"} }
			f.header = func(m map[string]any) { m["alg"] = "HS256" }
			f.sign = func(b []byte) []byte { h := hmac.New(sha256.New, []byte("s3cret")); h.Write(b); return h.Sum(nil) }
		},
		"signature of nobody": func(f *fake) { f.sign = func([]byte) []byte { return make([]byte, 64) } },
		"no signature":        func(f *fake) { f.sign = func([]byte) []byte { return nil } },
		"key id unknown":      func(f *fake) { f.header = func(m map[string]any) { m["kid"] = "k2" } },
		"key in the header": func(f *fake) {
			f.header = func(m map[string]any) { m["kid"], m["jku"] = "k2", "http://evil.example/keys" }
		},
		"critical header":      func(f *fake) { f.header = func(m map[string]any) { m["crit"] = []string{"b64"}; m["b64"] = false } },
		"no ID token":          body("/token", "application/json", func(w io.Writer) { io.WriteString(w, `{"access_token":"a","token_type":"Bearer"}`) }),
		"ID token is a list":   body("/token", "application/json", func(w io.Writer) { io.WriteString(w, `{"access_token":"a","id_token":["x"]}`) }),
		"token answer is HTML": body("/token", "text/html", func(w io.Writer) { io.WriteString(w, "<p>maintenance") }),
		"huge token answer":    body("/token", "application/json", huge),
		"huge document":        body("/.well-known/openid-configuration", "application/json", huge),
		"huge keys":            body("/keys", "application/json", huge),
		"document is no JSON":  body("/.well-known/openid-configuration", "application/json", func(w io.Writer) { io.WriteString(w, "<html>") }),
		"deep JSON":            body("/keys", "application/json", func(w io.Writer) { io.WriteString(w, strings.Repeat("[", 500_000)) }),
		"redirected document":  redirect("/.well-known/openid-configuration"),
		"redirected token":     redirect("/token"),
		"redirected keys":      redirect("/keys"),
		"endpoint is a script": func(f *fake) {
			f.discovery = func(m map[string]any) { m["authorization_endpoint"] = "javascript:alert(1)" }
		},
		"no token endpoint": func(f *fake) { f.discovery = func(m map[string]any) { delete(m, "token_endpoint") } },
		"keys by file":      func(f *fake) { f.discovery = func(m map[string]any) { m["jwks_uri"] = "file:///etc/passwd" } },
		"userinfo of another": func(f *fake) {
			claim("groups", nil)(f)
			f.userinfo = func(m map[string]any) { m["sub"] = "a2" }
		},
		"userinfo without subject": func(f *fake) {
			claim("email", nil)(f)
			f.userinfo = func(m map[string]any) { delete(m, "sub") }
		},
		"subject that moves a terminal": claim("sub", "a\u009b2J"),
		"group on two lines":            claim("groups", []string{"staff\nadmins"}),
		"group that turns around":       claim("groups", []string{"\u202enimda"}),
		"email that turns around":       claim("email", "\u202ealice@site.com"),
		"compressed bomb": func(f *fake) {
			f.handle = func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path == "/keys" {
					w.Header().Set("Content-Encoding", "gzip")
					z := gzip.NewWriter(w)
					huge(z)
					z.Close()
				}
				return r.URL.Path == "/keys"
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			bend(f)
			who, err := f.client(t, nil).Exchange(t.Context(), "good", "v1", "n1")
			if err == nil {
				t.Fatalf("accepted as %+v", who)
			}
			if !errors.Is(err, ErrProvider) && !errors.Is(err, ErrUnreachable) {
				t.Fatalf("error without a kind: %v", err)
			}
			if len(err.Error()) > 600 || strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "good") {
				t.Fatalf("error says too much: %v", err)
			}
		})
	}
}

func TestReplayedCode(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	if _, err := f.client(t, nil).Exchange(t.Context(), "used", "v1", "n1"); !errors.Is(err, ErrCode) {
		t.Fatalf("error %v", err)
	}
}

func TestClaims(t *testing.T) {
	t.Parallel()
	set := func(kv ...any) func(*fake) {
		return func(f *fake) {
			f.claims = func(m map[string]any) {
				for i := 0; i < len(kv); i += 2 {
					if m[kv[i].(string)] = kv[i+1]; kv[i+1] == nil {
						delete(m, kv[i].(string))
					}
				}
			}
		}
	}
	for name, tt := range map[string]struct {
		bend func(*fake)
		cfg  func(*Config)
		want string
	}{
		"verified as text":     {set("email_verified", "true"), nil, "alice@site.com true [staff admins]"},
		"verified as no":       {set("email_verified", "false"), nil, "alice@site.com false [staff admins]"},
		"verified as number":   {set("email_verified", 1), nil, "alice@site.com false [staff admins]"},
		"not said":             {set("email_verified", nil), nil, "alice@site.com false [staff admins]"},
		"one group":            {set("groups", "staff"), nil, "alice@site.com true [staff]"},
		"no group":             {set("groups", []string{}), nil, "alice@site.com true []"},
		"other claim":          {set("roles", []string{"r1"}), func(c *Config) { c.GroupsClaim = "roles" }, "alice@site.com true [r1]"},
		"groups from userinfo": {set("groups", nil), nil, "alice@site.com true [info]"},
		"email from userinfo":  {set("email", nil), nil, "info@site.com true [staff admins]"},
		"no userinfo endpoint": {func(f *fake) {
			set("groups", nil)(f)
			f.discovery = func(m map[string]any) { delete(m, "userinfo_endpoint") }
		}, nil, "alice@site.com true []"},
		"several audiences": {set("aud", []string{clientID, "other"}, "azp", clientID), nil, "alice@site.com true [staff admins]"},
		"amr is one text":   {set("amr", "pwd"), nil, "alice@site.com true [staff admins]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			tt.bend(f)
			who, err := f.client(t, tt.cfg).Exchange(t.Context(), "good", "v1", "n1")
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(who.Email, " ", who.EmailVerified, " ", who.Groups); got != tt.want {
				t.Fatalf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// A name is for people to read: what would act on a screen is taken out of it.
func TestNamesAreShowable(t *testing.T) {
	t.Parallel()
	for name, claims := range map[string]map[string]any{
		"name":     {"name": "Al\x1b[2J\u009b\u202eice\n"},
		"username": {"name": nil, "preferred_username": "Al\x1b[2J\u009b\u202eice\n"},
	} {
		f := newFake(t)
		f.claims = func(m map[string]any) { maps.Copy(m, claims) }
		who, err := f.client(t, nil).Exchange(t.Context(), "good", "v1", "n1")
		if err != nil || who.Name != "Al[2Jice" {
			t.Errorf("%s: %q, %v", name, who.Name, err)
		}
	}
}

func TestEmptyNonceIsNoNonce(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.claims = func(m map[string]any) { delete(m, "nonce") }
	if _, err := f.client(t, nil).Exchange(t.Context(), "good", "v1", ""); !errors.Is(err, ErrProvider) {
		t.Fatalf("error %v", err)
	}
}

func TestClientAuthentication(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(" from a file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		cfg     func(*Config)
		methods []string
		basic   string
		form    string
	}{
		"public":      {func(c *Config) { c.ClientSecret = "" }, nil, "", ""},
		"by file":     {func(c *Config) { c.SecretFile = file }, nil, "from+a+file", ""},
		"in the form": {nil, []string{"client_secret_post"}, "", "s3cret"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.discovery = func(m map[string]any) {
				if tt.methods != nil {
					m["token_endpoint_auth_methods_supported"] = tt.methods
				}
			}
			if _, err := f.client(t, tt.cfg).Exchange(t.Context(), "good", "v1", "n1"); err != nil {
				t.Fatal(err)
			}
			r := f.form.Load()
			_, basic, _ := r.BasicAuth()
			if basic != tt.basic || r.PostForm.Get("client_secret") != tt.form {
				t.Fatalf("basic %q, form %q", basic, r.PostForm.Get("client_secret"))
			}
		})
	}
	f := newFake(t)
	p := f.client(t, func(c *Config) { c.SecretFile = filepath.Join(t.TempDir(), "missing") })
	if _, err := p.Exchange(t.Context(), "good", "v1", "n1"); !errors.Is(err, ErrProvider) {
		t.Fatalf("missing secret file: %v", err)
	}
}

func TestProviderIsDown(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	down := true
	var asked int
	var mu sync.Mutex
	now := time.Now()
	f.handle = func(w http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		asked++
		if down {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		return down
	}
	p := f.client(t, func(c *Config) {
		c.Clock = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	})
	for range 5 {
		if _, err := p.AuthURL(t.Context(), Request{}); !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "503") {
			t.Fatalf("error %v", err)
		}
	}
	mu.Lock()
	if asked != 1 {
		t.Fatalf("asked %d times within a second", asked)
	}
	down, now = false, now.Add(2*time.Second)
	mu.Unlock()
	if _, err := p.AuthURL(t.Context(), Request{}); err != nil {
		t.Fatalf("after it came back: %v", err)
	}
	mu.Lock()
	down, now = true, now.Add(25*time.Hour)
	mu.Unlock()
	if _, err := p.AuthURL(t.Context(), Request{}); err != nil {
		t.Fatalf("a known document is not used: %v", err)
	}
}

func TestSlowProvider(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	f.handle = func(w http.ResponseWriter, r *http.Request) bool { <-release; return false }
	p := f.client(t, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := p.AuthURL(ctx, Request{}); !errors.Is(err, ErrUnreachable) {
		t.Fatalf("error %v", err)
	}
	if p.client.Timeout != callTimeout || discoverTimeout > 5*time.Second {
		t.Fatal("no time limit of our own")
	}
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	f := &fake{Server: s}
	_, err := f.client(t, nil).AuthURL(t.Context(), Request{})
	if !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "refused") {
		t.Fatalf("error %v", err)
	}
}

func TestPrivateCA(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.Server = httptest.NewTLSServer(f)
	t.Cleanup(f.Close)
	if _, err := f.client(t, nil).AuthURL(t.Context(), Request{}); !errors.Is(err, ErrUnreachable) {
		t.Fatalf("unknown certificate: %v", err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	der := base64.StdEncoding.EncodeToString(f.Certificate().Raw)
	if err := os.WriteFile(file, []byte("-----BEGIN CERTIFICATE-----\n"+der+"\n-----END CERTIFICATE-----\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := f.client(t, func(c *Config) { c.CAFile = file })
	if _, err := p.Exchange(t.Context(), "good", "v1", "n1"); err != nil {
		t.Fatal(err)
	}
	f.discovery = func(m map[string]any) { m["token_endpoint"] = "http://plain.example/token" }
	if _, err := f.client(t, func(c *Config) { c.CAFile = file }).AuthURL(t.Context(), Request{}); !errors.Is(err, ErrProvider) {
		t.Fatalf("plain token endpoint of an https provider: %v", err)
	}
}

func TestNewRefusesBadConfig(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]Config{
		"empty":      {},
		"issuer":     {Issuer: "idp", ClientID: "a", RedirectURL: "b"},
		"query":      {Issuer: "https://idp?x=1", ClientID: "a", RedirectURL: "b"},
		"no CA file": {Issuer: "https://idp", ClientID: "a", RedirectURL: "b", CAFile: filepath.Join(t.TempDir(), "missing")},
	} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
