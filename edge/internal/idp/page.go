package idp

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	_ "embed"
	"encoding/json"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/sallyport/sallyport/internal/quota"
)

const (
	loginPath = Path + "/login"
	// hashWait is how long a login may wait for its turn at the hash.
	hashWait = 5 * time.Second

	// Failed tries: of an account from one address, of an address, and of an
	// account from anywhere. The last locks its owner out as well, so one address
	// alone, at the first limit, gets tries back more slowly than it gives them.
	pairEvery, pairBurst       = 30 * time.Second, 10
	addressEvery, addressBurst = 5 * time.Second, 40
	accountEvery, accountBurst = 10 * time.Second, 100
	// beginEvery and beginBurst bound the requests that one address begins.
	beginEvery, beginBurst = 200 * time.Millisecond, 200
	maxCounted             = 10_000
)

//go:embed login.html
var loginHTML string

var loginTemplate = template.Must(template.New("login").Parse(loginHTML))

// loginPage is where people type their password. It works without JavaScript
// and uses the style sheet of the edge's pages.
type loginPage struct {
	people  *People
	storage *storage
	webURL  string
	secure  bool
	log     *slog.Logger
	now     func() time.Time

	// Failures.
	pairs    *quota.Buckets[pair]
	accounts *quota.Buckets[string]
	failed   *quota.Buckets[netip.Addr]
	begun    *quota.Buckets[netip.Addr]
}

// pair is an account as it is tried from an address.
type pair struct {
	account string
	from    netip.Addr
}

func newLoginPage(people *People, s *storage, cfg Config) *loginPage {
	return &loginPage{
		people: people, storage: s, webURL: cfg.WebURL, secure: strings.HasPrefix(cfg.WebURL, "https://"),
		log: cfg.Log, now: cfg.Clock,
		pairs:    quota.New[pair](pairEvery, pairBurst, maxCounted),
		accounts: quota.New[string](accountEvery, accountBurst, maxCounted),
		failed:   quota.New[netip.Addr](addressEvery, addressBurst, maxCounted),
		begun:    quota.New[netip.Addr](beginEvery, beginBurst, maxCounted),
	}
}

// begin wraps op's authorize: the request that it makes will belong to this browser.
func (l *loginPage) begin(next http.Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !l.begun.Take(addressOf(r), l.now()) {
			l.fail(w, http.StatusTooManyRequests, "Too many sign-ins were begun from your address.", "Wait a minute, then try again.")
			return
		}
		// What op would refuse is refused here: it logs a request's state, and
		// as much as strangers want.
		if !l.storage.client.mayBegin(r.URL.Query()) {
			l.fail(w, http.StatusBadRequest, "This address is for the edge's own sign-ins.", "Go back to the program that asked you to sign in and start again.")
			return
		}
		id, secret := rand.Text(), rand.Text()
		http.SetCookie(w, l.cookie(id, secret, requestLife))
		next.ServeHTTP(w, r.WithContext(withBeginning(r.Context(), beginning{id, sha256.Sum256([]byte(secret))})))
	}
}

// finish wraps op's way back from the login page.
func (l *loginPage) finish(next http.Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		req, ok := l.mine(r, r.URL.Query().Get("id"))
		if !ok || !req.Done() {
			l.lost(w)
			return
		}
		http.SetCookie(w, l.cookie(req.id, "", -time.Second))
		next.ServeHTTP(w, r)
	}
}

func (l *loginPage) show(w http.ResponseWriter, r *http.Request) {
	req, ok := l.mine(r, r.URL.Query().Get("id"))
	if !ok {
		l.lost(w)
		return
	}
	l.render(w, http.StatusOK, page{Request: req.id})
}

