// Package trunks holds the trunks of a client's link and opens streams on them.
//
// Shapes: a Pool has one trunk per (session, hostname), made when first asked
// for. A stream is asked for on the trunk and on the link at the same time; the
// first of denied (link) and Verdict (trunk) wins.
//
// Concurrency: the goroutines of a Pool are tasks of the link (Config.Go) and
// end with their trunk or stream.
//
// Source: docs/protocol.md, rules 11 to 14, 18 to 20, 25.
package trunks

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/sallyport/sallyport/wire"
)

// KnownKeys remembers the host keys seen per hostname (rule 14).
type KnownKeys interface {
	// Check notes the key. Known is false where others are known for the
	// hostname and this one is not among them.
	Check(hostname string, key wire.KeyID) (known bool, err error)
}

// Config is what a Pool needs of its link. Keys may be nil; all else is required.
type Config struct {
	Cert tls.Certificate
	Keys KnownKeys
	Log  *slog.Logger
	// Online waits for the link; the context ends with that instance of it.
	Online func(ctx context.Context) (*wire.Link, context.Context, error)
	// Settling says that the edge may have begun a moment ago.
	Settling func() bool
	// Session is the id of the live session.
	Session func() (string, error)
	// Dial connects to the edge of an id for a label, and returns the edge's name.
	Dial func(ctx context.Context, edgeID string, label wire.Label) (net.Conn, string, error)
	// Report takes the end of a stream.
	Report func(*wire.StreamEnded)
	// Changed is told that trunks came or went.
	Changed func()
	// Go starts a task; false where the link does not run.
	Go func(func(ctx context.Context)) bool
	// Making bounds the making of a trunk, Verdict the wait for a stream's.
	Making, Verdict time.Duration
}

// ErrStopped: the link does not run.
var ErrStopped = errors.New("the link does not run")

// maxEarlyFailures bounds the failures of tickets that were not seen yet.
const maxEarlyFailures = wire.MaxHalfJoinedSession

// trunkKey is what a trunk is for.
type trunkKey struct{ session, hostname string }

// trunk is one trunk: being made, then live, then perhaps retired (no new
// streams).
type trunk struct {
	key trunkKey
	// ready is closed when wire or err is set; both are fixed from then on.
	ready chan struct{}
	wire  *wire.Trunk
	err   error
	// slots bounds the streams without Verdict: a host holds MaxUngranted.
	slots chan struct{}

	// Guarded by Pool.mu.
	id      wire.TrunkID
	abort   context.CancelCauseFunc // ends the making
	ended   *wire.Reason            // it was closed while it was made
	streams map[wire.StreamID]*wire.Stream
	retired bool
}

// Pool is the trunks of one link.
type Pool struct {
	cfg   Config
	opens opens

	mu    sync.Mutex
	byKey map[trunkKey]*trunk // where new streams go
	all   map[*trunk]struct{} // with those that are made or retired
	early map[wire.TrunkID]wire.Reason
}

// New returns an empty Pool.
func New(c Config) *Pool {
	return &Pool{
		cfg: c, opens: newOpens(), byKey: make(map[trunkKey]*trunk), all: make(map[*trunk]struct{}),
		early: make(map[wire.TrunkID]wire.Reason),
	}
}

// trunk finds the trunk of a key or makes it: however many ask, there is one
// ticket. used says that it was there already.
func (p *Pool) trunk(ctx context.Context, key trunkKey) (tr *trunk, used bool, err error) {
	p.mu.Lock()
	tr = p.byKey[key]
	used = tr != nil && isReady(tr)
	if tr == nil {
		tr = &trunk{
			key: key, ready: make(chan struct{}), slots: make(chan struct{}, wire.MaxUngranted),
			streams: make(map[wire.StreamID]*wire.Stream),
		}
		if !p.cfg.Go(func(ctx context.Context) { p.keep(ctx, tr) }) {
			p.mu.Unlock()
			return nil, false, ErrStopped
		}
		p.byKey[key] = tr
		p.all[tr] = struct{}{}
	}
	p.mu.Unlock()
	select {
	case <-tr.ready:
		return tr, used, tr.err
	case <-ctx.Done():
		return nil, false, fmt.Errorf("wait for a trunk to %s: %w", key.hostname, context.Cause(ctx))
	}
}

