// Package trunks holds the trunks of a client's link and opens streams on them.
//
// Shapes: a Pool has one trunk per (session, hostname), made when first asked
// for, and lanes beside it, one for each stream that turned out to be bulk (lane.go).
// A stream is asked for on the trunk and on the link at the same time; the
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

	"github.com/sallyport/sallyport/internal/quota"
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
	// ResumeWindow bounds how long the streams of a lost trunk wait for another;
	// 0: not at all.
	ResumeWindow time.Duration
	// LaneQuiet is how often a lane is looked at whether it is still needed.
	LaneQuiet time.Duration
}

// ErrStopped: the link does not run.
var ErrStopped = errors.New("the link does not run")

// maxEarlyFailures bounds the failures of tickets that were not seen yet.
const maxEarlyFailures = wire.MaxHalfJoinedSession

// trunkKey is what a trunk is for.
type trunkKey struct{ session, hostname string }

// trunk is one trunk: being made, then live, then perhaps retired (no new
// streams), or lost (its streams wait for another).
type trunk struct {
	key trunkKey
	// lane: it is no trunk but one stream's own connection; never changes.
	lane bool
	// ready is closed when wire or err is set; both are fixed from then on.
	ready chan struct{}
	wire  *wire.Trunk
	err   error
	// slots bounds the streams without Verdict: a host holds MaxUngranted.
	slots chan struct{}
	// want is the host process that it must lead to; nil: any will do.
	want *wire.HostProcess
	// host and window are what its ticket said; fixed once ready is closed.
	host   wire.HostProcess
	window time.Duration

	// Guarded by Pool.mu.
	id      wire.TrunkID
	abort   context.CancelCauseFunc // ends the making
	ended   *wire.Reason            // it was closed while it was made
	streams map[wire.StreamID]*wire.Stream
	retired bool
	lost    bool
	noLanes bool      // edge or host have none
	crowded time.Time // until when it has no lanes, since too many would have one
}

// kind is what its ticket is for.
func (tr *trunk) kind() wire.CarrierKind {
	if tr.lane {
		return wire.CarrierLane
	}
	return wire.CarrierTrunk
}

func newTrunk(key trunkKey) *trunk {
	return &trunk{
		key: key, ready: make(chan struct{}), slots: make(chan struct{}, wire.MaxUngranted),
		streams: make(map[wire.StreamID]*wire.Stream),
	}
}

// Pool is the trunks of one link.
type Pool struct {
	cfg    Config
	budget *wire.Budget // a link has one session at a time
	opens  opens
	lanes  *quota.Buckets[trunkKey] // made of late
	left   *quota.Buckets[trunkKey] // bulk that stayed on its trunk, since that has MaxLanes
	vain   *quota.Buckets[trunkKey] // trunks that came to nothing, since one did not

	followers followers

	mu    sync.Mutex
	byKey map[trunkKey]*trunk // where new streams go
	all   map[*trunk]struct{} // with those that are made or retired
	early map[wire.TrunkID]wire.Reason
}

// New returns an empty Pool.
func New(c Config) *Pool {
	return &Pool{
		cfg: c, budget: wire.NewBudget(), opens: newOpens(), byKey: make(map[trunkKey]*trunk), all: make(map[*trunk]struct{}),
		early: make(map[wire.TrunkID]wire.Reason),
		lanes: quota.New[trunkKey](laneEvery, wire.MaxLanes, maxLaneKeys),
		left:  quota.New[trunkKey](crowdLasts, crowd, maxLaneKeys),
		vain:  quota.New[trunkKey](vainEvery, vainBurst, maxLaneKeys),
	}
}

// Trunks of one key that come to nothing: so many at once, then one each vainEvery. A
// program that tries again without a pause is not to use up what the edge lets a whole
// session ask for in vain (100 a second).
const (
	vainBurst = 10
	vainEvery = 200 * time.Millisecond
)

