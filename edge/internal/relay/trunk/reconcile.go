package trunk

import (
	"context"
	"time"

	"github.com/sallyport/sallyport/edge/internal/registry"
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
			x.timer = time.AfterFunc(t.cfg.OrphanTime, func() {
				t.cutAll(context.Background(), []*trunk{x}, hostLost())
			})
		}
	}
	t.mu.Unlock()
	for _, x := range waiting {
		t.failed(x.id, hostLost())
	}
	for _, x := range idle {
		x.pair.Reset()
	}
	if l := t.cfg.Link(h.Key); l != nil && l.Host() != nil && l.Host() != h {
		t.adopt(l)
	}
}

// Reconcile compares what a daemon says at its hello that it still carries with
// what may be (rule 10). since is when its link began.
func (t *Table) Reconcile(l Link, since time.Time, listed []wire.StreamRef) {
	if l.Role() == wire.RoleHost {
		t.adopt(l)
	}
	alive := make(map[wire.StreamID]bool, len(listed))
	for _, ref := range listed {
		t.mu.Lock()
		x, s := t.trunks[ref.Trunk], t.streams[ref.Stream]
		known := x != nil && s != nil && s.trunk == x && (x.clientKey == l.Key() || x.hostKey == l.Key())
		t.mu.Unlock()
		if !known {
			l.Tell(&wire.Cut{Trunk: ref.Trunk, Stream: ref.Stream, Reason: *trunkGone()})
			continue
		}
		alive[ref.Stream] = true
		if why := t.passes(x); why != nil {
			t.cutAll(context.Background(), []*trunk{x}, *why)
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.streams {
		mine := s.trunk.clientKey == l.Key() || s.trunk.hostKey == l.Key()
		if mine && s.granted && !alive[s.id] && s.started.Before(since) {
			t.endSoonLocked(s) // it ended while the link was away
		}
	}
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
		case gone, x.hostKey != l.Key() || !x.orphan || x.over:
		case x.host.BootID != l.BootID():
			dead = append(dead, x)
		case x.timer != nil:
			x.timer.Stop()
		}
	}
	t.mu.Unlock()
	t.cutAll(context.Background(), dead, wire.Reason{
		Code: wire.CodeHostRestarted, Text: "the host's daemon was restarted", Hint: "try again",
	})
}
