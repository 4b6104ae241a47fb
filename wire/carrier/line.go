package carrier

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/sallyport/sallyport/wire/policer"
	"github.com/sallyport/sallyport/wire/reason"
)

var (
	errRefused = errors.New("refused streams are not closed by the other end")
	errGivenUp = errors.New("the other end opens streams only to reset them")
)

// Answer is how the wait for a stream's Verdict ended.
type Answer int

const (
	Admitted Answer = iota
	// Refused by the host.
	Refused
	// GivenUp by the client, or with the line.
	GivenUp
)

// Config is what a Line stands on.
type Config struct {
	Road Road
	// OpenCarrier opens a channel, and has what comes on it given to the feed; nil at
	// the host.
	OpenCarrier func(ctx context.Context, feed Feed) (Channel, error)
	// Lane says that the connection is a lane: it brings one stream, which began on
	// a trunk, and ends when that has left it.
	Lane bool
	// Local and Remote are the addresses that streams show.
	Local, Remote net.Addr
	// Resume says that streams which are admitted outlive the loss of the trunk:
	// they are parked, and their owner takes them from Remains.
	Resume bool
	Log    *slog.Logger
}

// Line is what the carriers of one end of a trunk share.
type Line struct {
	cfg     Config
	client  bool
	ctx     context.Context // ends with the line; its cause is why
	cancel  context.CancelCauseFunc
	wg      sync.WaitGroup
	opening chan struct{} // client: a slot for each carrier without an answer
	wake    chan struct{} // one slot: urgent has work

	mu        sync.Mutex
	streams   int
	idleSince time.Time
	waiting   int         // host: streams neither admitted nor refused
	refused   int         // host: refused, and not closed by the client
	givenUp   Pacer       // host: of streams that the client has reset before their Verdict
	toll      Pacer       // of streams that were not admitted; at the client since one was
	urgent    []*Carrier  // with something to be written at once
	late      []*Carrier  // with something to say that may wait
	lateTimer *time.Timer // runs until lateAt while late is not empty
	lateAt    time.Time
	carriers  map[*Carrier]struct{}
	leaving   error // why the line takes nothing new
	told      bool  // and all streams have ended for it
}

// NewLine makes a line; Run starts it.
func NewLine(cfg Config) *Line {
	m := &Line{
		cfg: cfg, client: cfg.OpenCarrier != nil,
		opening:   make(chan struct{}, MaxOpening),
		wake:      make(chan struct{}, 1),
		idleSince: time.Now(), carriers: make(map[*Carrier]struct{}),
	}
	m.ctx, m.cancel = context.WithCancelCause(context.Background())
	return m
}

// Client says which end this is.
func (m *Line) Client() bool { return m.client }

// Resumes says whether streams may outlive the line.
func (m *Line) Resumes() bool { return m.cfg.Resume }

// Lane says that streams go on with the line, and never begin on it.
func (m *Line) Lane() bool { return m.cfg.Lane }

// LocalAddr is what streams show as theirs, RemoteAddr as the other end's.
func (m *Line) LocalAddr() net.Addr { return m.cfg.Local }

// RemoteAddr is explained at LocalAddr.
func (m *Line) RemoteAddr() net.Addr { return m.cfg.Remote }

// Dial opens a channel (client), and has what comes on it given to the feed. It ends
// with the line.
func (m *Line) Dial(feed Feed) (Channel, error) { return m.cfg.OpenCarrier(m.ctx, feed) }

// WaitSlot waits for leave to have one more carrier without the host's word; Answered
// gives it back (client). A stream that begins waits longer where many before it came
// to nothing.
func (m *Line) WaitSlot(ctx context.Context, begins bool) error {
	m.mu.Lock()
	wait := m.toll.wait(time.Now(), VainRate, VainBurst)
	m.mu.Unlock()
	if begins && wait > 0 {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-m.ctx.Done():
			return m.Loss()
		}
	}
	select {
	case m.opening <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-m.ctx.Done():
		return m.Loss()
	}
}

// Knocked counts a carrier that the client has opened until it is Answered
// (host), and says whether there are too many.
func (m *Line) Knocked() (crowded bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.waiting++
	return m.waiting > 2*MaxOpening
}

