package web

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/sallyport/sallyport/edge/internal/authn"
	"github.com/sallyport/sallyport/edge/internal/config"
	"github.com/sallyport/sallyport/edge/internal/idp"
	"github.com/sallyport/sallyport/edge/internal/login"
	"github.com/sallyport/sallyport/edge/internal/store"
	"github.com/sallyport/sallyport/test/walker"
	"github.com/sallyport/sallyport/wire"
)

const (
	email    = "alice@site.com"
	password = "correct horse battery"
)

var verifier = []byte("a verifier of the daemon")

// stage is the whole login side of an edge on a real HTTP server, with the
// embedded provider.
type stage struct {
	edge   config.Config
	idp    *idp.Provider
	logins *login.Service
	server *httptest.Server

	mu    sync.Mutex
	ended []string
}

type option func(*stage, *Config)

func start(t *testing.T, options ...option) *stage { return startAt(t, false, options...) }

func startAt(t *testing.T, https bool, options ...option) *stage {
	t.Helper()
	st := &stage{}
	var handler http.Handler
	st.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	st.edge = config.Config{Name: "localhost", ID: "edge-1", Listen: st.server.Listener.Addr().String()}
	if https {
		st.edge.Name, st.edge.Listen = "edge.site.com", ":8443"
		st.server.StartTLS()
	} else {
		st.server.Start()
	}
	t.Cleanup(st.server.Close)
	_, port, _ := net.SplitHostPort(st.server.Listener.Addr().String())
	n, _ := strconv.ParseUint(port, 10, 16)
	st.edge.Port = uint16(n)
	st.edge.Sites = []config.Site{{Zone: "site.com"}, {Zone: "other.org", Publishers: []string{"group:hosts"}}}
	st.edge.Administrators = []string{"group:admins"}
	st.edge.Login.Modes = []string{config.ModeLoopback, config.ModeCode}

	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	db, err := store.Open(filepath.Join(t.TempDir(), "edge.db"), log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if st.idp, err = idp.New(t.Context(), db, idp.Config{WebURL: st.edge.WebURL(), Log: log}); err != nil {
		t.Fatal(err)
	}
	id, secret := st.idp.Client()
	provider, err := authn.New(authn.Config{
		Issuer: st.idp.Issuer(), ClientID: id, ClientSecret: secret, RedirectURL: st.edge.WebURL() + "/callback",
		Transport: st.idp.Transport(), Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	st.logins = login.New(login.Config{Edge: func() *config.Config { return &st.edge }, Log: log})
	st.logins.OnEnded(func(_ wire.KeyID, _ string, r wire.Reason) {
		st.mu.Lock()
		defer st.mu.Unlock()
		st.ended = append(st.ended, string(r.Code))
	})
	cfg := Config{
		Edge: func() *config.Config { return &st.edge }, Logins: st.logins, Provider: provider,
		IDP: st.idp.Handler(), Setup: st.idp, Log: log,
	}
	for _, o := range options {
		o(st, &cfg)
	}
	handler = New(cfg)
	return st
}

func (st *stage) heard() []string {
	st.mu.Lock()
	defer st.mu.Unlock()
	return slices.Clone(st.ended)
}

func (st *stage) person(t *testing.T, groups ...string) {
	t.Helper()
	if _, _, err := st.idp.People().Add(t.Context(), idp.NewPerson{Email: email, Name: "Alice", Password: password, Groups: groups}); err != nil {
		t.Fatal(err)
	}
}

func (st *stage) begin(t *testing.T, mode wire.LoginMode, purpose wire.LoginPurpose) *wire.LoginStarted {
	t.Helper()
	sum := sha256.Sum256(verifier)
	m := &wire.LoginStart{Purpose: purpose, Mode: mode, DeviceName: "<b>laptop</b>", OSUser: "bob", VerifierHash: sum[:]}
	if mode == wire.ModeLoopback {
		m.LoopbackPort, m.LoopbackPath = 41234, "/0123456789abcdef"
	}
	started, err := st.logins.Start(t.Context(), wire.KeyID{1}, netip.MustParseAddr("192.0.2.7"), m)
	if err != nil {
		t.Fatal(err)
	}
	return started
}

func (st *stage) redeem(t *testing.T, attempt string, r walker.Result) *login.Approved {
	t.Helper()
	code := r.ApprovalCode
	if code == "" {
		u, err := url.Parse(r.Redirect)
		if err != nil || u.Host != "127.0.0.1:41234" || u.Path != "/0123456789abcdef" {
			t.Fatalf("redirect %q %v", r.Redirect, err)
		}
		code = u.Query().Get("code")
	}
	done, err := st.logins.Redeem(t.Context(), wire.KeyID{1}, &wire.LoginRedeem{Attempt: attempt, Code: code, Verifier: verifier})
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// browser is a client with cookies that does not follow redirects.
func browser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

type answer struct {
	*http.Response
	body string
}

func do(t *testing.T, c *http.Client, r *http.Request) answer {
	t.Helper()
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp, string(body)}
}

func (st *stage) request(t *testing.T, method, to string, form url.Values) *http.Request {
	t.Helper()
	if strings.HasPrefix(to, "/") {
		to = st.edge.WebURL() + to
	}
	r, err := http.NewRequestWithContext(t.Context(), method, to, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return r
}

func (st *stage) get(t *testing.T, c *http.Client, to string) answer {
	t.Helper()
	return do(t, c, st.request(t, http.MethodGet, to, nil))
}

func (st *stage) post(t *testing.T, c *http.Client, to string, form url.Values) answer {
	t.Helper()
	return do(t, c, st.request(t, http.MethodPost, to, form))
}

// toConfirm walks a browser to the confirm page by hand.
func (st *stage) toConfirm(t *testing.T, c *http.Client, attempt string) {
	t.Helper()
	to := st.post(t, c, "/login/"+attempt, url.Values{"action": {"continue"}}).Header.Get("Location")
	to = st.get(t, c, to).Header.Get("Location") // authorize -> login page
	u, err := url.Parse(to)
	if err != nil || u.Path != "/idp/login" {
		t.Fatalf("not at the login page but %q", to)
	}
	to = st.post(t, c, "/idp/login", url.Values{"id": {u.Query().Get("id")}, "email": {email}, "password": {password}}).Header.Get("Location")
	to = st.get(t, c, to).Header.Get("Location") // -> callback
	if a := st.get(t, c, to); a.Header.Get("Location") != "/confirm/"+attempt {
		t.Fatalf("callback: %d %s", a.StatusCode, a.body)
	}
	if again := st.get(t, c, to); again.StatusCode != http.StatusBadRequest {
		t.Fatalf("callback loaded again: %d", again.StatusCode)
	}
}

func TestLogin(t *testing.T) {
	t.Parallel()
	for _, mode := range []wire.LoginMode{wire.ModeLoopback, wire.ModeCode} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			st := start(t)
			st.person(t, "staff")
			started := st.begin(t, mode, wire.PurposeSession)
			client := walker.NewClient(nil)
			r, err := walker.Login(t.Context(), client, started.URL, email, password)
			if err != nil {
				t.Fatal(err)
			}
			if mode == wire.ModeCode {
				if a := st.get(t, client, "/done/"+started.Attempt); !strings.Contains(a.body, r.ApprovalCode) {
					t.Fatal("the code is gone when the page is loaded again")
				}
				if a := st.get(t, browser(t), "/done/"+started.Attempt); a.StatusCode != http.StatusForbidden || strings.Contains(a.body, r.ApprovalCode) {
					t.Fatal("another browser sees the code")
				}
			}
			done := st.redeem(t, started.Attempt, r)
			if done.Identity.Email != email || !done.Identity.EmailVerified || !slices.Equal(done.Identity.Groups, []string{"staff"}) ||
				done.Identity.Issuer != st.idp.Issuer() || !slices.Equal(done.Identity.AMR, []string{"pwd"}) || done.Identity.AuthTime.IsZero() ||
				!done.Browser.IsLoopback() {
				t.Fatalf("approved %+v", done)
			}
			if a := st.get(t, client, "/login/"+started.Attempt); a.StatusCode != http.StatusOK || !strings.Contains(a.body, "You are done") {
				t.Fatalf("page afterwards: %d %s", a.StatusCode, a.body)
			}
		})
	}
}

func TestLoginOverHTTPS(t *testing.T) {
	t.Parallel()
	st := startAt(t, true)
	st.person(t)
	transport := st.server.Client().Transport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true} // the test server's name is another
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, st.server.Listener.Addr().String())
	}
	t.Cleanup(transport.CloseIdleConnections)
	started := st.begin(t, wire.ModeLoopback, wire.PurposeSession)
	c := browser(t)
	c.Transport = transport
	a := st.post(t, c, "/login/"+started.Attempt, nil)
	if cookie := a.Header.Get("Set-Cookie"); !strings.HasPrefix(cookie, "__Host-sallyport-login-") ||
		!strings.Contains(cookie, "; Path=/; ") || !strings.Contains(cookie, "; HttpOnly; Secure; SameSite=Lax") || strings.Contains(cookie, "Domain") {
		t.Fatalf("cookie %q", cookie)
	}
	started = st.begin(t, wire.ModeCode, wire.PurposeSession)
	r, err := walker.Login(t.Context(), walker.NewClient(transport), started.URL, email, password)
	if err != nil {
		t.Fatal(err)
	}
	st.redeem(t, started.Attempt, r)
}

