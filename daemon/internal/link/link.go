// Package link is a daemon's control connection to an edge, and at a client
// what hangs on it: the session and the trunks.
//
// Shapes: a Link belongs to one (OS user, edge) or to the host role of the
// machine. Run keeps it connected; each connection that reached its welcome is
// an instance. A client opens streams with Open, which finds or makes the trunk
// for (session, hostname). A host gives a HostHandler, which takes offers,
// grants and cuts. Package dial reaches the edge and puts failures in words.
//
// States (api.LinkState), as next in state.go has them:
//
//	          need, wake                 welcome
//	idle ───────────────────▶ connecting ───────▶ online
//	 ▲                         │      ▲             │
//	 │ stop              failed│      │due, wake    │lost
//	 │ (from any)              ▼      │             │
//	 │                        waiting ◀─────────────┘
//	 └───────────────────────────────── unneeded (from online)
//
// Errors: what a caller gets is an *api.Problem that names the broken hop;
// ProblemOf makes one of any error of this package.
//
// Concurrency: Run owns every goroutine of the link; all other methods may be
// called from anywhere, and wait only as long as their context.
//
// Source: docs/protocol.md, rules 4 to 10, 12, 14, 18 to 20, 25.
package link

import (
	"context"
	"crypto/tls"
	"log/slog"
	"sync"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/daemon/internal/link/dial"
	"github.com/sallyport/sallyport/daemon/internal/link/trunks"
	"github.com/sallyport/sallyport/internal/crew"
	"github.com/sallyport/sallyport/wire"
)

// Edge says where an edge is and how its certificate is checked.
type Edge = dial.Target

// ProblemOf puts any error of reaching an edge, or of a refusal, in words.
func ProblemOf(err error) *api.Problem { return dial.Problem(err) }

// Vault keeps the session token of one device key. Its methods are called one
// at a time; they may write to disk, and nothing of the link goes on meanwhile.
type Vault interface {
	// Token is the newest that was saved; "" without a session.
	Token() string
	// Save stores the next token, durably, before the link uses it.
	Save(token string, s *wire.SessionInfo) error
	// Ended forgets the token: the session is no more.
	Ended(r wire.Reason) error
}

// HostHandler takes what an edge tells a host. Its methods are called on the
// link's reader and must not block. l is the instance of the link that it came
// by: grants belong to the instance that brought the offer.
type HostHandler interface {
	// Online says that a new instance is welcome and registered.
	Online(l *wire.Link)
	// Handle takes Offer, Grant, Cut and ConnectorEnded.
	Handle(l *wire.Link, m wire.Message)
	// Offline says that the instance is gone.
	Offline(l *wire.Link)
	// Streams are the live streams, for the next hello.
	Streams() []wire.StreamRef
}

// Config is what a Link needs. Edge, Role, Cert and Log are required; a client
// needs a Vault, a host a Host.
type Config struct {
	Edge       Edge
	Role       wire.Role
	Cert       tls.Certificate // of the device key
	DeviceName string
	OSUser     string
	BootID     string
	Version    string
	Vault      Vault
	Host       HostHandler
	Keys       trunks.KnownKeys // nil means that host keys are logged only
	Log        *slog.Logger
	// Changed is told that Snapshot has changed; nil means nobody. It must not block.
	Changed func()
	// ResumeWindow bounds how long streams wait for another trunk when theirs is
	// lost (role client); 0: not at all.
	ResumeWindow time.Duration
	// Now is the wall clock; nil means time.Now.
	Now func() time.Time
	// Timing is for tests; its zero value is the protocol's.
	Timing Timing
}

