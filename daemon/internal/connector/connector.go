// Package connector is the host side: it takes offers, accepts trunks, matches
// each stream with its grant, dials the origin of its own table and joins the
// two.
//
// Shapes: a Connector is its link's HostHandler. An offer makes a trunk, an
// Open on it a stream, and a stream is served once its grant is there. The
// grant alone says for whom; the address of the origin comes from Config.Table
// and nowhere else.
//
// Concurrency: Online, Handle and Offline are called on the link's reader and
// do not block; Run owns every goroutine.
//
// Source: docs/protocol.md, rules 12, 13, 19, 20, 22, 25.
package connector

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/sallyport/sallyport/api"
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
	tasks  tasks
	health health
	// meeting has a slot for each trunk that is being met.
	meeting chan struct{}

	mu     sync.Mutex
	told   time.Time // when a grant that was not used was last logged
	silent int       // and how many were not since
	trunks map[wire.TrunkID]*trunk
	stats  map[string]*Stats // what is over; the live part is added when asked
}

// New returns a Connector that takes nothing until Run.
func New(c Config) *Connector {
	return &Connector{
		cfg: c, timing: c.Timing.withDefaults(), log: c.Log,
		health:  health{sick: make(map[string]*api.Problem), more: make(chan struct{}, 1)},
		meeting: make(chan struct{}, maxMeeting),
		trunks:  make(map[wire.TrunkID]*trunk), stats: make(map[string]*Stats),
	}
}

// Run serves until ctx ends; it returns when every stream is closed. It is
// called once.
func (c *Connector) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c.tasks.start(ctx)
	c.watchSick(ctx)
	c.closeTrunks(&wire.Reason{Code: wire.CodeConnectorLost, Text: "the host's daemon stopped"})
	c.tasks.wait()
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
// Timing.WithoutLink.
func (c *Connector) Offline(l *wire.Link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.trunks {
		if t.link == l {
			t.orphanLocked()
		}
		if t.deadline == nil {
			t.deadline = time.AfterFunc(c.timing.WithoutLink, func() {
				t.end(&wire.Reason{Code: wire.CodeConnectorLost, Text: "the host lost its link to the edge"})
			})
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
		c.closeTrunks(&m.Reason)
	}
}

// Streams are the live ones, for the next hello.
func (c *Connector) Streams() []wire.StreamRef {
	c.mu.Lock()
	defer c.mu.Unlock()
	var refs []wire.StreamRef
	for _, t := range c.trunks {
		for id, s := range t.streams {
			if s.hostname != "" {
				refs = append(refs, wire.StreamRef{Trunk: t.offer.Trunk, Stream: id, Session: t.offer.Session})
			}
		}
	}
	return refs
}

// cut ends one stream, or a whole trunk, at once.
func (c *Connector) cut(l *wire.Link, m *wire.Cut) {
	c.mu.Lock()
	t := c.trunks[m.Trunk]
	if t == nil {
		c.mu.Unlock()
		if !m.Stream.IsZero() {
			l.Send(&wire.CutDone{Trunk: m.Trunk, Stream: m.Stream})
		}
		return
	}
	if m.Stream.IsZero() {
		var all []*stream
		for _, s := range t.streams {
			all = append(all, s)
		}
		c.mu.Unlock()
		for _, s := range all {
			c.cutStream(s, &m.Reason)
		}
		t.end(&m.Reason)
		return
	}
	t.dropGrantLocked(m.Stream)
	s := t.streams[m.Stream]
	c.mu.Unlock()
	if s != nil {
		c.cutStream(s, &m.Reason)
	}
	l.Send(&wire.CutDone{Trunk: m.Trunk, Stream: m.Stream})
}

func (c *Connector) closeTrunks(r *wire.Reason) {
	c.mu.Lock()
	var all []*trunk
	for _, t := range c.trunks {
		all = append(all, t)
	}
	c.mu.Unlock()
	for _, t := range all {
		t.end(r)
	}
}

func (c *Connector) changed() {
	if c.cfg.Changed != nil {
		c.cfg.Changed()
	}
}

func (c *Connector) report(m *wire.StreamEnded) {
	if c.cfg.Report != nil {
		c.cfg.Report(m)
	}
}