func TestWrongPassword(t *testing.T) {
	t.Parallel()
	st := start(t)
	st.person(t)
	started := st.begin(t, wire.ModeLoopback, wire.PurposeSession)
	_, err := walker.Login(t.Context(), walker.NewClient(nil), started.URL, email, "wrong password")
	if err == nil || !strings.Contains(err.Error(), "not right") {
		t.Fatalf("error %v", err)
	}
}

func TestScannersChangeNothing(t *testing.T) {
	t.Parallel()
	st := start(t)
	st.person(t)
	started := st.begin(t, wire.ModeLoopback, wire.PurposeSession)
	scanner := browser(t)
	for range 3 {
		a := st.get(t, scanner, started.URL)
		if a.StatusCode != http.StatusOK || a.Header.Get("Set-Cookie") != "" {
			t.Fatalf("first page: %d, cookie %q", a.StatusCode, a.Header.Get("Set-Cookie"))
		}
		for _, want := range []string{"&lt;b&gt;laptop&lt;/b&gt;", "bob", "192.0.2.7", started.CompareCode} {
			if !strings.Contains(a.body, want) {
				t.Errorf("first page lacks %q", want)
			}
		}
		for _, path := range []string{"/confirm/", "/done/"} {
			if a := st.get(t, scanner, path+started.Attempt); a.StatusCode == http.StatusOK {
				t.Errorf("%s: %d", path, a.StatusCode)
			}
		}
	}
	r, err := walker.Login(t.Context(), walker.NewClient(nil), started.URL, email, password)
	if err != nil {
		t.Fatal(err)
	}
	st.redeem(t, started.Attempt, r)
}