// Timing holds the waits of a link. Zero fields mean the defaults.
type Timing struct {
	// Dial bounds TCP and TLS of a connection, Hello its hello as well.
	Dial, Hello time.Duration
	// Offline is how long a request waits for a link that is not online.
	Offline time.Duration
	// Verdict bounds the wait for a stream's Verdict.
	Verdict time.Duration
	// TrunkIdle closes a trunk without streams.
	TrunkIdle time.Duration
	// Unneeded is how long a link without session or connector stays online.
	Unneeded time.Duration
	// Settle is how long after a welcome hosts may still be on their way to the edge.
	Settle time.Duration
	// LaneQuiet is how often a lane is looked at whether it is still needed.
	LaneQuiet time.Duration
	// Sweep is how often idle trunks are looked at.
	Sweep time.Duration
	// RetryFirst, RetryMin and RetryMax are the bounds of rule 9.
	RetryFirst, RetryMin, RetryMax time.Duration
}

// Snapshot is how a link is at one moment.
type Snapshot struct {
	Link api.Link
	// Session is the live session as the edge last told it; nil without one,
	// or before the first welcome.
	Session *wire.SessionInfo
	// SessionEnd is why the last session ended; nil while there is one.
	SessionEnd *wire.Reason
	// Connector is this key's enrolment (role host); nil without one.
	Connector *wire.ConnectorInfo
	// ConnectorEnd is why the enrolment ended.
	ConnectorEnd *wire.Reason
	// Skew is by how much this machine's clock is ahead of the edge's; zero
	// where the two are near enough.
	Skew time.Duration
	// Trunks and Streams count what is open (role client).
	Trunks, Streams int
}

// Link is one daemon's link to one edge.
type Link struct {
	cfg     Config
	timing  Timing
	log     *slog.Logger
	now     func() time.Time
	dialer  *dial.Dialer
	tasks   crew.Tasks
	trunks  *trunks.Pool
	reports reports
	// poked has one slot: try now, because something is wanted or has changed.
	poked chan struct{}
	// table has one slot: the table of tunnels is to be told again.
	table chan struct{}
	// vault orders what goes to Config.Vault. It is taken before mu.
	vault sync.Mutex

	mu    sync.Mutex
	facts facts
	// moved is closed, and replaced, when facts change.
	moved      chan struct{}
	loginEnded func(attempt string, r wire.Reason)
	dialling   *dialling // nil unless connecting; guarded by mu
}

// dialling is an attempt to reach the edge.
type dialling struct {
	since time.Time
	abort context.CancelFunc
}

// facts are what a Snapshot is made of; guarded by Link.mu.
type facts struct {
	stopped bool // Run has ended
	state   api.LinkState
	since   time.Time
	retryAt time.Time
	problem *api.Problem
	inst    *instance // nil unless online
	used    time.Time // when something was last asked of the link

	token   string // newest, as in the vault
	loaded  bool   // token was read
	logout  string // token of a session that is to be ended at the next welcome
	session *wire.SessionInfo
	end     *wire.Reason
	skew    time.Duration

	connector    *wire.ConnectorInfo
	connectorEnd *wire.Reason
	tunnels      []wire.TunnelInfo
	sick         map[string]bool
	registered   map[string]wire.RegisterResult
}

// New returns a Link that does nothing until Run.
func New(c Config) *Link {
	l := &Link{
		cfg: c, timing: c.Timing.withDefaults(), log: c.Log.With("edge", c.Edge.String(), "role", string(c.Role)),
		now: c.Now, poked: make(chan struct{}, 1), table: make(chan struct{}, 1), moved: make(chan struct{}),
	}
	if l.now == nil {
		l.now = time.Now
	}
	l.dialer = dial.NewDialer(c.Edge, l.now)
	l.facts.state, l.facts.since = api.LinkIdle, l.now()
	l.facts.sick = make(map[string]bool)
	l.trunks = trunks.New(trunks.Config{
		Cert: c.Cert, Keys: c.Keys, Log: l.log, Online: l.instance, Settling: l.settling, Session: l.session, Dial: l.DialEdge,
		Report: l.Report, Changed: l.changed, Go: l.tasks.Run,
		Making: wire.DeadAfter, Verdict: l.timing.Verdict, ResumeWindow: c.ResumeWindow, LaneQuiet: l.timing.LaneQuiet,
	})
	l.reports.init()
	return l
}

