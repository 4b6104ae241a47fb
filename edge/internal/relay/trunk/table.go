package trunk

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/edge/internal/audit"
	"github.com/sallyport/sallyport/edge/internal/registry"
	"github.com/sallyport/sallyport/edge/internal/relay/decide"
	"github.com/sallyport/sallyport/edge/internal/relay/grave"
	"github.com/sallyport/sallyport/edge/internal/relay/splice"
	"github.com/sallyport/sallyport/edge/internal/relay/ticket"
	"github.com/sallyport/sallyport/edge/internal/sessions"
	"github.com/sallyport/sallyport/internal/quota"
	"github.com/sallyport/sallyport/wire"
)

const (
	// maxTrunks bounds the trunks of one session: apps times connectors, and more.
	maxTrunks = 256
	// maxStreams bounds the streams of one trunk.
	maxStreams = 16 << 10
	// headStart is how long the daemons have to hear why before their connections
	// are reset: the two travel apart, and a person is to see the reason, not a
	// lost connection. A daemon that hears it ends the trunk at once.
	headStart = 50 * time.Millisecond
	// maxParked bounds the streams of one session that wait for another trunk.
	maxParked = maxStreams
)

// Link is one link of one device key.
type Link = decide.Link

// Meter counts.
type Meter = decide.Meter

// Config joins the table with the rooms it asks. All are required.
type Config struct {
	decide.Decider
	Audit *audit.Log
	Meter Meter
	Log   *slog.Logger
	// CutTime is how long a host's word that a stream is cut is waited for.
	CutTime time.Duration
	// ReportTime is how long a host's figures of a stream that is over are waited for.
	ReportTime time.Duration
	// OrphanTime is how long a trunk outlives its host's link at most.
	OrphanTime time.Duration
	// ParkTime is how long the row of a parked stream outlives the daemons' own
	// window, so that theirs is the word that ends it.
	ParkTime time.Duration
}

// Table is all trunks of an edge. Use New.
type Table struct {
	cfg     Config
	log     *slog.Logger
	tickets *ticket.Table
	refused *quota.Buckets[string] // by session
	resumes *quota.Buckets[string] // by session
	graves  *grave.Yard
	spliced atomic.Uint64
	leaving atomic.Bool // no new streams any more

	mu      sync.Mutex // guards what follows, and the fields of rows that say so
	stopped bool
	trunks  map[wire.TrunkID]*trunk
	streams map[wire.StreamID]*stream
}

// New makes an empty table.
func New(cfg Config) *Table {
	t := &Table{
		cfg: cfg, log: cfg.Log,
		refused: decide.NewRefused(),
		resumes: decide.NewResumes(),
		trunks:  make(map[wire.TrunkID]*trunk),
		streams: make(map[wire.StreamID]*stream),
		graves:  grave.New(),
	}
	t.tickets = ticket.New(t.expired)
	return t
}

// trunk is the row of one ticket, and of what was joined by it.
type trunk struct {
	id        wire.TrunkID
	carrier   wire.CarrierKind
	session   sessions.Session // as it was when the ticket was given
	hostname  string
	clientKey wire.KeyID
	hostKey   wire.KeyID
	address   string // of the client's link
	// resume is how long its streams wait for another when it is lost; 0: not at all.
	resume time.Duration
	// host is the link instance that took the offer; only it gets grants. Where
	// the row is restored it stands for the process alone, as far as it is known.
	host *registry.Host

	// Guarded by Table.mu, as are address, host and hostKey where the row is restored.
	pair    *splice.Pair  // nil while waiting, and where the row is restored
	done    chan struct{} // of a pair: closed when it has ended, and the row says so
	streams map[wire.StreamID]*stream
	cut     *wire.Reason // why it was cut
	used    bool         // a stream was asked for on it
	over    bool
	parked  bool        // over, and its streams wait for another trunk
	orphan  bool        // the instance in host is gone
	timer   *time.Timer // ends an orphan, or settles what is over
}

// stream is the row of one stream.
type stream struct {
	id      wire.StreamID
	trace   wire.TraceID
	port    uint16
	trunk   *trunk
	started time.Time
	// resumes is true where it is to go on with trunk; from carried it before.
	resumes bool
	from    wire.TrunkID

	// Set while it is decided, before granted.
	session *sessions.Session // mostly the trunk's
	rule    string
	version int64

	// Guarded by Table.mu.
	granted bool
	ended   bool              // its client gave it up while it was being decided
	old     bool              // its daemons had it before this edge knew of it
	figures *wire.StreamEnded // of its end: the host's, until then the client's
	timer   *time.Timer       // waits for the host's word
	cut     *wire.Reason
	cutDone chan struct{} // closed when the host has cut it; nil while nobody asked
}

// emptyOrphanLocked says whether a trunk has outlived both its host's link and
// its last stream: then nothing can come of it.
func (x *trunk) emptyOrphanLocked() bool {
	return x.orphan && !x.over && x.pair != nil && len(x.streams) == 0
}

// endsOf are the links of a trunk's two daemons, as far as they are there.
func (t *Table) endsOf(x *trunk) []Link {
	var links []Link
	for _, key := range []wire.KeyID{x.clientKey, t.hostOf(x)} {
		if l := t.cfg.Link(key); l != nil {
			links = append(links, l)
		}
	}
	return links
}

// hostOf is the key of a trunk's host, zero where it is not known.
func (t *Table) hostOf(x *trunk) wire.KeyID {
	t.mu.Lock()
	defer t.mu.Unlock()
	return x.hostKey
}

// where lists the trunks of which match says yes; it runs under the lock.
func (t *Table) where(match func(*trunk) bool) []*trunk {
	t.mu.Lock()
	defer t.mu.Unlock()
	var found []*trunk
	for _, x := range t.trunks {
		if match(x) {
			found = append(found, x)
		}
	}
	return found
}
