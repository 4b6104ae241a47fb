package web

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/edge/internal/authn"
	"github.com/sallyport/sallyport/edge/internal/login"
	"github.com/sallyport/sallyport/wire"
)

func TestLogin(t *testing.T) {
	t.Parallel()
	for _, mode := range []wire.LoginMode{wire.ModeLoopback, wire.ModeCode} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			st := start(t)
			st.person(t, "staff")
			started := st.begin(t, mode, wire.PurposeSession)
			if started.URL != st.edge.WebURL()+"/login/"+started.Attempt {
				t.Fatalf("URL %q", started.URL)
			}
			client := browser(t)
			code := st.approve(t, client, started.Attempt)
			if mode == wire.ModeCode {
				if a := st.get(t, client, "/done/"+started.Attempt); !strings.Contains(a.body, code) {
					t.Fatal("the code is gone when the page is loaded again")
				}
				if a := st.get(t, browser(t), "/done/"+started.Attempt); a.StatusCode != http.StatusForbidden || strings.Contains(a.body, code) {
					t.Fatal("another browser sees the code")
				}
			}
			done := st.redeem(t, started.Attempt, code)
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
	c = browser(t)
	c.Transport = transport
	st.redeem(t, started.Attempt, st.approve(t, c, started.Attempt))
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
	st.redeem(t, started.Attempt, st.approve(t, browser(t), started.Attempt))
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
	if a := callback(owner, url.Values{"state": {state}, "code": {"x"}, "iss": {"https://evil.example"}}); a.StatusCode != http.StatusBadGateway || !strings.Contains(a.body, "could not be accepted") {
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
		done := st.redeem(t, id, answer.Code)
		if done.Site != "other.org" || !slices.Equal(done.Hostnames, []string{"*.lab.other.org", "tcp.other.org"}) {
			t.Fatalf("approved %+v", done)
		}
	})
	t.Run("on the whole site", func(t *testing.T) {
		t.Parallel()
		st := start(t)
		st.person(t, "hosts")
		started := st.begin(t, wire.ModeLoopback, wire.PurposeEnrol)
		code := st.approve(t, browser(t), started.Attempt)
		if done := st.redeem(t, started.Attempt, code); done.Site != "other.org" || len(done.Hostnames) != 0 {
			t.Fatalf("approved %+v", done)
		}
	})
	t.Run("without the right", func(t *testing.T) {
		t.Parallel()
		st := start(t)
		st.person(t, "staff")
		id := st.begin(t, wire.ModeLoopback, wire.PurposeEnrol).Attempt
		c := browser(t)
		a := st.get(t, c, st.signIn(t, c, id))
		if a.StatusCode != http.StatusGone || !strings.Contains(a.body, "may not publish") || !slices.Equal(st.heard(), []string{"denied"}) {
			t.Fatalf("%d, told %v: %s", a.StatusCode, st.heard(), a.body)
		}
	})
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
	link := mustURL(t, st.idp.SetupLink())
	token, c := link.Query().Get("token"), browser(t)
	form := func(email, password, again string) url.Values {
		return url.Values{"token": {token}, "email": {email}, "name": {"Alice"}, "password": {password}, "again": {again}}
	}
	if a := st.get(t, c, link.String()); a.StatusCode != http.StatusOK || !strings.Contains(a.body, token) {
		t.Fatalf("page: %d %s", a.StatusCode, a.body)
	}
	for want, f := range map[string]url.Values{
		"A password has 12 to 256 characters.": form(email, "short", "short"),
		"The two passwords differ.":            form(email, password, password+"x"),
		"That is not a valid email address.":   form("alice", password, password),
	} {
		a := st.post(t, c, "/setup", f)
		if a.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(a.body, `role="alert">`+want) || strings.Contains(a.body, password) {
			t.Fatalf("%s: %d %s", want, a.StatusCode, a.body)
		}
	}
	if a := st.post(t, c, "/setup", form(email, password, password)); a.StatusCode != http.StatusOK || !strings.Contains(a.body, "The edge is ready") {
		t.Fatalf("set-up: %d %s", a.StatusCode, a.body)
	}
	if a := st.post(t, c, "/setup", form("eve@site.com", password, password)); a.StatusCode != http.StatusForbidden {
		t.Fatalf("the link a second time: %d", a.StatusCode)
	}
	if a := st.get(t, c, "/setup?token=x"); a.StatusCode != http.StatusForbidden {
		t.Fatalf("wrong token: %d", a.StatusCode)
	}
	id := st.begin(t, wire.ModeLoopback, wire.PurposeEnrol).Attempt // an administrator may
	st.redeem(t, id, st.approve(t, c, id))
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