func (t Timing) withDefaults() Timing {
	set := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	set(&t.Dial, wire.DirectTimeout)
	set(&t.Hello, wire.HelloTimeout)
	// One attempt that times out shall be told, not "connecting".
	set(&t.Offline, dial.Longest+400*time.Millisecond)
	// An application hears of a host that says nothing as soon as of one that is dead.
	set(&t.Verdict, wire.DeadAfter)
	set(&t.TrunkIdle, wire.TrunkIdle)
	set(&t.LaneQuiet, trunks.LaneQuiet)
	// A login attempt lives 10 min, and its end is told on the link.
	set(&t.Unneeded, 11*time.Minute)
	// Hosts come back within the same half second; the rest is for handshakes.
	set(&t.Settle, 2*time.Second)
	set(&t.Sweep, 5*time.Second)
	return t
}

// Run keeps the link connected until ctx ends. It closes what the link opened.
// It is called once.
func (l *Link) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l.tasks.Start(ctx)
	l.tasks.Run(l.tend)
	l.keep(ctx)
	cancel()
	l.update(func(f *facts) { f.stopped, f.problem = true, nil })
	l.trunks.CloseAll(&wire.Reason{Code: wire.CodeClosed, Text: "the daemon stopped"})
	l.tasks.Wait()
	return nil
}

// Wake tries again at once: the network may be another one. An online link and all
// trunks are checked for life; an attempt that hangs is given up for a new one.
func (l *Link) Wake() {
	l.trunks.Probe()
	if inst := l.current(); inst != nil {
		l.tasks.Run(func(ctx context.Context) { inst.probe(ctx) })
		return
	}
	l.mu.Lock()
	if d := l.dialling; d != nil {
		// An abort of an attempt that is over does nothing.
		time.AfterFunc(hanging-time.Since(d.since), d.abort)
	}
	l.mu.Unlock()
	l.poke()
}

// Snapshot is cheap.
func (l *Link) Snapshot() Snapshot {
	open, streams := l.trunks.Count()
	l.mu.Lock()
	defer l.mu.Unlock()
	f := &l.facts
	s := Snapshot{
		Link:    api.Link{State: f.state, Since: f.since.UTC(), Problem: f.problem},
		Session: f.session, SessionEnd: f.end, Connector: f.connector, ConnectorEnd: f.connectorEnd,
		Skew: f.skew, Trunks: open, Streams: streams,
	}
	if f.state == api.LinkWaiting {
		at := f.retryAt.UTC()
		s.Link.RetryAt = &at
	}
	if f.inst != nil {
		s.Link.Form = string(f.inst.form)
	}
	if f.state == api.LinkOnline && f.skew != 0 {
		s.Link.Problem = dial.Clock(f.skew)
	}
	return s
}

// Follow has f called each time that a stream goes on with another trunk, since its
// own was lost, and where none came in time. f must not block. stop ends it.
func (l *Link) Follow(id wire.StreamID, f func(expired bool)) (stop func()) {
	return l.trunks.Follow(id, f)
}

// HasSession says whether there is a session, or a stored token that the edge
// has not refused: what a forward needs to know before it opens a stream.
func (l *Link) HasSession() bool {
	l.loadToken()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.facts.session != nil || l.facts.token != ""
}

// OnLoginEnded sets who is told, on the link's reader, that an attempt ended
// without a code.
func (l *Link) OnLoginEnded(f func(attempt string, r wire.Reason)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.loginEnded = f
}

// update changes the facts, and tells whoever waits for them.
func (l *Link) update(change func(f *facts)) {
	l.mu.Lock()
	change(&l.facts)
	close(l.moved)
	l.moved = make(chan struct{})
	l.mu.Unlock()
	l.changed()
}

func (l *Link) changed() {
	if l.cfg.Changed != nil {
		l.cfg.Changed()
	}
}

func (l *Link) poke() { signal(l.poked) }

// signal fills a one-slot channel.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// current is the instance that is online, nil without one.
func (l *Link) current() *instance {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.facts.inst
}
