package trunks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sallyport/sallyport/wire"
)

const (
	// resumeFirst and resumeMost are the waits between two tries to find the host
	// again: soon after an edge has come back, and no burden while it is away.
	resumeFirst = 100 * time.Millisecond
	resumeMost  = 5 * time.Second
)

// errResumeLater ends a trunk on which the edge lets a stream not go on now: its
// streams try again on another.
var errResumeLater = errors.New("the edge lets a stream not go on now")

// resume keeps the streams of a lost trunk until each goes on with another, is
// over, or has waited too long.
func (p *Pool) resume(ctx context.Context, tr *trunk) {
	late := &wire.Reason{
		Code: wire.CodeCarrierLost,
		Text: fmt.Sprintf("the host was not reached again within %s", tr.window),
	}
	ctx, cancel := context.WithTimeoutCause(ctx, tr.window, late)
	defer cancel()
	wait := resumeFirst
	for p.holds(tr) {
		err := p.goOn(ctx, tr)
		r := reasonOf(err)
		switch {
		case err == nil:
			continue
		case ctx.Err() != nil:
			if r = late; !errors.Is(context.Cause(ctx), late) {
				r = &wire.Reason{Code: wire.CodeClosed, Text: "the daemon stopped"}
			}
			p.giveUp(tr, r)
		case !passing(err):
			p.giveUp(tr, r)
		default:
			p.cfg.Log.Debug("streams wait for another trunk", "trunk", tr.id, "err", err)
			select {
			case <-time.After(wait):
			case <-ctx.Done():
			}
			wait = min(2*wait, resumeMost)
			if p.cfg.Settling() {
				wait = settleRetry // its hosts are on their way to it
			}
		}
	}
}

// passing says whether what keeps streams from going on may be over soon.
func passing(err error) bool {
	var r *wire.Reason
	if !errors.As(err, &r) {
		return true // the link, or the way to the edge
	}
	switch r.Code {
	case wire.CodeNoConnector, wire.CodeConnectorLost, wire.CodeCarrierLost, wire.CodeLimit, wire.CodeDraining,
		wire.CodeTicketFailed, wire.CodeInternal, wire.CodeClosed, wire.CodeReset:
		return true
	}
	return false
}

// isOver says whether a stream that the edge denied another trunk has ended, rather
// than that it may ask again.
func isOver(r *wire.Reason) bool {
	return r.Code == wire.CodeClosed || r.Code == wire.CodeReset || !passing(r)
}

// goOn moves the streams of a lost trunk to one that leads to the same process of
// the same host.
func (p *Pool) goOn(ctx context.Context, tr *trunk) error {
	link, _, err := p.cfg.Online(ctx)
	if err != nil {
		// Who signed out or was signed out has no streams here any more.
		return fmt.Errorf("wait for the edge: %v", err)
	}
	next, err := p.successor(ctx, tr)
	if err != nil {
		return err
	}
	for list := range slices.Chunk(p.streamsOf(tr), wire.MaxResume) {
		m := &wire.Resume{Trunk: next.id}
		for _, s := range list {
			m.Streams = append(m.Streams, wire.ResumeStream{Stream: s.ID(), Trace: s.Trace(), From: tr.id})
		}
		if err := link.Send(m); err != nil {
			return fmt.Errorf("ask to go on: %w", err)
		}
		for _, s := range list {
			if err := p.attach(ctx, tr, next, s); err != nil {
				return err
			}
		}
	}
	return nil
}

// attach has one stream go on. It belongs to the next trunk from before it can be
// lost there.
func (p *Pool) attach(ctx context.Context, tr, next *trunk, s *wire.Stream) error {
	if !p.move(tr, next, s) {
		return nil // it is over
	}
	err := next.wire.Attach(ctx, s)
	switch {
	case err == nil:
		p.resumed(tr, s)
		p.cfg.Log.Debug("stream goes on", "stream", s.ID(), "from", tr.id, "trunk", next.id)
		return nil
	case s.Err() != nil:
		return nil
	}
	p.move(next, tr, s)
	return err
}

// move gives a stream from one trunk to another; false where it is not there, or
// the other is no more.
func (p *Pool) move(from, to *trunk, s *wire.Stream) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, there := p.all[to]
	if from.streams[s.ID()] != s || !there {
		return false
	}
	delete(from.streams, s.ID())
	to.streams[s.ID()] = s
	return true
}

// successor finds a trunk that leads where a lost one led, or makes it.
func (p *Pool) successor(ctx context.Context, tr *trunk) (*trunk, error) {
	p.mu.Lock()
	next := p.aliveLocked(tr)
	if next == nil {
		next = newTrunk(tr.key)
		next.want = &wire.HostProcess{Key: tr.host.Key, BootID: tr.host.BootID}
		if !p.cfg.Go(func(ctx context.Context) { p.keep(ctx, next) }) {
			p.mu.Unlock()
			return nil, ErrStopped
		}
		p.all[next] = struct{}{} // new streams do not wait for it: another host may serve them
	}
	p.mu.Unlock()
	select {
	case <-next.ready:
		return next, next.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// aliveLocked is a trunk that leads, or is to lead, where a lost one led.
func (p *Pool) aliveLocked(tr *trunk) *trunk {
	for x := range p.all {
		leads := x.want != nil && *x.want == tr.host || isReady(x) && x.host == tr.host
		if x != tr && x.key == tr.key && leads && !x.retired && !x.lost && x.ended == nil {
			return x
		}
	}
	return nil
}

// holds says whether a lost trunk still has streams. One without is no more.
func (p *Pool) holds(tr *trunk) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(tr.streams) > 0 {
		return true
	}
	delete(p.all, tr)
	return false
}

// lose notes that a trunk was lost; false where nothing of it may go on.
func (p *Pool) lose(tr *trunk) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.byKey[tr.key] == tr {
		delete(p.byKey, tr.key)
	}
	tr.lost = true
	return tr.window > 0 && tr.ended == nil
}

func (p *Pool) streamsOf(tr *trunk) []*wire.Stream {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := make([]*wire.Stream, 0, len(tr.streams))
	for _, s := range tr.streams {
		list = append(list, s)
	}
	return list
}

// giveUp resets what a lost trunk still holds.
func (p *Pool) giveUp(tr *trunk, r *wire.Reason) {
	list := p.streamsOf(tr)
	p.cfg.Log.Warn("streams end with their trunk", "trunk", tr.id, "streams", len(list), "reason", r.Error())
	for _, s := range list {
		p.drop(s.ID())
		p.expired(s, r)
		s.Reset(r)
	}
}

// resumeDenied takes the edge's word that a stream may not go on with a trunk.
func (p *Pool) resumeDenied(m *wire.Denied) {
	s, tr := p.find(m.Stream)
	switch {
	case s == nil || tr.id != m.Trunk:
	case isOver(&m.Reason):
		s.Reset(&m.Reason)
	default:
		wait := resumeMost
		if tr.lane { // the trunk waits for it
			wait = 0
		}
		p.cfg.Go(func(ctx context.Context) { // ends after the wait
			select {
			case <-time.After(wait):
				tr.wire.Lose(errResumeLater)
			case <-tr.wire.Done():
			case <-ctx.Done():
			}
		})
	}
}

// find is an admitted stream, and its trunk.
func (p *Pool) find(id wire.StreamID) (*wire.Stream, *trunk) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for tr := range p.all {
		if s := tr.streams[id]; s != nil {
			return s, tr
		}
	}
	return nil, nil
}