func TestSecondBrowserIsRefused(t *testing.T) {
	t.Parallel()
	st := start(t)
	st.person(t)
	id := st.begin(t, wire.ModeLoopback, wire.PurposeSession).Attempt
	first, second := browser(t), browser(t)
	st.toConfirm(t, first, id)
	yes := url.Values{"decision": {"approve"}}
	for name, a := range map[string]answer{
		"open":    st.post(t, second, "/login/"+id, nil),
		"confirm": st.get(t, second, "/confirm/"+id),
		"approve": st.post(t, second, "/confirm/"+id, yes),
		"refuse":  st.post(t, second, "/confirm/"+id, url.Values{"decision": {"refuse"}}),
	} {
		if a.StatusCode != http.StatusForbidden || strings.Contains(a.body, email) {
			t.Errorf("%s by a second browser: %d %s", name, a.StatusCode, a.body)
		}
	}
	page := st.get(t, first, "/confirm/"+id)
	if !strings.Contains(page.body, "You are alice@site.com") || !strings.Contains(page.body, `value="refuse" autofocus`) {
		t.Fatalf("confirm page: %s", page.body)
	}
	if csp := page.Header.Get("Content-Security-Policy"); !strings.HasSuffix(csp, "form-action 'self' http://127.0.0.1:41234") {
		t.Fatalf("policy %q", csp)
	}
	if a := st.post(t, first, "/confirm/"+id, yes); !strings.HasPrefix(a.Header.Get("Location"), "http://127.0.0.1:41234/0123456789abcdef?code=") {
		t.Fatalf("approve: %d %s", a.StatusCode, a.body)
	}
}