// keep makes a trunk and waits for its end.
func (p *Pool) keep(ctx context.Context, tr *trunk) {
	defer p.remove(tr)
	log := p.cfg.Log.With("hostname", tr.key.hostname)
	t, err := p.establish(ctx, tr)
	if err != nil {
		log.Warn("no trunk", "err", err)
		p.remove(tr)
		tr.err = err
		close(tr.ready)
		return
	}
	p.made(tr, t)
	log = log.With("trunk", t.ID())
	log.Info("trunk open", "fingerprint", t.Fingerprint())
	p.cfg.Changed()
	select {
	case <-t.Done():
	case <-ctx.Done():
		t.CloseWith(&wire.Reason{Code: wire.CodeClosed, Text: "the daemon stopped"})
		<-t.Done()
	}
	p.remove(tr)
	log.Info("trunk closed", "err", t.Err())
	p.cfg.Changed()
}

// made takes a trunk into use, unless it was closed while it was made.
func (p *Pool) made(tr *trunk, t *wire.Trunk) {
	p.mu.Lock()
	defer p.mu.Unlock()
	tr.wire = t
	close(tr.ready)
	if tr.ended != nil {
		t.CloseWith(tr.ended)
	}
}

// establish asks for a ticket and meets the host.
func (p *Pool) establish(ctx context.Context, tr *trunk) (*wire.Trunk, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, p.cfg.Making, &wire.Reason{Code: wire.CodeTicketFailed, Text: "the host did not come"})
	defer cancel()
	ctx, abort := context.WithCancelCause(ctx)
	defer abort(nil)
	t, err := p.meet(ctx, tr, abort)
	if err != nil && ctx.Err() != nil {
		return nil, context.Cause(ctx) // what ended the making says more than where it was
	}
	return t, err
}

func (p *Pool) meet(ctx context.Context, tr *trunk, abort context.CancelCauseFunc) (*wire.Trunk, error) {
	link, _, err := p.cfg.Online(ctx)
	if err != nil {
		return nil, err
	}
	answer, err := link.Call(ctx, &wire.TicketRequest{Session: tr.key.session, Hostname: tr.key.hostname, Carrier: wire.CarrierTrunk})
	if err != nil {
		return nil, fmt.Errorf("ask for a ticket: %w", err)
	}
	ticket, ok := answer.(*wire.Ticket)
	if !ok {
		return nil, fmt.Errorf("answer %T to a ticket request", answer)
	}
	p.ticketed(tr, ticket.Trunk, abort)
	if err := p.checkKey(tr.key.hostname, ticket.HostKey); err != nil {
		return nil, err
	}
	raw, edgeName, err := p.cfg.Dial(ctx, ticket.EdgeID, ticket.Label)
	if err != nil {
		return nil, fmt.Errorf("dial for a trunk: %w", err)
	}
	t, err := wire.DialTrunk(ctx, raw, wire.TrunkConfig{
		ID: ticket.Trunk, Cert: p.cfg.Cert, PeerKey: ticket.HostKey,
		ServerName: ticket.Label.ServerName(edgeName), Carrier: wire.CarrierTrunk, Log: p.cfg.Log,
	})
	switch {
	case err == nil:
		return t, nil
	case errors.Is(err, wire.ErrPeerKey):
		return nil, &wire.Reason{Code: wire.CodeHostKey, Text: "the host showed another key than the edge named"}
	}
	return nil, &wire.Reason{Code: wire.CodeTicketFailed, Text: "the host was not met: " + err.Error()}
}

// checkKey compares the host's key with those known, and reports a new one.
func (p *Pool) checkKey(hostname string, key wire.KeyID) error {
	if p.cfg.Keys == nil {
		return nil
	}
	known, err := p.cfg.Keys.Check(hostname, key)
	switch {
	case err != nil:
		return &wire.Reason{Code: wire.CodeHostKey, Text: err.Error()}
	case !known:
		p.cfg.Log.Warn("host key changed", "hostname", hostname, "key", key)
	}
	return nil
}

// ticketed notes what a trunk that is made is called, and who is to be told
// that its host does not come.
func (p *Pool) ticketed(tr *trunk, id wire.TrunkID, abort context.CancelCauseFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	tr.id, tr.abort = id, abort
	if tr.ended != nil {
		abort(tr.ended)
	}
	if r, ok := p.early[id]; ok {
		delete(p.early, id)
		abort(&r)
	}
}

