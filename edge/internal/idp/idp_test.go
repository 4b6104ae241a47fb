package idp

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/edge/internal/store"
	"github.com/sallyport/sallyport/internal/quota"
)

const (
	email    = "alice@site.com"
	password = "correct horse battery"
	verifier = "a-verifier-of-at-least-forty-three-characters-000"
)

// bench is a provider on a real store behind a real HTTP server.
type bench struct {
	*Provider
	path   string
	store  *store.Bolt
	server *httptest.Server
	client *http.Client // one browser; it does not follow redirects

	mu    sync.Mutex
	clock time.Time
}

func start(t *testing.T) *bench {
	t.Helper()
	b := &bench{path: filepath.Join(t.TempDir(), "edge.db"), clock: time.Now(), client: browser(t)}
	b.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { b.Handler().ServeHTTP(w, r) }))
	t.Cleanup(b.server.Close)
	b.open(t)
	t.Cleanup(func() { b.store.Close() })
	return b
}

func (b *bench) open(t *testing.T) {
	t.Helper()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	var err error
	if b.store, err = store.Open(b.path, log); err != nil {
		t.Fatal(err)
	}
	b.Provider, err = New(t.Context(), b.store, Config{WebURL: b.server.URL, Log: log, Clock: func() time.Time {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.clock
	}})
	if err != nil {
		t.Fatal(err)
	}
}

func (b *bench) later(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.clock = b.clock.Add(d)
}

func (b *bench) add(t *testing.T, groups ...string) Person {
	t.Helper()
	p, _, err := b.People().Add(t.Context(), NewPerson{Email: email, Name: "Alice", Password: password, Groups: groups})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func browser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func (b *bench) params() url.Values {
	sum := sha256.Sum256([]byte(verifier))
	return url.Values{
		"client_id": {clientID}, "response_type": {"code"}, "scope": {"openid email profile"}, "state": {"s1"}, "nonce": {"n1"},
		"redirect_uri": {b.server.URL + "/callback"}, "code_challenge_method": {"S256"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])},
	}
}

// get and post give status, Location and body.
func (b *bench) get(t *testing.T, c *http.Client, to string) (int, string, string) {
	t.Helper()
	resp, err := c.Get(to)
	return read(t, resp, err)
}

func (b *bench) post(t *testing.T, c *http.Client, to string, form url.Values) (int, string, string) {
	t.Helper()
	resp, err := c.PostForm(to, form)
	return read(t, resp, err)
}

func read(t *testing.T, resp *http.Response, err error) (int, string, string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header.Get("Location"), string(body)
}

// begin takes the browser to the login page and gives the request's id.
func (b *bench) begin(t *testing.T, c *http.Client) string {
	t.Helper()
	status, to, body := b.get(t, c, b.Issuer()+"/authorize?"+b.params().Encode())
	id, ok := strings.CutPrefix(to, b.server.URL+loginPath+"?id=")
	if status != http.StatusFound || !ok {
		t.Fatalf("authorize: %d %s %s", status, to, body)
	}
	if status, _, page := b.get(t, c, to); status != 200 || !regexp.MustCompile(`name="id" value="`+id+`"`).MatchString(page) {
		t.Fatalf("login page: %d %s", status, page)
	}
	return id
}

func (b *bench) submit(t *testing.T, c *http.Client, id, email, password string) (int, string, string) {
	t.Helper()
	for range 10 { // as a person who is told that the edge is busy does
		status, to, body := b.post(t, c, b.server.URL+loginPath, url.Values{"id": {id}, "email": {email}, "password": {password}})
		if status != http.StatusServiceUnavailable {
			return status, to, body
		}
	}
	t.Fatal("the edge is busy")
	return 0, "", ""
}

// code signs in and gives the code of the callback.
func (b *bench) code(t *testing.T) string {
	t.Helper()
	id := b.begin(t, b.client)
	status, to, body := b.submit(t, b.client, id, email, password)
	if status != http.StatusSeeOther {
		t.Fatalf("login: %d %s", status, body)
	}
	_, to, body = b.get(t, b.client, to)
	u, err := url.Parse(to)
	if err != nil || u.Path != "/callback" || u.Query().Get("state") != "s1" || u.Query().Get("code") == "" {
		t.Fatalf("callback: %q %v %s", to, err, body)
	}
	if status, _, _ := b.get(t, b.client, b.Issuer()+"/authorize/callback?id="+id); status != http.StatusBadRequest {
		t.Fatalf("second way back: %d", status)
	}
	return u.Query().Get("code")
}