// Answered says that a carrier has its answer. One that is not Admitted counts at the
// host, until RefusedGone.
func (m *Line) Answered(a Answer) {
	m.mu.Lock()
	if m.client {
		if a == Admitted {
			m.toll = Pacer{}
		} else {
			m.toll.Take(time.Now(), VainRate, VainBurst)
		}
		m.mu.Unlock()
		<-m.opening
		return
	}
	m.waiting--
	var tooFast time.Duration
	if a == GivenUp {
		tooFast = m.givenUp.Take(time.Now(), GivenUpRate, GivenUpBurst)
	}
	if a != Admitted {
		m.refused++
		m.toll.Take(time.Now(), refusedRate, refusedBurst)
	}
	tooMany := m.refused > MaxRefused
	m.mu.Unlock()
	switch {
	case tooMany:
		m.Breach(errRefused)
	case tooFast > 0:
		m.Breach(errGivenUp)
	}
}

// Toll is how long the client's next opening is to wait, since so many before were refused,
// or reset before they had an answer (host).
func (m *Line) Toll() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.toll.wait(time.Now(), refusedRate, refusedBurst)
}

// RefusedGone counts a refused stream off that the client has closed.
func (m *Line) RefusedGone() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refused--
}

// Enter takes a carrier in until Left, and counts its stream where it is not over,
// until Leave; open (may be nil) runs in a goroutine. False once the line ended.
func (m *Line) Enter(c *Carrier, live bool, open func()) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ctx.Err() != nil || m.leaving != nil {
		return false
	}
	if live {
		m.streams++
	}
	m.carriers[c] = struct{}{}
	m.wg.Add(1)
	if open != nil {
		m.wg.Go(open) // ends with the connection
	}
	return true
}

// Leave counts a stream out.
func (m *Line) Leave() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.streams--
	if m.streams == 0 {
		m.idleSince = time.Now()
	}
}

// Left takes a carrier out on which nothing comes any more.
func (m *Line) Left(c *Carrier) {
	defer m.wg.Done()
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.carriers, c)
	if m.cfg.Lane {
		m.cancel(cmp.Or(m.cfg.Road.Failure(), ErrLeft))
	}
}

// ErrLeft ends a lane whose stream is over, or goes on elsewhere.
var ErrLeft = errors.New("its stream has left it")

// Repeat has every rider say that it is there.
func (m *Line) Repeat() {
	m.mu.Lock()
	list := slices.Collect(maps.Keys(m.carriers))
	m.mu.Unlock()
	for _, c := range list {
		c.rider.Repeat()
	}
}

// Spawn starts what ends with the line at the latest; false once it ended.
func (m *Line) Spawn(f func()) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ctx.Err() != nil {
		return false
	}
	m.wg.Go(f)
	return true
}

// Count is how many streams are not over, and since when there are none.
func (m *Line) Count() (streams int, idleSince time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.streams > 0 {
		return m.streams, time.Time{}
	}
	return 0, m.idleSince
}

// Done is closed, and Err is set, when the line has ended.
func (m *Line) Done() <-chan struct{} { return m.ctx.Done() }

// Err is why the line ended, nil while it lives.
func (m *Line) Err() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.leaving != nil {
		return m.leaving
	}
	return context.Cause(m.ctx)
}

// Alive says that neither the line nor its connection has ended.
func (m *Line) Alive() bool { return m.ctx.Err() == nil && m.cfg.Road.Failure() == nil }

// End ends the line and its streams; the first cause stays.
func (m *Line) End(err error) {
	m.cancel(err)
	m.cfg.Road.Close()
}

// Breach ends the line because the other end broke the protocol.
func (m *Line) Breach(err error) {
	if m.ctx.Err() == nil {
		m.cfg.Log.Warn("trunk ended: the other end breaks the protocol", "error", err)
	}
	m.End(broken(err))
}

// ErrLost is the loss of a line, after which streams may go on with another.
var ErrLost = &reason.Reason{Code: reason.CarrierLost, Text: "the connection to the other daemon was lost"}

// Loss is the error of a stream whose line is gone.
func (m *Line) Loss() error {
	err := context.Cause(m.ctx)
	var r *reason.Reason
	var v *policer.Violation
	switch {
	case errors.As(err, &r):
		return err
	case err == nil:
		err = m.cfg.Road.Failure()
	}
	switch {
	case err == nil:
		return ErrLost
	case errors.As(err, &v):
		return broken(err)
	}
	return fmt.Errorf("%w: %w", ErrLost, err)
}

func broken(err error) error {
	return fmt.Errorf("%w: %w", &reason.Reason{Code: reason.Protocol, Text: "the other end breaks the protocol"}, err)
}
