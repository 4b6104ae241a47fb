// Package connector is the host side: it takes offers, accepts trunks, matches
// each stream with its grant, dials the origin of its own table and joins the
// two.
//
// Shapes: a Connector is its link's HostHandler. An offer makes a trunk, an
// Open on it a stream, and a stream is served once its grant is there. The
// grant alone says for whom; the address of the origin comes from Config.Table
// and nowhere else.
//
// A stream that was granted and loses its trunk keeps its origin's connection
// and waits for another trunk:
//
//	            trunk lost             ATTACH and grant
//	served ───────────────────▶ parked ────────────────▶ served
//	  │                           │ window over, cut: reset to the origin
//	  ▼ over                      ▼
//	gone      ◀──── told ─────  over, and the client may not know
//
// Concurrency: Online, Handle and Offline are called on the link's reader and
// do not block; Run owns every goroutine. Lock order: Connector.mu before the
// locks of package wire.
//
// Source: docs/protocol.md, rules 12, 13, 19, 20, 22 to 25.
package connector

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/internal/crew"
	"github.com/sallyport/sallyport/wire"
)

// maxMeeting bounds the trunks that are being met at one time.
const maxMeeting = 64

// Config is what a Connector needs. Table, Dial, Cert and Log are required.
type Config struct {
	// Table gives the origin of a hostname and port: "tcp://HOST:PORT" or
	// "unix:/path". It is the only place that an address comes from.
	Table func(hostname string, port uint16) (origin string, ok bool)
	// Dial connects to the edge of an id for a label, and returns the edge's name
	// (link.DialEdge).
	Dial func(ctx context.Context, edgeID string, label wire.Label) (net.Conn, string, error)
	// Report tells the edge of a stream's end (link.Report); nil means nobody.
	// It must not block.
	Report func(*wire.StreamEnded)
	// Health tells that the origin of a hostname answers or not (link.SetSick);
	// nil means nobody. It must not block.
	Health func(hostname string, sick bool)
	Cert   tls.Certificate // of the device key
	Log    *slog.Logger
	// ResumeWindow is how long a stream whose trunk is lost waits for another at
	// most; the edge may say less. Zero: not at all.
	ResumeWindow time.Duration
	// Changed is told that Stats have changed; nil means nobody. It must not block.
	Changed func()
	// Timing is for tests; its zero value is the protocol's.
	Timing Timing
}

// Timing holds the waits of a Connector. Zero fields mean the defaults.
type Timing struct {
	// Meet bounds the making of a trunk.
	Meet time.Duration
	// Grant is how long an Open waits for its grant, and a grant for its Open.
	Grant time.Duration
	// Attach is how long a grant of a stream that is held waits for its ATTACH.
	Attach time.Duration
	// OriginDial bounds the dial of an origin.
	OriginDial time.Duration
	// WithoutLink is how long a trunk outlives its host's link.
	WithoutLink time.Duration
	// Probe is how often an origin that did not answer is tried again.
	Probe time.Duration
}

func (t Timing) withDefaults() Timing {
	set := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	set(&t.Meet, wire.TicketLife)
	set(&t.Grant, wire.GrantWait)
	// A client that has thousands attaches them one after the other.
	set(&t.Attach, wire.WriteTimeout)
	set(&t.OriginDial, wire.OriginDialTimeout)
	set(&t.WithoutLink, wire.TrunkWithoutLink)
	set(&t.Probe, 10*time.Second)
	return t
}

// Connector serves the streams of one host. It is the link's HostHandler.
type Connector struct {
	cfg    Config
	timing Timing
	log    *slog.Logger
	tasks  crew.Tasks
	health health
	// meeting has a slot for each trunk that is being met.
	meeting chan struct{}
	// parked has one slot: there is something to expire.
	parked chan struct{}

	mu     sync.Mutex
	told   time.Time // when a grant that was not used was last logged
	silent int       // and how many were not since
	trunks map[wire.TrunkID]*trunk
	// held are the streams that were granted, whatever carries them now.
	held  map[wire.StreamID]*stream
	stats map[string]*Stats // what is over; the live part is added when asked
}

