package web

import (
	"crypto/sha256"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/edge/internal/authn"
	"github.com/sallyport/sallyport/edge/internal/config"
	"github.com/sallyport/sallyport/edge/internal/idp"
	"github.com/sallyport/sallyport/edge/internal/login"
	"github.com/sallyport/sallyport/edge/internal/store"
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

func start(t testing.TB, options ...option) *stage { return startAt(t, false, options...) }

func startAt(t testing.TB, https bool, options ...option) *stage {
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
	st.edge.Login = config.Login{Modes: []string{config.ModeLoopback, config.ModeCode}, Timeout: 10 * time.Minute}

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

func (st *stage) begin(t testing.TB, mode wire.LoginMode, purpose wire.LoginPurpose) *wire.LoginStarted {
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

func (st *stage) redeem(t *testing.T, attempt, code string) *login.Approved {
	t.Helper()
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

// signIn walks a browser through the provider and gives the callback's URL.
func (st *stage) signIn(t *testing.T, c *http.Client, attempt string) string {
	t.Helper()
	to := st.post(t, c, "/login/"+attempt, url.Values{"action": {"continue"}}).Header.Get("Location")
	to = st.get(t, c, to).Header.Get("Location") // authorize -> login page
	u := mustURL(t, to)
	if u.Path != "/idp/login" {
		t.Fatalf("not at the login page but %q", to)
	}
	to = st.post(t, c, "/idp/login", url.Values{"id": {u.Query().Get("id")}, "email": {email}, "password": {password}}).Header.Get("Location")
	return st.get(t, c, to).Header.Get("Location")
}

// toConfirm walks a browser to the confirm page.
func (st *stage) toConfirm(t *testing.T, c *http.Client, attempt string) {
	t.Helper()
	to := st.signIn(t, c, attempt)
	if a := st.get(t, c, to); a.Header.Get("Location") != "/confirm/"+attempt {
		t.Fatalf("callback: %d %s", a.StatusCode, a.body)
	}
	if again := st.get(t, c, to); again.StatusCode != http.StatusBadRequest {
		t.Fatalf("callback loaded again: %d", again.StatusCode)
	}
}

var shownCode = regexp.MustCompile(`<p class="code" id="code">([^<]*)</p>`)

// approve walks a browser through everything and gives the code: that of the
// loopback redirect, or the one that is shown.
func (st *stage) approve(t *testing.T, c *http.Client, attempt string) string {
	t.Helper()
	st.toConfirm(t, c, attempt)
	page := st.get(t, c, "/confirm/"+attempt)
	form := url.Values{"decision": {"approve"}}
	if option := regexp.MustCompile(`<option value="([^"]*)">`).FindStringSubmatch(page.body); option != nil {
		form.Set("site", option[1])
	}
	to := st.post(t, c, "/confirm/"+attempt, form).Header.Get("Location")
	if code, ok := strings.CutPrefix(to, "http://127.0.0.1:41234/0123456789abcdef?code="); ok {
		return code
	}
	shown := shownCode.FindStringSubmatch(st.get(t, c, to).body)
	if shown == nil {
		t.Fatalf("no code at %q", to)
	}
	return shown[1]
}

func mustURL(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