func TestCallbackIsBoundToItsBrowser(t *testing.T) {
	t.Parallel()
	st := start(t)
	st.person(t)
	id := st.begin(t, wire.ModeLoopback, wire.PurposeSession).Attempt
	owner, other := browser(t), browser(t)
	to, err := url.Parse(st.post(t, owner, "/login/"+id, nil).Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	state := to.Query().Get("state")
	callback := func(c *http.Client, v url.Values) answer { return st.get(t, c, "/callback?"+v.Encode()) }
	if a := callback(other, url.Values{"state": {state}, "code": {"x"}}); a.StatusCode != http.StatusForbidden {
		t.Fatalf("other browser: %d", a.StatusCode)
	}
	if a := callback(owner, url.Values{"state": {"wrong"}, "code": {"x"}}); a.StatusCode != http.StatusBadRequest {
		t.Fatalf("wrong state: %d", a.StatusCode)
	}
	if a := callback(owner, url.Values{"state": {state}, "code": {"x"}, "iss": {"https://evil.example"}}); a.StatusCode != http.StatusBadGateway {
		t.Fatalf("another issuer: %d", a.StatusCode)
	}
	if a := callback(owner, url.Values{"state": {state}, "code": {"x"}}); a.StatusCode != http.StatusBadRequest {
		t.Fatalf("state used twice: %d", a.StatusCode)
	}
	st.toConfirm(t, owner, id) // and yet the person may try again
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, act := range map[string]func(t *testing.T, st *stage, c *http.Client, id string) answer{
		"by the person": func(t *testing.T, st *stage, c *http.Client, id string) answer {
			st.toConfirm(t, c, id)
			return st.post(t, c, "/confirm/"+id, url.Values{"decision": {"refuse"}})
		},
		"by pressing nothing": func(t *testing.T, st *stage, c *http.Client, id string) answer {
			st.toConfirm(t, c, id)
			return st.post(t, c, "/confirm/"+id, nil)
		},
		"by the provider": func(t *testing.T, st *stage, c *http.Client, id string) answer {
			to, _ := url.Parse(st.post(t, c, "/login/"+id, nil).Header.Get("Location"))
			return st.get(t, c, "/callback?error=access_denied&state="+url.QueryEscape(to.Query().Get("state")))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st := start(t)
			st.person(t)
			id := st.begin(t, wire.ModeLoopback, wire.PurposeSession).Attempt
			c := browser(t)
			a := act(t, st, c, id)
			if a.Header.Get("Location") != "/done/"+id || !slices.Equal(st.heard(), []string{"refused"}) {
				t.Fatalf("%d, told %v: %s", a.StatusCode, st.heard(), a.body)
			}
			for _, path := range []string{"/done/", "/login/", "/confirm/"} {
				if a := st.get(t, c, path+id); a.StatusCode != http.StatusGone || !strings.Contains(a.body, "Not signed in") {
					t.Fatalf("%s: %d %s", path, a.StatusCode, a.body)
				}
			}
			if a := st.post(t, c, "/confirm/"+id, url.Values{"decision": {"approve"}}); a.StatusCode != http.StatusGone {
				t.Fatalf("yes after no: %d", a.StatusCode)
			}
		})
	}
}

func TestEnrol(t *testing.T) {
	t.Parallel()
	t.Run("with the right", func(t *testing.T) {
		t.Parallel()
		st := start(t)
		st.person(t, "admins")
		id := st.begin(t, wire.ModeCode, wire.PurposeEnrol).Attempt
		c := browser(t)
		st.toConfirm(t, c, id)
		page := st.get(t, c, "/confirm/"+id).body
		for _, want := range []string{"publish services", `<option value="site.com">`, `<option value="other.org">`} {
			if !strings.Contains(page, want) {
				t.Errorf("page lacks %q", want)
			}
		}
		choose := func(site, hosts string) answer {
			return st.post(t, c, "/confirm/"+id, url.Values{"decision": {"approve"}, "site": {site}, "hostnames": {hosts}})
		}
		for _, bad := range [][2]string{{"evil.example", ""}, {"site.com", "tcp.other.org"}, {"site.com", "<script>"}} {
			a := choose(bad[0], bad[1])
			if a.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(a.body, `role="alert"`) || strings.Contains(a.body, "<script") {
				t.Fatalf("choice %v: %d %s", bad, a.StatusCode, a.body)
			}
		}
		if a := choose("other.org", "tcp.other.org\r\n*.lab.other.org, "); a.Header.Get("Location") != "/done/"+id {
			t.Fatalf("choice: %d %s", a.StatusCode, a.body)
		}
		answer, err := st.logins.Answer(id, c.Jar.Cookies(mustURL(t, st.edge.WebURL()))[0].Value)
		if err != nil {
			t.Fatal(err)
		}
		done := st.redeem(t, id, walker.Result{ApprovalCode: answer.Code})
		if done.Site != "other.org" || !slices.Equal(done.Hostnames, []string{"*.lab.other.org", "tcp.other.org"}) {
			t.Fatalf("approved %+v", done)
		}
	})
	t.Run("walked", func(t *testing.T) {
		t.Parallel()
		st := start(t)
		st.person(t, "hosts")
		started := st.begin(t, wire.ModeLoopback, wire.PurposeEnrol)
		r, err := walker.Login(t.Context(), walker.NewClient(nil), started.URL, email, password)
		if err != nil {
			t.Fatal(err)
		}
		if done := st.redeem(t, started.Attempt, r); done.Site != "other.org" || len(done.Hostnames) != 0 {
			t.Fatalf("approved %+v", done)
		}
	})
	t.Run("without the right", func(t *testing.T) {
		t.Parallel()
		st := start(t)
		st.person(t, "staff")
		started := st.begin(t, wire.ModeLoopback, wire.PurposeEnrol)
		_, err := walker.Login(t.Context(), walker.NewClient(nil), started.URL, email, password)
		if err == nil || !strings.Contains(err.Error(), "may not publish") || !slices.Equal(st.heard(), []string{"denied"}) {
			t.Fatalf("error %v, told %v", err, st.heard())
		}
	})
}

