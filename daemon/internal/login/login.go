// Package login holds the attempts to sign in of one (OS user, edge), and the
// connections that wait for them.
//
// Shapes: Attempts has one live attempt at most. A waiting connection only
// marks one as wanted; Start (ctl or the tray, which open the browser) takes
// it. Whoever else asks in the same mode joins.
//
// States (api.LoginState), as next in state.go has them:
//
//	wanted ──take──▶ starting ──answer──▶ browser ──code──▶ redeeming ──done──▶ done
//	                                         ▲                 │
//	                                         └──────wrong──────┘
//	any of these: refuse ▶ refused, expire ▶ expired, cancel or replace ▶
//	cancelled, fail ▶ failed, done ▶ done (a session came by another way)
//
// Errors: all that a caller gets are *api.Problem.
//
// Concurrency: no goroutine of its own but timers, which Close ends. Every
// method may be called from anywhere.
//
// Source: design section 6; promise A6.
package login

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"sync"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/wire"
)

const (
	// defaultWait is login_wait: how long a connection is held.
	defaultWait = 5 * time.Minute
	// defaultPause is how long a refusal keeps connections from raising the next login.
	defaultPause = 30 * time.Second
	// failedPause is the same after an edge that could not be asked.
	failedPause = 2 * time.Second
	// keepEnded is how many ended attempts can still be asked for.
	keepEnded = 8
	// verifierBytes are secret and 256 bits long.
	verifierBytes = 32
)

// Link is what the attempts need of the link (a *link.Link).
type Link interface {
	StartLogin(ctx context.Context, m *wire.LoginStart) (*wire.LoginStarted, error)
	Redeem(ctx context.Context, m *wire.LoginRedeem) (*wire.LoginDone, error)
	CancelLogin(attempt string)
	HasSession() bool
}

// Config is what Attempts need. Edge, Owner, Link and Log are required.
type Config struct {
	Edge       string // names for api.Login
	Owner      string
	DeviceName string // told to the edge, as OSUser
	OSUser     string
	Link       Link
	// CheckURL says whether a login URL may be shown; nil means https, and http
	// on localhost for an edge on loopback.
	CheckURL func(url string) error
	// Problem puts an error in words (link.ProblemOf); nil uses the error's text.
	Problem func(error) *api.Problem
	Log     *slog.Logger
	// Changed is told that List has changed; nil means nobody. It must not block.
	Changed func()
	// Wait is how long a connection is held; zero means 5 min.
	Wait time.Duration
	// Pause is how long after a refusal connections raise no login; zero means 30 s.
	Pause time.Duration
}

// Attempts are the logins of one (OS user, edge): one live at a time.
type Attempts struct {
	cfg Config
	log *slog.Logger

	mu      sync.Mutex
	live    *attempt   // nil without one
	ended   []*attempt // newest first
	waiters map[chan error]struct{}
	// pausedUntil keeps connections from raising a login; paused is what they
	// are told instead.
	pausedUntil time.Time
	paused      *api.Problem
	closed      bool
}

// attempt is one login; guarded by Attempts.mu.
type attempt struct {
	api.Login
	edgeID   string // the edge's name of it
	verifier []byte
	takers   int           // requests that hold it
	expiry   *time.Timer   // nil unless the browser is awaited
	moved    chan struct{} // closed, and replaced, when the state changes
}

// New returns Attempts without an attempt. It starts nothing.
func New(c Config) *Attempts {
	if c.Wait <= 0 {
		c.Wait = defaultWait
	}
	if c.Pause <= 0 {
		c.Pause = defaultPause
	}
	return &Attempts{cfg: c, log: c.Log.With("edge", c.Edge, "owner", c.Owner), waiters: make(map[chan error]struct{})}
}

// Get returns one attempt; ok is false where it is not known (any more).
func (a *Attempts) Get(id string) (login api.Login, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if t := a.findLocked(id); t != nil {
		return a.viewLocked(t), true
	}
	return api.Login{}, false
}

