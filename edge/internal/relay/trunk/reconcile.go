package trunk

import (
	"context"
	"time"

	"github.com/sallyport/sallyport/edge/internal/registry"
	"github.com/sallyport/sallyport/edge/internal/relay/decide"
	"github.com/sallyport/sallyport/wire"
)

// HostGone takes the trunks of a lost link instance: those without a stream end
// now, the others when the streams do, OrphanTime later at most. So do those of
// an instance before it that it had taken over.
// More than once is no error, nor is after the hello of the next instance.
func (t *Table) HostGone(h *registry.Host) {
	t.cfg.Registry.Remove(h)
	var waiting, idle []*trunk
	t.mu.Lock()
	for _, x := range t.trunks {
		switch {
		case x.hostKey != h.Key || x.over || x.host == h && x.orphan:
			continue
		case x.host != h:
			if x.orphan && x.timer != nil {
				x.timer.Reset(t.cfg.OrphanTime)
			}
			continue
		}
		x.orphan = true
		switch {
		case x.pair == nil:
			waiting = append(waiting, x)
		case len(x.streams) == 0:
			idle = append(idle, x)
		default:
			x.timer = time.AfterFunc(t.cfg.OrphanTime, func() { t.endOrphan(x) })
		}
	}
	t.mu.Unlock()
	for _, x := range waiting {
		t.failed(x.id, decide.HostLost())
	}
	for _, x := range idle {
		x.pair.Reset()
	}
	if l := t.cfg.Link(h.Key); l != nil && l.Host() != nil && l.Host() != h {
		t.adopt(l)
	}
}

// endOrphan ends a trunk whose host's link has not come back. Where its streams
// may go on with another, they wait for the host together.
func (t *Table) endOrphan(x *trunk) {
	if x.resume > 0 {
		t.lose(x)
		return
	}
	t.cutAll(context.Background(), []*trunk{x}, decide.HostLost())
}

// Reconcile compares what a daemon says at its hello that it still carries with
// what may be (rule 10). since is when its link began.
func (t *Table) Reconcile(l Link, since time.Time, listed []wire.StreamRef) {
	if l.Role() == wire.RoleHost {
		t.adopt(l)
	}
	alive := make(map[wire.StreamID]bool, len(listed))
	whole := true
	for _, ref := range listed {
		switch x, why := t.find(l, ref); {
		case why != nil && decide.Passing(why):
			whole = false // it waits at its daemons, and is decided when it resumes
		case why != nil:
			l.Tell(&wire.Cut{Trunk: ref.Trunk, Stream: ref.Stream, Reason: *why})
		default:
			alive[ref.Stream] = true
			if why := t.passes(x); why != nil {
				t.cutAll(context.Background(), []*trunk{x}, *why)
			}
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.streams {
		mine := s.trunk.clientKey == l.Key() || s.trunk.hostKey == l.Key()
		if mine && s.granted && !alive[s.id] && (s.old || s.started.Before(since)) {
			t.endSoonLocked(s) // it ended while the link was away
		}
	}
	l.SetWhole(whole)
}

// adopt lets the trunks of a lost link instance live on where the same process
// has returned. New streams on them are refused all the same: grants go only to
// the instance that took the offer.
func (t *Table) adopt(l Link) {
	var dead []*trunk
	t.mu.Lock()
	gone := l.Err() != nil // its HostGone has been, or comes
	for _, x := range t.trunks {
		switch {
		case gone, x.hostKey != l.Key() || !x.orphan && !x.parked || x.over && !x.parked:
		case x.host.BootID != l.BootID():
			dead = append(dead, x)
		case x.timer != nil && !x.parked:
			x.timer.Stop()
		}
	}
	t.mu.Unlock()
	t.cutAll(context.Background(), dead, *decide.HostRestarted())
}

// find is the trunk of a stream that a daemon lists; a reason where the stream
// may not be any more. One that waits for another trunk and is not known here,
// since the edge was restarted, gets a row again.
func (t *Table) find(l Link, ref wire.StreamRef) (*trunk, *wire.Reason) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if why := t.graves.Find(ref.Stream); why != nil {
		return nil, why
	}
	s := t.streams[ref.Stream]
	switch {
	case s == nil && ref.Parked:
		return t.restoreLocked(l, ref)
	case s != nil && ref.Parked && s.trunk.hostKey.IsZero():
		if why := t.learnHostLocked(l, s, ref); why != nil {
			return nil, why
		}
	case s == nil || s.trunk.clientKey != l.Key() && s.trunk.hostKey != l.Key():
		return nil, decide.StreamOver()
	}
	switch {
	case s.cut != nil:
		return nil, s.cut
	case s.trunk.cut != nil:
		return nil, s.trunk.cut
	}
	return s.trunk, nil
}
