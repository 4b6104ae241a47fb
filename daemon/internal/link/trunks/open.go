package trunks

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sallyport/sallyport/wire"
)

// maxOpening bounds the open requests that wait for their answer, on all trunks
// together: they shall fit in a link's queue (wire.MaxLinkQueue) many times.
const maxOpening = 512

// earlyWithin is how long a trunk may have been idle and still take early
// payload: what fails with it cannot be tried again, and a trunk that nobody has
// used for long is the most likely to be gone.
const earlyWithin = 30 * time.Second

// settleRetry is how often a host is asked for that may be on its way.
const settleRetry = 200 * time.Millisecond

// opens are the streams of which the link may say denied.
type opens struct {
	slots chan struct{}
	mu    sync.Mutex
	byID  map[wire.StreamID]*opening
}

// opening is a stream without Verdict; guarded by opens.mu.
type opening struct {
	stream *wire.Stream // nil until the trunk has made it
	denied *wire.Reason
}

func newOpens() opens {
	return opens{slots: make(chan struct{}, maxOpening), byID: make(map[wire.StreamID]*opening)}
}

func (o *opens) add(id wire.StreamID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.byID[id] = &opening{}
}

func (o *opens) remove(id wire.StreamID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.byID, id)
}

// made notes the stream; a denial that was faster is carried out.
func (o *opens) made(s *wire.Stream) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if op := o.byID[s.ID()]; op != nil {
		op.stream = s
		if op.denied != nil {
			s.Reset(op.denied)
		}
	}
}

// denied takes the link's word. The stream knows whether the trunk's was first.
func (o *opens) denied(m *wire.Denied) {
	o.mu.Lock()
	defer o.mu.Unlock()
	op := o.byID[m.Stream]
	if op == nil || op.denied != nil {
		return
	}
	op.denied = &m.Reason
	if op.stream != nil {
		op.stream.Reset(&m.Reason)
	}
}

// wasDenied says whether the edge knows already that a stream will not be.
func (o *opens) wasDenied(id wire.StreamID) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	op := o.byID[id]
	return op != nil && op.denied != nil
}

// Denied takes the edge's refusal of one stream.
func (p *Pool) Denied(m *wire.Denied) {
	p.opens.denied(m)
	p.resumeDenied(m)
}

// Open opens a stream to the app of a hostname and waits for its Verdict. It
// tries a second time where the first met something stale: a trunk whose host
// is gone, or a link that ended before an answer came. While the edge has just
// come back, hosts may still be on their way to it, and no-connector is not yet
// the last word. No payload has reached an origin then.
//
// early is payload that goes ahead of the Verdict, so that a new connection
// costs no round trip more than a plain relay; sent is how much of it went with
// the stream that is returned, all or nothing.
func (p *Pool) Open(ctx context.Context, hostname string, early []byte) (s *wire.Stream, sent int, err error) {
	for tried := false; ; {
		s, sent, again, err := p.open(ctx, hostname, early)
		switch {
		case err == nil || ctx.Err() != nil:
			return s, sent, err
		case again && !tried:
			tried = true
		case p.cfg.Settling() && errors.Is(err, &wire.Reason{Code: wire.CodeNoConnector}):
			select {
			case <-time.After(settleRetry):
			case <-ctx.Done():
				return nil, 0, err
			}
		default:
			return nil, 0, err
		}
		p.cfg.Log.Debug("open again", "hostname", hostname, "err", err)
	}
}

func (p *Pool) open(ctx context.Context, hostname string, early []byte) (s *wire.Stream, sent int, again bool, err error) {
	link, life, err := p.cfg.Online(ctx)
	if err != nil {
		return nil, 0, false, err
	}
	session, err := p.cfg.Session()
	if err != nil {
		return nil, 0, false, err
	}
	tr, used, err := p.trunk(ctx, trunkKey{session, hostname})
	if err != nil {
		return nil, 0, life.Err() != nil, err
	}
	if idle := tr.wire.IdleSince(); !idle.IsZero() && time.Since(idle) > earlyWithin {
		early = nil
	}
	s, doubt, err := p.openOn(ctx, link, life, tr, early)
	if err == nil {
		return s, len(early), false, nil
	}
	again = life.Err() != nil
	if stale(tr, err) {
		p.retire(tr)
		again = again || used
	}
	return nil, 0, again && !doubt, err
}

// stale says whether an error tells of the trunk rather than of the stream.
func stale(tr *trunk, err error) bool {
	select {
	case <-tr.wire.Done():
		return true
	default:
	}
	var r *wire.Reason
	if !errors.As(err, &r) {
		return false
	}
	switch r.Code {
	case wire.CodeClosed, wire.CodeNoConnector, wire.CodeConnectorLost, wire.CodeCarrierLost, wire.CodeDraining, wire.CodeHostRestarted, wire.CodeTicketFailed:
		return true
	}
	return false
}