func (l *loginPage) submit(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		l.fail(w, http.StatusBadRequest, "The form could not be read.", "Go back and try again.")
		return
	}
	req, ok := l.mine(r, r.PostForm.Get("id"))
	if !ok {
		l.lost(w)
		return
	}
	email, from := strings.ToLower(strings.TrimSpace(r.PostForm.Get("email"))), addressOf(r)
	again := page{Request: req.id, Email: email}
	if len(email) > maxEmail {
		again.Email = ""
	}
	if !l.try(again.Email, from) {
		again.Error = "There were too many failed tries. Wait a minute, then try again."
		l.render(w, http.StatusTooManyRequests, again)
		return
	}
	person, ok, err := l.verify(r.Context(), again.Email, r.PostForm.Get("password"))
	switch {
	case err != nil:
		l.untry(again.Email, from)
		l.log.Error("password not checked", "error", err)
		again.Error = "The edge is busy. Try again in a moment."
		l.render(w, http.StatusServiceUnavailable, again)
	case !ok:
		l.log.Warn("sign-in failed", "from", r.RemoteAddr)
		again.Error = "Email address or password is not right."
		l.render(w, http.StatusUnauthorized, again)
	case !l.storage.signedIn(req.id, person):
		l.untry(again.Email, from)
		l.lost(w)
	default:
		l.untry(again.Email, from)
		l.pairs.Forget(pair{again.Email, from})
		http.Redirect(w, r, l.webURL+Path+"/authorize/callback?id="+req.id, http.StatusSeeOther)
	}
}

// try takes a try of the account and of the address before the password is
// looked at: taken afterwards, any number could be under way at once.
func (l *loginPage) try(account string, from netip.Addr) bool {
	now := l.now()
	if !l.pairs.Take(pair{account, from}, now) {
		return false
	}
	if !l.accounts.Take(account, now) {
		l.pairs.Give(pair{account, from}, now)
		return false
	}
	if !l.failed.Take(from, now) {
		l.pairs.Give(pair{account, from}, now)
		l.accounts.Give(account, now)
		return false
	}
	return true
}

// untry gives them back: no wrong password was tried.
func (l *loginPage) untry(account string, from netip.Addr) {
	now := l.now()
	l.pairs.Give(pair{account, from}, now)
	l.accounts.Give(account, now)
	l.failed.Give(from, now)
}

func (l *loginPage) verify(ctx context.Context, email, password string) (Person, bool, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, hashWait, errors.New("too many sign-ins at once"))
	defer cancel()
	return l.people.verify(ctx, email, password)
}

// mine gives a request that belongs to the browser.
func (l *loginPage) mine(r *http.Request, id string) (*request, bool) {
	req, ok := l.storage.request(id)
	if !ok {
		return nil, false
	}
	c, err := r.Cookie(l.cookieName(id))
	if err != nil || !req.ownedBy(c.Value) {
		return nil, false
	}
	return req, true
}

func (l *loginPage) cookieName(id string) string {
	name := "sallyport-idp-" + id[:min(8, len(id))]
	if l.secure {
		return "__Host-" + name
	}
	return name // on http at localhost a browser takes no __Host- cookie
}

func (l *loginPage) cookie(id, value string, life time.Duration) *http.Cookie {
	return &http.Cookie{
		Name: l.cookieName(id), Value: value, Path: "/", MaxAge: int(life.Seconds()),
		Secure: l.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}

// page is what login.html shows: the form, or a Stop without one.
type page struct {
	Request, Email, Error string
	Stop, Hint            string
}

func (l *loginPage) lost(w http.ResponseWriter) {
	l.fail(w, http.StatusBadRequest, "This sign-in is not known here: it took too long, or was begun in another browser.",
		"Go back to the program that asked you to sign in and start again. Cookies must be allowed for this site.")
}

func (l *loginPage) fail(w http.ResponseWriter, status int, stop, hint string) {
	l.render(w, status, page{Stop: stop, Hint: hint})
}

func (l *loginPage) render(w http.ResponseWriter, status int, p page) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if err := loginTemplate.Execute(w, p); err != nil {
		l.log.Debug("page not written", "error", err)
	}
}

// addressOf is whose limits count: an IPv6 customer has a whole /64.
func addressOf(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{} // unknown addresses share one limit
	}
	from := at.Addr().Unmap().WithZone("")
	if from.Is6() {
		if p, err := from.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return from
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v)
}
