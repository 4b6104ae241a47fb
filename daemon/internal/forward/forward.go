// Package forward is one local entry: a listener on this machine that leads to
// a hostname.
//
// Shapes: a Forwarder binds its place, and carries each connection: whose is
// it (OwnerCheck), is there a session (LoginGate), a stream (Opener), the bytes
// (pipe). Nothing is read of a connection before its owner is known, and nothing
// of a browser's goes on: guard looks at the first bytes, or for an http forward
// at each request (requests).
//
// States, as Snapshot tells them:
//
//	starting ──bound──▶ ready
//	    │                 │ listener lost
//	    └──not bound──▶ error ──bound, tried again──▶ ready
//
// Concurrency: Run owns every goroutine; a connection that is refused or cut
// ends in a reset, never in a clean end.
//
// Source: docs/protocol.md, rules 22, 29, 30; design section 7.
package forward

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/daemon/internal/forward/holder"
	"github.com/sallyport/sallyport/wire"
)

const (
	// defaultRetry is how often a taken port is tried again.
	defaultRetry = 2 * time.Second
	// defaultMaxWaiting bounds the connections held for a login.
	defaultMaxWaiting = 1024
)

// Opener opens streams (a *link.Link). Its errors are *api.Problem.
type Opener interface {
	// OpenWith opens a stream. early is payload that may go ahead of the Verdict;
	// sent is how much of it did, all or nothing.
	OpenWith(ctx context.Context, hostname string, early []byte) (s *wire.Stream, sent int, err error)
}

// LoginGate is where connections wait for a session (a *login.Attempts).
type LoginGate interface {
	// Wait returns nil at once where there is a session. Else it marks a login
	// as wanted and waits: nil when there is a session, an *api.Problem when
	// there will be none.
	Wait(ctx context.Context) error
}

// OwnerCheck says whether a local connection is the owner's. An error refuses it.
type OwnerCheck interface{ Check(net.Conn) error }

// Config is what a Forwarder needs. Hostname, Listen, Opener, Login and Log are
// required; a nil Owner admits everyone (Unix sockets, whose file modes decide).
type Config struct {
	ID       string
	Hostname string
	Listen   string // "localhost:9210", "127.0.0.1:9210", "[::1]:9210" or "unix:/path"
	Owner    OwnerCheck
	// OwnerUID is the OS user that a Unix socket is made for, in a folder of
	// that user; 0 or less means the daemon's own user.
	OwnerUID int
	Opener   Opener
	// Follow has f called each time that a stream goes on with another trunk, since
	// its own was lost, and where none came in time (link.Follow); nil means never.
	Follow func(id wire.StreamID, f func(expired bool)) (stop func())
	Login  LoginGate
	// Problem puts the end of a stream in words (link.ProblemOf); nil uses the error's text.
	Problem func(error) *api.Problem
	// HTTP says that the service speaks HTTP, and that its requests are looked at.
	HTTP bool
	// AllowRemote permits addresses that are not loopback.
	AllowRemote bool
	Log         *slog.Logger
	// Changed is told that Snapshot has changed; nil means nobody. It must not block.
	Changed func()
	// Retry is how often a taken port is tried again; zero means 2 s.
	Retry time.Duration
	// MaxWaiting bounds the connections held for a login; zero means 1,024.
	MaxWaiting int
}

// Snapshot is how a Forwarder is at one moment.
type Snapshot struct {
	// State is starting, ready (bound) or error; whether a login or the link
	// is missing is known to who made it.
	State         api.ForwardState
	Since         time.Time
	Problem       *api.Problem
	Connections   int // admitted and not over, the waiting ones included
	Waiting       int // for a login
	TotalConns    uint64
	Refused       uint64 // by the owner check
	BytesToOrigin uint64
	BytesToLocal  uint64
	// Resuming is how many of Connections wait for another trunk, since ResumingSince.
	Resuming      int
	ResumingSince time.Time
	// Resumed and Expired are how often one went on with another, and for how many
	// none came in time. Replayed are bytes that were sent again.
	Resumed, Expired, Replayed uint64
	// LastError is what the last connection that failed was told; nil after one
	// that did not.
	LastError *api.Problem
}

// Forwarder serves one local entry.
type Forwarder struct {
	cfg     Config
	log     *slog.Logger
	holders holder.Finder // of Run alone

	mu    sync.Mutex
	state Snapshot // bytes are those of streams that are over
	live  map[*wire.Stream]struct{}
	// told is when a refusal was last logged, silent how many were not since.
	told   time.Time
	silent int
}

// New returns a Forwarder that is not bound until Run.
func New(c Config) *Forwarder {
	if c.Retry <= 0 {
		c.Retry = defaultRetry
	}
	if c.MaxWaiting <= 0 {
		c.MaxWaiting = defaultMaxWaiting
	}
	return &Forwarder{
		cfg: c, log: c.Log.With("forward", c.ID, "hostname", c.Hostname, "listen", c.Listen),
		state: Snapshot{State: api.ForwardStarting, Since: time.Now().UTC()},
		live:  make(map[*wire.Stream]struct{}),
	}
}

// Run binds and serves until ctx ends; it returns when every connection is
// closed. It is called once.
func (f *Forwarder) Run(ctx context.Context) error {
	p, problem := parseListen(f.cfg.Listen, f.cfg.AllowRemote)
	if problem != nil {
		f.enter(api.ForwardError, problem)
		<-ctx.Done()
		return nil
	}
	for ctx.Err() == nil {
		b, err := bind(ctx, p, f.cfg.OwnerUID)
		if err != nil {
			f.enter(api.ForwardError, f.bindProblem(err))
		} else {
			f.enter(api.ForwardReady, nil)
			f.serve(ctx, b)
		}
		wait(ctx, f.cfg.Retry)
	}
	return nil
}

// wait returns after d, or when ctx ends.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// Snapshot is cheap.
func (f *Forwarder) Snapshot() Snapshot {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.state
	for stream := range f.live {
		sent, received := stream.Counters()
		s.BytesToOrigin += sent
		s.BytesToLocal += received
		s.Replayed += stream.Replayed()
		s.wait(stream.Parked())
	}
	return s
}

// wait counts a stream that has waited for another trunk since a moment.
func (s *Snapshot) wait(since time.Time) {
	if since.IsZero() {
		return
	}
	s.Resuming++
	if s.ResumingSince.IsZero() || since.Before(s.ResumingSince) {
		s.ResumingSince = since
	}
}

// enter sets the state.
func (f *Forwarder) enter(state api.ForwardState, p *api.Problem) {
	f.mu.Lock()
	was := f.state
	f.state.State, f.state.Problem = state, p
	if was.State != state {
		f.state.Since = time.Now().UTC()
	}
	f.mu.Unlock()
	switch {
	case was.State == state && same(was.Problem, p):
		return
	case p != nil:
		f.log.Error("forward not bound", "problem", p.Error())
	default:
		f.log.Info("forward bound")
	}
	f.changed()
}

func same(a, b *api.Problem) bool {
	return a == b || (a != nil && b != nil && *a == *b)
}

// update changes the figures.
func (f *Forwarder) update(change func(s *Snapshot)) {
	f.mu.Lock()
	change(&f.state)
	f.mu.Unlock()
	f.changed()
}

func (f *Forwarder) changed() {
	if f.cfg.Changed != nil {
		f.cfg.Changed()
	}
}