// List returns the live attempt and the last ended ones, newest first.
func (a *Attempts) List() []api.Login {
	a.mu.Lock()
	defer a.mu.Unlock()
	var list []api.Login
	if a.live != nil {
		list = append(list, a.viewLocked(a.live))
	}
	for _, t := range a.ended {
		list = append(list, a.viewLocked(t))
	}
	return list
}

// Close gives up what is live and releases who waits.
func (a *Attempts) Close() {
	a.mu.Lock()
	a.closed = true
	stopping := &api.Problem{Code: api.CodeLoginAbandoned, Title: "The daemon is stopping"}
	if a.live != nil {
		a.endLocked(a.live, eventCancel, stopping)
	}
	a.releaseLocked(stopping)
	a.mu.Unlock()
	a.changed()
}

func (a *Attempts) findLocked(id string) *attempt {
	if a.live != nil && a.live.ID == id {
		return a.live
	}
	for _, t := range a.ended {
		if t.ID == id {
			return t
		}
	}
	return nil
}

// viewLocked is the attempt as others may see it.
func (a *Attempts) viewLocked(t *attempt) api.Login {
	l := t.Login
	if t == a.live {
		l.Waiting = len(a.waiters)
	}
	return l
}

// newLocked makes the live attempt.
func (a *Attempts) newLocked(s api.LoginState) *attempt {
	t := &attempt{moved: make(chan struct{})}
	t.ID, t.Edge, t.Owner, t.State, t.Purpose = "log_"+rand.Text()[:10], a.cfg.Edge, a.cfg.Owner, s, api.PurposeSession
	a.live = t
	return t
}

// stepLocked moves an attempt's state.
func (a *Attempts) stepLocked(t *attempt, e event) {
	from := t.State
	if t.State = next(from, e); t.State == from {
		return
	}
	close(t.moved)
	t.moved = make(chan struct{})
	a.log.Info("login", "attempt", t.ID, "from", string(from), "to", string(t.State))
}

// endLocked moves an attempt to a final state and keeps it to be asked for.
func (a *Attempts) endLocked(t *attempt, e event, p *api.Problem) {
	if t.State.Final() {
		return
	}
	t.Problem = p
	t.URL, t.CompareCode, t.verifier = "", "", nil
	if t.expiry != nil {
		t.expiry.Stop()
	}
	if e == eventCancel || e == eventReplace || e == eventExpire {
		if t.edgeID != "" {
			a.cfg.Link.CancelLogin(t.edgeID)
		}
	}
	a.stepLocked(t, e)
	if a.live == t {
		a.live = nil
	}
	a.ended = append([]*attempt{t}, a.ended...)
	a.ended = a.ended[:min(len(a.ended), keepEnded)]
}

func (a *Attempts) changed() {
	if a.cfg.Changed != nil {
		a.cfg.Changed()
	}
}

func (a *Attempts) problem(err error) *api.Problem {
	if a.cfg.Problem != nil {
		return a.cfg.Problem(err)
	}
	return &api.Problem{Code: api.CodeInternal, Title: "The login failed", Detail: err.Error()}
}

// checkURL: https, or http on localhost where the edge itself is on loopback.
func (a *Attempts) checkURL(link string) error {
	if a.cfg.CheckURL != nil {
		return a.cfg.CheckURL(link)
	}
	u, err := url.Parse(link)
	if err != nil || u.Host == "" {
		return errURL
	}
	if u.Scheme == "https" || (u.Scheme == "http" && u.Hostname() == "localhost" && isLoopback(a.cfg.Edge)) {
		return nil
	}
	return errURL
}

// isLoopback says whether an edge's name, with or without a port, is on this machine.
func isLoopback(edge string) bool {
	host, _, err := net.SplitHostPort(edge)
	if err != nil {
		host = edge
	}
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || (err == nil && addr.IsLoopback())
}