func mustURL(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// broken is a provider that fails.
type broken struct{ err error }

func (broken) Issuer() string                                           { return "https://idp.example" }
func (b broken) AuthURL(context.Context, authn.Request) (string, error) { return "", b.err }
func (b broken) Exchange(context.Context, string, string, string) (authn.Identity, error) {
	return authn.Identity{}, b.err
}

func TestProviderIsDown(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"cannot be reached":     authn.ErrUnreachable,
		"could not be accepted": authn.ErrProvider,
	} {
		st := start(t, func(_ *stage, c *Config) { c.Provider = broken{errors.Join(err, errors.New("detail for the log"))} })
		id := st.begin(t, wire.ModeLoopback, wire.PurposeSession).Attempt
		c := browser(t)
		for range 2 { // the same browser may try again
			a := st.post(t, c, "/login/"+id, nil)
			if a.StatusCode != http.StatusBadGateway || !strings.Contains(a.body, want) || strings.Contains(a.body, "detail") ||
				!strings.Contains(a.body, `action="/login/`+id) {
				t.Fatalf("%d %s", a.StatusCode, a.body)
			}
			if csp := a.Header.Get("Content-Security-Policy"); !strings.HasSuffix(csp, "form-action 'self' https:") {
				t.Fatalf("policy %q", csp)
			}
		}
	}
}

func TestSetup(t *testing.T) {
	t.Parallel()
	st := start(t)
	link := st.idp.SetupLink()
	client := walker.NewClient(nil)
	if err := walker.Setup(t.Context(), client, link, email, "Alice", "short"); err == nil || !strings.Contains(err.Error(), "12 to 256") {
		t.Fatalf("short password: %v", err)
	}
	token := mustURL(t, link).Query().Get("token")
	differ := st.post(t, client, "/setup", url.Values{"token": {token}, "email": {email}, "password": {password}, "again": {password + "x"}})
	if differ.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(differ.body, "differ") || strings.Contains(differ.body, password) {
		t.Fatalf("passwords differ: %d %s", differ.StatusCode, differ.body)
	}
	if err := walker.Setup(t.Context(), client, link, email, "Alice", password); err != nil {
		t.Fatal(err)
	}
	if err := walker.Setup(t.Context(), client, link, "eve@site.com", "Eve", password); err == nil {
		t.Fatal("the link worked twice")
	}
	if a := st.get(t, client, "/setup?token=x"); a.StatusCode != http.StatusForbidden {
		t.Fatalf("wrong token: %d", a.StatusCode)
	}
	started := st.begin(t, wire.ModeLoopback, wire.PurposeEnrol) // an administrator may
	r, err := walker.Login(t.Context(), client, started.URL, email, password)
	if err != nil {
		t.Fatal(err)
	}
	st.redeem(t, started.Attempt, r)
}

func TestCrossOriginPostsAreRefused(t *testing.T) {
	t.Parallel()
	st := start(t)
	id := st.begin(t, wire.ModeLoopback, wire.PurposeSession).Attempt
	for name, set := range map[string]func(http.Header){
		"fetch metadata": func(h http.Header) { h.Set("Sec-Fetch-Site", "cross-site") },
		"same site":      func(h http.Header) { h.Set("Sec-Fetch-Site", "same-site") },
		"origin":         func(h http.Header) { h.Set("Origin", "https://evil.example") },
		"null origin":    func(h http.Header) { h.Set("Origin", "null") },
	} {
		for _, path := range []string{"/login/" + id, "/confirm/" + id, "/setup", "/idp/login"} {
			r := st.request(t, http.MethodPost, path, nil)
			set(r.Header)
			if a := do(t, browser(t), r); a.StatusCode != http.StatusForbidden || a.Header.Get("Set-Cookie") != "" {
				t.Errorf("%s to %s: %d", name, path, a.StatusCode)
			}
		}
	}
	if v, err := st.logins.View(id, ""); err != nil || v.State != login.StateStarted {
		t.Fatalf("state %s %v", v.State, err)
	}
}