// openOn asks host and edge at the same time; the first of denied and Verdict
// wins. With an error, doubt says that early payload may have reached the origin.
func (p *Pool) openOn(ctx context.Context, link *wire.Link, life context.Context, tr *trunk, early []byte) (s *wire.Stream, doubt bool, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, p.cfg.Verdict, &wire.Reason{Code: wire.CodeConnectorLost, Text: "the host gave no answer"})
	defer cancel()
	ctx, lose := context.WithCancelCause(ctx)
	defer lose(nil)
	stop := context.AfterFunc(life, func() { lose(fmt.Errorf("open a stream: %w", link.Err())) })
	defer stop()
	release, err := p.slot(ctx, tr)
	if err != nil {
		return nil, false, err
	}
	defer release()

	id, trace := wire.NewStreamID(), wire.NewTraceID()
	p.opens.add(id)
	defer p.opens.remove(id)
	if err := link.Send(&wire.OpenRequest{Trunk: tr.wire.ID(), Stream: id, Trace: trace}); err != nil {
		return nil, false, fmt.Errorf("open a stream: %w", err)
	}
	s, err = p.begin(ctx, tr, id, trace, early)
	if err != nil {
		denied := p.opens.wasDenied(id)
		if !denied {
			// The edge may have granted it, or be about to. It hears of it before the
			// ticket that may follow, so that another host can be picked; they are no
			// more than maxOpening at once.
			ended := &wire.StreamEnded{Trunk: tr.wire.ID(), Stream: id, Code: reasonOf(err).Code}
			if link.Send(ended) != nil {
				p.cfg.Report(ended)
			}
		}
		// A host that still speaks has refused, and delivered nothing.
		mute := ctx.Err() != nil || tr.wire.Err() != nil || errors.Is(err, &wire.Reason{Code: wire.CodeCarrierLost})
		return nil, len(early) > 0 && !denied && mute, err
	}
	p.watch(tr, s)
	return s, false, nil
}

// begin opens a stream on its trunk and waits for the Verdict.
func (p *Pool) begin(ctx context.Context, tr *trunk, id wire.StreamID, trace wire.TraceID, early []byte) (*wire.Stream, error) {
	s, err := tr.wire.Open(ctx, id, trace, len(early) > 0)
	if err != nil {
		return nil, fmt.Errorf("open a stream: %w", err)
	}
	p.opens.made(s)
	if len(early) > 0 {
		stop := context.AfterFunc(ctx, func() { s.Reset(reasonOf(context.Cause(ctx))) })
		s.Write(early) // where it fails, the Verdict says why
		stop()
	}
	err = s.Verdict(ctx)
	if err == nil {
		return s, nil
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	s.Reset(reasonOf(err))
	return nil, err
}

// slot waits for leave to have one more stream without Verdict.
func (p *Pool) slot(ctx context.Context, tr *trunk) (release func(), err error) {
	for i, slots := range []chan struct{}{tr.slots, p.opens.slots} {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			if i > 0 {
				<-tr.slots
			}
			return nil, fmt.Errorf("wait to open a stream: %w", context.Cause(ctx))
		}
	}
	return func() { <-tr.slots; <-p.opens.slots }, nil
}

// watch counts the stream, and reports its end.
func (p *Pool) watch(tr *trunk, s *wire.Stream) {
	p.add(tr, s)
	p.cfg.Log.Debug("stream open", "trunk", tr.id, "stream", s.ID(), "trace", s.Trace())
	if tr.window > 0 {
		p.watchBulk(s, 0)
	}
	// An idle stream has no goroutine for this.
	s.AfterEnd(func() {
		if !p.cfg.Go(func(context.Context) { p.ended(tr, s) }) {
			p.drop(s.ID()) // the daemon stops: there is nobody to tell
		}
	})
}

// ended reports the end of a stream.
func (p *Pool) ended(tr *trunk, s *wire.Stream) {
	p.drop(s.ID())
	sent, received := s.Counters()
	m := &wire.StreamEnded{
		Trunk: tr.wire.ID(), Stream: s.ID(), BytesToOrigin: sent, BytesToClient: received,
		BytesReplayed: s.Replayed(), Code: reasonOf(s.Err()).Code,
	}
	p.cfg.Log.Debug("stream closed", "trunk", m.Trunk, "stream", m.Stream, "code", m.Code, "bytes_to_origin", sent, "bytes_to_client", received)
	p.cfg.Report(m)
}

// reasonOf is what the edge and the other end are told of an error.
func reasonOf(err error) *wire.Reason {
	var r *wire.Reason
	switch {
	case err == nil:
		return &wire.Reason{Code: wire.CodeClosed}
	case errors.As(err, &r):
		return r
	case errors.Is(err, context.Canceled):
		return &wire.Reason{Code: wire.CodeReset, Text: "the application went away"}
	}
	return &wire.Reason{Code: wire.CodeCarrierLost}
}