// New returns a Connector that takes nothing until Run.
func New(c Config) *Connector {
	return &Connector{
		cfg: c, timing: c.Timing.withDefaults(), log: c.Log,
		health:  health{sick: make(map[string]*api.Problem), more: make(chan struct{}, 1)},
		meeting: make(chan struct{}, maxMeeting), parked: make(chan struct{}, 1),
		trunks: make(map[wire.TrunkID]*trunk), held: make(map[wire.StreamID]*stream), stats: make(map[string]*Stats),
	}
}

// What clients are told.
var (
	// errStopped: Run ends.
	errStopped = &wire.Reason{Code: wire.CodeConnectorLost, Text: "the host's daemon stopped"}
	// errRevoked: the enrolment is over. The edge says the same, and either may come first.
	errRevoked = &wire.Reason{Code: wire.CodeConnectorLost, Text: "the host is no longer allowed to publish this app"}
)

// Run serves until ctx ends; it returns when every stream is closed. It is
// called once.
func (c *Connector) Run(ctx context.Context) error {
	serving, stop := context.WithCancelCause(context.WithoutCancel(ctx)) // a cause of its own
	c.tasks.Start(serving)
	c.tasks.Run(c.sweep)
	c.watchSick(ctx)
	c.closeTrunks(errStopped)
	stop(errStopped)
	c.tasks.Wait()
	return nil
}

// Online takes an instance of the link. Trunks whose own instance went away go
// on: the edge has been told of their streams, and can cut them again.
func (c *Connector) Online(*wire.Link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.trunks {
		if t.deadline != nil {
			t.deadline.Stop()
			t.deadline = nil
		}
	}
}

// Offline ends what waits for grants of an instance, and gives its trunks
// Timing.WithoutLink. Then their streams are parked.
func (c *Connector) Offline(l *wire.Link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.trunks {
		if t.link == l {
			t.orphanLocked()
		}
		if t.deadline == nil && !t.isLost() {
			t.deadline = time.AfterFunc(c.timing.WithoutLink, t.lose)
		}
	}
}

// Handle takes Offer, Grant, Cut and ConnectorEnded.
func (c *Connector) Handle(l *wire.Link, m wire.Message) {
	switch m := m.(type) {
	case *wire.Offer:
		if r := c.offer(l, m); r != nil {
			c.log.Warn("offer not taken", "trunk", m.Trunk, "hostname", m.Hostname, "reason", r.Error())
			l.Send(&wire.OfferFailed{Trunk: m.Trunk, Reason: *r})
		}
	case *wire.Grant:
		if why := c.grant(l, m); why != "" {
			c.unused(m, why)
		}
	case *wire.Cut:
		c.log.Info("cut", "trunk", m.Trunk, "stream", m.Stream, "reason", m.Reason.Error())
		c.cut(l, m)
	case *wire.ConnectorEnded:
		// m.Reason is about this host: at the other end it would read as about the person.
		c.closeTrunks(errRevoked)
	}
}

// Streams are the live and parked ones, for the next hello. Of one that may be
// parked it is said so already: where the edge was restarted, its trunk is lost
// even if that is not known here yet.
func (c *Connector) Streams() []wire.StreamRef {
	c.mu.Lock()
	defer c.mu.Unlock()
	refs := make([]wire.StreamRef, 0, len(c.held))
	for id, s := range c.held {
		if s.over {
			continue
		}
		o := s.trunk.offer
		ref := wire.StreamRef{Trunk: o.Trunk, Stream: id, Session: o.Session, Parked: s.trunk.window > 0}
		if ref.Parked {
			ref.Hostname = o.Hostname
		}
		refs = append(refs, ref)
	}
	return refs
}

func (c *Connector) changed() {
	if c.cfg.Changed != nil {
		c.cfg.Changed()
	}
}

// signal fills a one-slot channel.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (c *Connector) report(m *wire.StreamEnded) {
	if c.cfg.Report != nil {
		c.cfg.Report(m)
	}
}