// exchange asks the token endpoint in the process.
func (b *bench) exchange(t *testing.T, change func(url.Values), secret string) (int, map[string]any) {
	t.Helper()
	form := url.Values{"grant_type": {"authorization_code"}, "redirect_uri": {b.server.URL + "/callback"}, "code_verifier": {verifier}}
	change(form)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.Issuer()+"/oauth/token", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(clientID, secret)
	resp, err := (&http.Client{Transport: b.Transport()}).Do(r)
	status, _, body := read(t, resp, err)
	var m map[string]any
	if err := json.Unmarshal([]byte(body), &m); err != nil {
		t.Fatalf("%d %s", status, body)
	}
	return status, m
}

func (b *bench) tokens(t *testing.T) (claims map[string]any, access string) {
	t.Helper()
	_, secret := b.Client()
	code := b.code(t)
	status, m := b.exchange(t, func(f url.Values) { f.Set("code", code) }, secret)
	if status != 200 || m["refresh_token"] != nil {
		t.Fatalf("token: %d %v", status, m)
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(m["id_token"].(string), ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	return claims, m["access_token"].(string)
}

func TestCodeFlow(t *testing.T) {
	t.Parallel()
	b := start(t)
	p := b.add(t, "staff", "admins")
	claims, access := b.tokens(t)
	for name, want := range map[string]any{
		"iss": b.Issuer(), "sub": p.Subject, "nonce": "n1", "email": email, "email_verified": true, "name": "Alice", "azp": clientID,
	} {
		if claims[name] != want {
			t.Errorf("%s = %v, want %v", name, claims[name], want)
		}
	}
	if g, _ := json.Marshal(claims["groups"]); string(g) != `["admins","staff"]` {
		t.Errorf("groups %s", g)
	}
	if a, _ := json.Marshal(claims["amr"]); string(a) != `["pwd"]` {
		t.Errorf("amr %s", a)
	}
	r, err := http.NewRequest(http.MethodGet, b.Issuer()+"/userinfo", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+access)
	resp, err := b.client.Do(r)
	status, _, body := read(t, resp, err)
	if status != 200 || !strings.Contains(body, `"groups":["admins","staff"]`) || !strings.Contains(body, p.Subject) {
		t.Fatalf("userinfo: %d %s", status, body)
	}
	b.later(tokenLife)
	resp, err = b.client.Do(r)
	if status, _, _ := read(t, resp, err); status == 200 {
		t.Fatal("access token lives on")
	}
}

func TestAuthorizeRefuses(t *testing.T) {
	t.Parallel()
	b := start(t)
	for name, change := range map[string]func(url.Values){
		"other client":   func(v url.Values) { v.Set("client_id", "x") },
		"other redirect": func(v url.Values) { v.Set("redirect_uri", "https://evil.example/callback") },
		"longer path":    func(v url.Values) { v.Set("redirect_uri", b.server.URL+"/callback/x") },
		"implicit":       func(v url.Values) { v.Set("response_type", "id_token token") },
		"form post":      func(v url.Values) { v.Set("response_mode", "form_post") },
		"no PKCE":        func(v url.Values) { v.Del("code_challenge") },
		"plain PKCE":     func(v url.Values) { v.Set("code_challenge_method", "plain") },
		"silent":         func(v url.Values) { v.Set("prompt", "none") },
		"no client":      func(v url.Values) { v.Del("client_id") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := b.params()
			change(v)
			_, to, _ := b.get(t, browser(t), b.Issuer()+"/authorize?"+v.Encode())
			if strings.Contains(to, loginPath) || strings.HasPrefix(to, "https://evil") || strings.Contains(to, "code=") {
				t.Fatalf("goes on to %s", to)
			}
		})
	}
}

func TestTokenEndpointRefuses(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.add(t)
	_, good := b.Client()
	for name, tt := range map[string]struct {
		change func(url.Values)
		secret string
	}{
		"wrong secret":   {func(url.Values) {}, "x"},
		"no secret":      {func(url.Values) {}, ""},
		"wrong verifier": {func(v url.Values) { v.Set("code_verifier", strings.Repeat("x", 50)) }, good},
		"no verifier":    {func(v url.Values) { v.Del("code_verifier") }, good},
		"other redirect": {func(v url.Values) { v.Set("redirect_uri", b.server.URL+"/x") }, good},
		"garbage":        {func(v url.Values) { v.Set("code", "x") }, good},
		"refresh":        {func(v url.Values) { v.Set("grant_type", "refresh_token"); v.Set("refresh_token", "x") }, good},
		"client creds":   {func(v url.Values) { v.Set("grant_type", "client_credentials") }, good},
		"jwt bearer": {func(v url.Values) {
			v.Set("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")
			v.Set("assertion", "x")
		}, good},
	} {
		t.Run(name, func(t *testing.T) {
			code := b.code(t)
			status, m := b.exchange(t, func(f url.Values) { f.Set("code", code); tt.change(f) }, tt.secret)
			if status < 400 || m["id_token"] != nil || m["access_token"] != nil {
				t.Fatalf("%d %v", status, m)
			}
		})
	}
	code := b.code(t)
	use := func() int {
		status, _ := b.exchange(t, func(f url.Values) { f.Set("code", code) }, good)
		return status
	}
	if first, second := use(), use(); first != 200 || second < 400 {
		t.Fatalf("code used twice: %d, %d", first, second)
	}
	code = b.code(t)
	b.later(codeLife)
	if status := use(); status < 400 {
		t.Fatalf("old code: %d", status)
	}
	code = b.code(t)
	if err := b.People().Remove(t.Context(), email); err != nil {
		t.Fatal(err)
	}
	if status := use(); status < 400 {
		t.Fatalf("code of somebody who was removed: %d", status)
	}
	b.add(t)
	code = b.code(t)
	if err := b.People().Remove(t.Context(), email); err != nil {
		t.Fatal(err)
	}
	b.add(t)
	if status := use(); status < 400 {
		t.Fatalf("code of somebody who had the address before: %d", status)
	}
}

func TestRequestBelongsToItsBrowser(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.add(t)
	attacker, victim := browser(t), browser(t)
	id := b.begin(t, attacker)
	if status, _, page := b.get(t, victim, b.server.URL+loginPath+"?id="+id); status != http.StatusBadRequest || strings.Contains(page, "<form") {
		t.Fatalf("another browser gets the page: %d", status)
	}
	if status, _, _ := b.submit(t, victim, id, email, password); status != http.StatusBadRequest {
		t.Fatalf("another browser signs in: %d", status)
	}
	if status, to, _ := b.get(t, attacker, b.Issuer()+"/authorize/callback?id="+id); status != http.StatusBadRequest || to != "" {
		t.Fatalf("a code without a login: %d %s", status, to)
	}
}

func TestUnknownPersonAndWrongPasswordLookTheSame(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.add(t)
	answer := func(email, password string) string {
		c := browser(t)
		id := b.begin(t, c)
		status, _, page := b.submit(t, c, id, email, password)
		if status != http.StatusUnauthorized {
			t.Fatalf("status %d", status)
		}
		return strings.NewReplacer(id, "ID", email, "EMAIL").Replace(page)
	}
	wrong, unknown := answer(email, "wrong password"), answer("nobody@site.com", password)
	if wrong != unknown {
		t.Fatalf("answers differ:\n%s\n%s", wrong, unknown)
	}
	if !strings.Contains(wrong, `role="alert"`) {
		t.Fatal("no alert")
	}
	if got := answer("not an address", "wrong password"); got != wrong {
		t.Fatalf("answers differ:\n%s", got)
	}
}

func TestFailedTriesAreLimited(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.add(t)
	id := b.begin(t, b.client)
	for range pairBurst {
		if status, _, _ := b.submit(t, b.client, id, email, "wrong password"); status != http.StatusUnauthorized {
			t.Fatalf("status %d", status)
		}
	}
	if status, _, _ := b.submit(t, b.client, id, " ALICE@site.com", password); status != http.StatusTooManyRequests {
		t.Fatalf("the right password after %d wrong ones: %d", pairBurst, status)
	}
	b.later(pairEvery)
	if status, _, _ := b.submit(t, b.client, id, email, password); status != http.StatusSeeOther {
		t.Fatalf("after a while: %d", status)
	}
}

// A stranger's failures lock the account for the stranger, not for its owner;
// failures from many addresses lock it for all, for a while.
func TestStrangersDoNotLockAnAccount(t *testing.T) {
	t.Parallel()
	l := start(t).login
	stranger, owner := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	for l.try(email, stranger) {
	}
	if !l.try(email, owner) {
		t.Fatal("locked out by one stranger")
	}
	l.untry(email, owner)
	n := 0
	for from := owner.Next(); n <= accountBurst && l.try(email, from); from = from.Next() {
		n++
	}
	if want := accountBurst - pairBurst; n != want {
		t.Fatalf("%d tries from many addresses, want %d", n, want)
	}
	if l.try(email, owner) {
		t.Fatal("no limit over all addresses")
	}
	if !l.pairs.Has(pair{email, owner}, l.now()) || !l.failed.Has(owner, l.now()) {
		t.Error("a try that was not made has cost one")
	}
}

// Tries that are made at once count like those made one after the other: else
// the time that a hash takes is time for any number of them.
func TestTriesAtOnceAreLimited(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.add(t)
	b.login.failed = quota.New[netip.Addr](addressEvery, 1000, maxCounted) // the account's limit is looked at
	id := b.begin(t, b.client)
	const tries = 6 * pairBurst
	checked := make(chan bool, tries)
	for range tries {
		go func() {
			resp, err := b.client.PostForm(b.server.URL+loginPath, url.Values{"id": {id}, "email": {email}, "password": {"guess guess guess"}})
			if err == nil {
				resp.Body.Close()
			}
			checked <- err != nil || resp.StatusCode != http.StatusTooManyRequests
		}()
	}
	n := 0
	for range tries {
		if <-checked {
			n++
		}
	}
	if n > pairBurst {
		t.Fatalf("%d passwords were tried, want %d at most", n, pairBurst)
	}
}

// Who has an IPv6 network has 2^64 addresses and one limit.
func TestAddressOf(t *testing.T) {
	t.Parallel()
	at := func(s string) netip.Addr { return addressOf(&http.Request{RemoteAddr: s}) }
	if a, b := at("[2001:db8:1:2:3::4]:5"), at("[2001:db8:1:2:ffff::1]:6"); a != b || !a.IsValid() {
		t.Errorf("one network counts as %s and %s", a, b)
	}
	if a, b := at("[2001:db8:1:2::1]:5"), at("[2001:db8:1:3::1]:5"); a == b {
		t.Errorf("two networks count as %s", a)
	}
	if a, b := at("192.0.2.1:5"), at("[::ffff:192.0.2.1]:6"); a != b || a == at("192.0.2.2:5") {
		t.Errorf("IPv4 counts as %s and %s", a, b)
	}
}

func TestOnlyTheCodeFlowIsOffered(t *testing.T) {
	t.Parallel()
	b := start(t)
	_, _, body := b.get(t, b.client, b.Issuer()+"/.well-known/openid-configuration")
	var doc map[string]any
	if err := json.Unmarshal([]byte(body), &doc); err != nil || doc["issuer"] != b.Issuer() {
		t.Fatalf("%v %s", err, body)
	}
	for name, v := range doc {
		if s, ok := v.(string); ok && strings.HasSuffix(name, "_endpoint") && !strings.HasPrefix(s, b.Issuer()+"/") {
			t.Errorf("%s = %s", name, s)
		}
	}
	for _, path := range []string{"/revoke", "/end_session", "/device_authorization", "/oauth/introspect", "/healthz", "/ready", "/"} {
		if status, _, _ := b.post(t, b.client, b.Issuer()+path, nil); status < 400 {
			t.Errorf("%s: %d", path, status)
		}
	}
	resp, err := b.client.PostForm(b.Issuer()+"/oauth/token", url.Values{"x": {strings.Repeat("a", maxForm)}})
	if status, _, _ := read(t, resp, err); status < 400 {
		t.Errorf("a large body: %d", status)
	}
}

func TestTransportStaysAtHome(t *testing.T) {
	t.Parallel()
	b := start(t)
	c := &http.Client{Transport: b.Transport()}
	for _, to := range []string{b.server.URL + "/", "http://evil.example/idp/keys", b.server.URL + "/idpx/keys", strings.Replace(b.server.URL, "127.0.0.1", "127.0.0.2", 1) + "/idp/keys"} {
		if resp, err := c.Get(to); !errors.Is(err, errElsewhere) {
			t.Errorf("%s: %v %v", to, resp, err)
		}
	}
	resp, err := c.Get(b.Issuer() + "/keys")
	if status, _, body := read(t, resp, err); status != 200 || !strings.Contains(body, `"ES256"`) || strings.Contains(body, `"d"`) {
		t.Fatalf("keys: %d %s", status, body)
	}
}

func TestKeysAndPeopleOutliveTheProcess(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.add(t)
	before := b.storage.key.id
	reopen := func() {
		if err := b.store.Close(); err != nil {
			t.Fatal(err)
		}
		b.open(t)
	}
	reopen()
	if b.storage.key.id != before || b.SetupLink() != "" {
		t.Fatal("key or people are gone")
	}
	b.code(t)
	b.later(keyLife)
	reopen()
	if b.storage.key.id == before {
		t.Fatal("an old key is still used")
	}
	file, err := os.ReadFile(b.path)
	if err != nil || bytes.Contains(file, []byte(password)) {
		t.Fatalf("password at rest; %v", err)
	}
}

func TestRequestsAreBounded(t *testing.T) {
	t.Parallel()
	m := map[int]time.Time{}
	now := time.Unix(1000, 0)
	for i := range 50 {
		makeRoom(m, 10, now, func(t time.Time) time.Time { return t })
		m[i] = now.Add(time.Duration(i+1) * time.Second)
	}
	if len(m) != 10 || m[49].IsZero() || !m[0].IsZero() {
		t.Fatalf("kept %v", m)
	}
	makeRoom(m, 10, now.Add(time.Hour), func(t time.Time) time.Time { return t })
	if len(m) != 0 {
		t.Fatalf("kept what is over: %v", m)
	}
}
