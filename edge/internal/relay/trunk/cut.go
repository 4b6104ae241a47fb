package trunk

import (
	"context"
	"errors"

	"github.com/sallyport/sallyport/edge/internal/relay/decide"
	"github.com/sallyport/sallyport/wire"
)

// ErrNoStream: no stream that lives or is parked has that id.
var ErrNoStream = errors.New("no such stream")

// cutAll ends trunks: both daemons are told, tickets are voided, connections get
// a RST. It returns when no byte passes any more, with the streams it cut.
func (t *Table) cutAll(ctx context.Context, trunks []*trunk, why wire.Reason) (streams int) {
	var joined []*trunk
	var parked []*stream
	for _, x := range trunks {
		t.mu.Lock()
		if x.cut == nil {
			x.cut = &why
			streams += len(x.streams)
		}
		waiting, held := x.pair == nil && !x.over, t.heldLocked(x)
		t.mu.Unlock()
		t.tellCut(x, held, why)
		switch {
		case waiting:
			t.drop(x.id)
		case x.pair != nil:
			joined = append(joined, x) // where it is parked, the wait is over at once
		}
		parked = append(parked, held...)
	}
	if len(joined) > 0 {
		t.reset(ctx, joined)
	}
	t.endParked(ctx, parked, why.Code)
	return streams
}

// reset closes pairs with a RST after headStart, and waits until they are closed
// and their rows say so.
func (t *Table) reset(ctx context.Context, joined []*trunk) {
	ctx, cancel := context.WithTimeout(ctx, headStart)
	defer cancel()
	for _, x := range joined {
		select {
		case <-x.done:
		case <-ctx.Done():
			x.pair.Reset()
		}
	}
	for _, x := range joined {
		<-x.done
	}
}

// CutSession ends every trunk and ticket of a session.
func (t *Table) CutSession(ctx context.Context, id string, why wire.Reason) (streams int) {
	return t.cutAll(ctx, t.where(func(x *trunk) bool { return x.session.ID == id }), why)
}

// CutConnector ends every trunk and ticket that a connector serves.
func (t *Table) CutConnector(ctx context.Context, id string) (streams int) {
	return t.cutAll(ctx, t.where(func(x *trunk) bool { return x.host.Connector == id }), t.cfg.ConnectorRevoked())
}

// CutApp ends every trunk and ticket of a hostname whose app was removed.
func (t *Table) CutApp(ctx context.Context, hostname string) (streams int) {
	return t.cutAll(ctx, t.where(func(x *trunk) bool { return x.hostname == hostname }), t.cfg.AppRemoved(hostname))
}

// Recheck cuts what a policy no longer allows: the trunks of a hostname, or where
// it is "" those of a person. The others are not touched.
func (t *Table) Recheck(ctx context.Context, hostname string, who wire.PersonInfo) (streams int) {
	var denied []*trunk
	for _, x := range t.where(func(x *trunk) bool {
		p := x.session.Person
		return hostname != "" && x.hostname == hostname || p.Issuer == who.Issuer && p.Subject == who.Subject
	}) {
		if why := t.passes(x); why != nil && why.Code == wire.CodeDenied {
			denied = append(denied, x)
		}
	}
	return t.cutAll(ctx, denied, t.cfg.NoLonger())
}

// Leave takes no new streams any more, new ones on old trunks among them.
func (t *Table) Leave() { t.leaving.Store(true) }

// Stop ends everything, and accounts for it. Streams that may go on with another
// trunk are not cut: that edge, or this one when it is back, decides them anew.
func (t *Table) Stop() {
	t.mu.Lock()
	t.stopped = true
	t.mu.Unlock()
	all := t.where(func(*trunk) bool { return true })
	var cut []*trunk
	for _, x := range all {
		if x.resume == 0 {
			cut = append(cut, x)
		} else {
			t.lose(x)
		}
	}
	t.cutAll(context.Background(), cut, *decide.Draining())
	for _, x := range all {
		t.settle(x, wire.CodeDraining)
	}
}

// lose ends a trunk without a word: to its daemons it is lost, and its streams
// may go on with another.
func (t *Table) lose(x *trunk) {
	t.mu.Lock()
	pair, over := x.pair, x.over
	t.mu.Unlock()
	switch {
	case pair != nil:
		pair.Reset()
		<-x.done
	case !over:
		t.drop(x.id)
	}
}

// CutStream ends one stream at once; it returns when the host has confirmed, or
// the whole trunk is closed. ErrNoStream where there is none of that id.
func (t *Table) CutStream(ctx context.Context, id wire.StreamID, why wire.Reason) error {
	t.mu.Lock()
	s := t.streams[id]
	if s == nil || s.trunk.over && !s.trunk.parked {
		t.mu.Unlock()
		return ErrNoStream
	}
	s.cutLocked(why)
	x, done, parked := s.trunk, s.cutDone, s.trunk.parked
	t.mu.Unlock()
	for _, l := range t.endsOf(x) {
		l.Tell(&wire.Cut{Trunk: x.id, Stream: id, Reason: why})
	}
	if parked {
		t.endParked(ctx, []*stream{s}, why.Code)
		return nil
	}
	soon, cancel := context.WithTimeout(ctx, t.cfg.CutTime)
	defer cancel()
	select {
	case <-done:
		return nil
	case <-soon.Done():
	}
	t.log.Warn("host did not confirm a cut: its trunk is closed", "stream", id, "trunk", x.id, "connector", x.host.Connector)
	t.cutAll(ctx, []*trunk{x}, why)
	return nil
}

// CutDone takes a host's word that it has cut a stream.
func (t *Table) CutDone(l Link, m *wire.CutDone) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.streams[m.Stream]
	if s == nil || s.trunk.hostKey != l.Key() || s.cutDone == nil {
		return
	}
	s.confirmLocked()
	if s.granted && !s.trunk.parked {
		t.endSoonLocked(s)
	}
}

// cutLocked marks the stream as cut; the first reason stays.
func (s *stream) cutLocked(why wire.Reason) {
	if s.cut == nil {
		s.cut = &why
	}
	if s.cutDone == nil {
		s.cutDone = make(chan struct{})
	}
}

// confirmLocked tells who waits for a cut of the stream that the host has made it.
func (s *stream) confirmLocked() {
	if s.cutDone == nil {
		return
	}
	select {
	case <-s.cutDone:
	default:
		close(s.cutDone)
	}
}