func TestEveryAnswerCarriesTheHeaders(t *testing.T) {
	t.Parallel()
	st := start(t)
	id := st.begin(t, wire.ModeLoopback, wire.PurposeSession).Attempt
	c := browser(t)
	for _, path := range []string{"/", "/style.css", "/login/" + id, "/login/x", "/callback", "/confirm/x", "/done/x", "/setup", "/nothing", "/idp/nothing", "/idp/login?id=x", "/.well-known/sallyport"} {
		a := st.get(t, c, path)
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin",
		} {
			if got := a.Header.Get(name); got != want {
				t.Errorf("%s: %s %q", path, name, got)
			}
		}
		csp := a.Header.Get("Content-Security-Policy")
		if !strings.HasPrefix(csp, "default-src 'none'; ") || !strings.Contains(csp, "frame-ancestors 'none'") || strings.Contains(csp, "script") {
			t.Errorf("%s: policy %q", path, csp)
		}
		if got := a.Header.Get("Cache-Control"); got != "no-store" && path != "/style.css" {
			t.Errorf("%s: Cache-Control %q", path, got)
		}
		if strings.Contains(a.body, "<script") || strings.Contains(a.body, "style=") || strings.Contains(a.body, "onclick") {
			t.Errorf("%s holds what the policy forbids", path)
		}
	}
	big := st.post(t, c, "/login/"+id, url.Values{"x": {strings.Repeat("a", maxForm)}})
	if big.StatusCode != http.StatusBadRequest {
		t.Errorf("large form: %d", big.StatusCode)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	st := start(t)
	id := st.begin(t, wire.ModeLoopback, wire.PurposeSession).Attempt
	ask := func(host, path string) answer {
		r := st.request(t, http.MethodGet, path, nil)
		r.Host = host
		return do(t, browser(t), r)
	}
	port := strconv.Itoa(int(st.edge.Port))
	want := `{"edge":"localhost","port":` + port + `,"id":"edge-1"}` + "\n"
	for _, host := range []string{"localhost:" + port, "tcp.site.com", "TCP.Site.com:443", "a.b.other.org"} {
		if a := ask(host, "/.well-known/sallyport"); a.StatusCode != http.StatusOK || a.body != want || a.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %s", host, a.StatusCode, a.body)
		}
	}
	if a := ask("tcp.site.com", "/login/"+id); a.StatusCode != http.StatusNotFound || !strings.Contains(a.body, "sallyport access tcp --hostname tcp.site.com") {
		t.Errorf("page of an app: %d %s", a.StatusCode, a.body)
	}
	for _, host := range []string{"127.0.0.1:" + port, "evil.example", "evilsite.com", "localhost.evil.example"} {
		for _, path := range []string{"/", "/login/" + id, "/.well-known/sallyport"} {
			if a := ask(host, path); a.StatusCode != http.StatusMisdirectedRequest {
				t.Errorf("%s%s: %d", host, path, a.StatusCode)
			}
		}
	}
	if a := st.get(t, browser(t), "/"); !strings.Contains(a.body, "sallyport edge use localhost:"+port) {
		t.Errorf("portal: %s", a.body)
	}
}

func TestSomebodyElse(t *testing.T) {
	t.Parallel()
	st := start(t)
	st.person(t)
	id := st.begin(t, wire.ModeLoopback, wire.PurposeSession).Attempt
	c := browser(t)
	st.toConfirm(t, c, id)
	a := st.post(t, c, "/login/"+id, url.Values{"action": {"other"}})
	if !strings.Contains(a.Header.Get("Location"), "prompt=login") || a.Header.Get("Set-Cookie") != "" {
		t.Fatalf("%d %s", a.StatusCode, a.Header.Get("Location"))
	}
	if a := st.post(t, c, "/confirm/"+id, url.Values{"decision": {"approve"}}); a.Header.Get("Location") != "/login/"+id {
		t.Fatalf("yes of nobody: %d %q", a.StatusCode, a.Header.Get("Location"))
	}
	st.toConfirm(t, c, id)
}