// trunk finds the trunk of a key or makes it: however many ask, there is one
// ticket. used says that it was there already.
func (p *Pool) trunk(ctx context.Context, key trunkKey) (tr *trunk, used bool, err error) {
	for !p.vain.Has(key, time.Now()) {
		select {
		case <-time.After(vainEvery):
		case <-ctx.Done():
			return nil, false, fmt.Errorf("wait to try %s again: %w", key.hostname, context.Cause(ctx))
		}
	}
	p.mu.Lock()
	tr = p.byKey[key]
	used = tr != nil && isReady(tr)
	if tr == nil {
		tr = newTrunk(key)
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

// keep makes a trunk, waits for its end, and looks after what it leaves.
func (p *Pool) keep(ctx context.Context, tr *trunk) {
	defer p.remove(tr)
	log := p.cfg.Log.With("hostname", tr.key.hostname, "carrier", tr.kind())
	t, err := p.establish(ctx, tr)
	if err != nil {
		log.Warn("no trunk", "err", err)
		if tr.want == nil {
			p.vain.Take(tr.key, time.Now())
		}
		p.remove(tr)
		tr.err = err
		close(tr.ready)
		return
	}
	log = log.With("trunk", t.ID())
	log.Info("trunk open", "fingerprint", t.Fingerprint()) // before its first stream, which may end and be logged first
	p.vain.Forget(tr.key)
	p.made(tr, t)
	p.cfg.Changed()
	select {
	case <-t.Done():
	case <-ctx.Done():
		t.CloseWith(&wire.Reason{Code: wire.CodeClosed, Text: "the daemon stopped"})
		<-t.Done()
	}
	resumes := p.lose(tr)
	log.Info("trunk closed", "err", t.Err())
	p.cfg.Changed()
	if resumes {
		p.resume(ctx, tr)
		p.cfg.Changed()
	}
}

// made takes a trunk into use, unless it was closed while it was made.
func (p *Pool) made(tr *trunk, t *wire.Trunk) {
	p.mu.Lock()
	defer p.mu.Unlock()
	tr.wire = t
	close(tr.ready)
	if tr.want != nil && !tr.lane && p.byKey[tr.key] == nil {
		p.byKey[tr.key] = tr
	}
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
	answer, err := link.Call(ctx, &wire.TicketRequest{Session: tr.key.session, Hostname: tr.key.hostname, Carrier: tr.kind(), Host: tr.want})
	if err != nil {
		return nil, fmt.Errorf("ask for a ticket: %w", err)
	}
	ticket, ok := answer.(*wire.Ticket)
	if !ok {
		return nil, fmt.Errorf("answer %T to a ticket request", answer)
	}
	p.ticketed(tr, ticket.Trunk, abort)
	tr.host = wire.HostProcess{Key: ticket.HostKey, BootID: ticket.BootID}
	if ticket.BootID != "" {
		tr.window = min(p.cfg.ResumeWindow, time.Duration(ticket.ResumeMS)*time.Millisecond)
	}
	if tr.want != nil && tr.host != *tr.want {
		return nil, &wire.Reason{Code: wire.CodeHostRestarted, Text: "the edge names another process than the one that holds the streams"}
	}
	if err := p.checkKey(tr.key.hostname, ticket.HostKey); err != nil {
		return nil, err
	}
	raw, edgeName, err := p.cfg.Dial(ctx, ticket.EdgeID, ticket.Label)
	if err != nil {
		return nil, fmt.Errorf("dial for a trunk: %w", err)
	}
	t, err := wire.DialTrunk(ctx, raw, wire.TrunkConfig{
		ID: ticket.Trunk, Cert: p.cfg.Cert, PeerKey: ticket.HostKey,
		ServerName: ticket.Label.ServerName(edgeName), Carrier: tr.kind(),
		Resume: tr.window > 0, Budget: p.budget, Log: p.cfg.Log,
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
	var parked []*wire.Stream
	p.mu.Lock()
	for tr := range p.all {
		if !match(tr) {
			continue
		}
		tr.retired, tr.ended = true, r
		if p.byKey[tr.key] == tr {
			delete(p.byKey, tr.key)
		}
		switch {
		case tr.lost:
			for _, s := range tr.streams {
				parked = append(parked, s)
			}
		case isReady(tr):
			tr.wire.CloseWith(r)
		case tr.abort != nil:
			tr.abort(r)
		}
	}
	p.mu.Unlock()
	for _, s := range parked {
		s.Reset(r)
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
	if s, _ := p.find(m.Stream); s != nil {
		s.Reset(&m.Reason)
	}
}

// Sweep closes trunks that carry nothing: idle for long, or retired. A lane has its
// stream on the way, or ends by itself.
func (p *Pool) Sweep(now time.Time, idle time.Duration) {
	closed := &wire.Reason{Code: wire.CodeClosed, Text: "idle"}
	p.closing(closed, func(tr *trunk) bool {
		if !isReady(tr) || tr.lane || tr.lost || len(tr.slots) > 0 {
			return false
		}
		since := tr.wire.IdleSince()
		return !since.IsZero() && (tr.retired || now.Sub(since) >= idle)
	})
}

// Refs are the live streams. Those that may outlive their trunk are listed as
// parked: an edge that was restarted hears of them before their trunk is known to
// be lost.
func (p *Pool) Refs() []wire.StreamRef {
	p.mu.Lock()
	defer p.mu.Unlock()
	var refs []wire.StreamRef
	for tr := range p.all {
		for id := range tr.streams {
			ref := wire.StreamRef{Trunk: tr.id, Stream: id, Session: tr.key.session}
			if tr.window > 0 {
				ref.Parked, ref.Hostname = true, tr.key.hostname
			}
			refs = append(refs, ref)
		}
	}
	return refs
}

// Count is how many trunks and admitted streams there are; lanes do not count.
func (p *Pool) Count() (trunks, streams int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for tr := range p.all {
		if !tr.lane {
			trunks++
		}
		streams += len(tr.streams)
	}
	return trunks, streams
}

// add notes a stream that was admitted. Where its trunk is gone since, the stream
// waits for another as those do that were noted before; where it may not, it ends.
func (p *Pool) add(tr *trunk, s *wire.Stream) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.all[tr]; ok {
		tr.streams[s.ID()] = s
		return
	}
	// Another record than tr, which may be about to be removed once more.
	late := newTrunk(tr.key)
	late.id, late.wire, late.host, late.window = tr.id, tr.wire, tr.host, tr.window
	late.lost, late.retired = true, true
	late.streams[s.ID()] = s
	close(late.ready)
	resume := func(ctx context.Context) {
		p.resume(ctx, late)
		p.cfg.Changed()
	}
	if tr.window == 0 || tr.ended != nil || !p.cfg.Go(resume) {
		r := tr.ended
		if r == nil {
			r = &wire.Reason{Code: wire.CodeCarrierLost, Text: "the trunk ended as the stream began"}
		}
		s.Reset(r)
		return
	}
	p.all[late] = struct{}{}
}

func (p *Pool) drop(id wire.StreamID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for tr := range p.all {
		delete(tr.streams, id)
	}
}