// TicketFailed ends the making of a trunk. It may come before the ticket's
// answer has been taken.
func (p *Pool) TicketFailed(m *wire.TicketFailed) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for tr := range p.all {
		if tr.id == m.Trunk && tr.abort != nil {
			tr.abort(&m.Reason)
			return
		}
	}
	if len(p.early) >= maxEarlyFailures {
		clear(p.early)
	}
	p.early[m.Trunk] = m.Reason
}

// retire keeps new streams away from a trunk; it closes with its last stream.
func (p *Pool) retire(tr *trunk) {
	p.mu.Lock()
	defer p.mu.Unlock()
	tr.retired = true
	if p.byKey[tr.key] == tr {
		delete(p.byKey, tr.key)
	}
}

func (p *Pool) remove(tr *trunk) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.all, tr)
	if p.byKey[tr.key] == tr {
		delete(p.byKey, tr.key)
	}
}

// isReady says whether a trunk was made.
func isReady(tr *trunk) bool {
	select {
	case <-tr.ready:
		return tr.wire != nil
	default:
		return false
	}
}

// closing ends the trunks that match, those that are being made included.
func (p *Pool) closing(r *wire.Reason, match func(*trunk) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for tr := range p.all {
		if !match(tr) {
			continue
		}
		tr.retired, tr.ended = true, r
		if p.byKey[tr.key] == tr {
			delete(p.byKey, tr.key)
		}
		switch {
		case isReady(tr):
			tr.wire.CloseWith(r)
		case tr.abort != nil:
			tr.abort(r)
		}
	}
}

// CloseAll ends every trunk.
func (p *Pool) CloseAll(r *wire.Reason) {
	p.closing(r, func(*trunk) bool { return true })
}

// CloseSession ends the trunks of a session.
func (p *Pool) CloseSession(id string, r *wire.Reason) {
	p.closing(r, func(tr *trunk) bool { return tr.key.session == id })
}

// Cut ends one stream, admitted or not yet, or a whole trunk.
func (p *Pool) Cut(m *wire.Cut) {
	if m.Stream.IsZero() {
		p.closing(&m.Reason, func(tr *trunk) bool { return tr.id == m.Trunk })
		return
	}
	// A stream is noted here before it is no longer noted there: one of them has it.
	p.opens.denied(&wire.Denied{Trunk: m.Trunk, Stream: m.Stream, Reason: m.Reason})
	p.mu.Lock()
	var s *wire.Stream
	for tr := range p.all {
		if tr.id == m.Trunk {
			s = tr.streams[m.Stream]
		}
	}
	p.mu.Unlock()
	if s != nil {
		s.Reset(&m.Reason)
	}
}

// Sweep closes trunks that carry nothing: idle for long, or retired.
func (p *Pool) Sweep(now time.Time, idle time.Duration) {
	closed := &wire.Reason{Code: wire.CodeClosed, Text: "idle"}
	p.closing(closed, func(tr *trunk) bool {
		if !isReady(tr) || len(tr.slots) > 0 {
			return false
		}
		since := tr.wire.IdleSince()
		return !since.IsZero() && (tr.retired || now.Sub(since) >= idle)
	})
}

// Refs are the live streams.
func (p *Pool) Refs() []wire.StreamRef {
	p.mu.Lock()
	defer p.mu.Unlock()
	var refs []wire.StreamRef
	for tr := range p.all {
		for id := range tr.streams {
			refs = append(refs, wire.StreamRef{Trunk: tr.id, Stream: id, Session: tr.key.session})
		}
	}
	return refs
}

// Count is how many trunks and admitted streams there are.
func (p *Pool) Count() (trunks, streams int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for tr := range p.all {
		trunks++
		streams += len(tr.streams)
	}
	return trunks, streams
}

// add notes a stream that was admitted; false where the trunk is gone.
func (p *Pool) add(tr *trunk, s *wire.Stream) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.all[tr]; !ok {
		return false
	}
	tr.streams[s.ID()] = s
	return true
}

func (p *Pool) drop(tr *trunk, id wire.StreamID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(tr.streams, id)
}
