package trunk

import (
	"errors"
	"time"

	"github.com/sallyport/sallyport/wire/socket"
)

var (
	errDead  = errors.New("nothing heard from the other daemon")
	errStuck = errors.New("the other daemon takes nothing")
)

// watch pings on silence, and sees to it that a dead or stalling peer is left. It
// returns when over is closed, or the mux has ended.
func (t *Trunk) watch(over <-chan struct{}) {
	timer := time.NewTimer(0) // the first ping at once: it measures the round trip
	defer timer.Stop()
	w := &watchman{t: t}
	for {
		select {
		case <-over:
			return
		case <-t.mux.Done():
			return
		case now := <-timer.C:
			if err := w.look(now); err != nil {
				t.road.Fail(err)
				return
			}
			timer.Reset(w.next)
		}
	}
}

// watchman holds what watch remembers from one look to the next.
type watchman struct {
	t          *Trunk
	acked      uint64
	unacked    int       // sent and not acknowledged, at the last look
	progressed time.Time // when payload was seen to be acknowledged
	pinged     time.Time
	unsent     int // what the kernel may hold unsent, as last told
	next       time.Duration
}

// look does what is due, and says how long to wait for the next look.
func (w *watchman) look(now time.Time) error {
	t := w.t
	if err := w.alive(now); err != nil {
		return err
	}
	quiet := t.road.Silence(now)
	if t.lane != nil {
		if quiet = t.lane.Quiet(now); quiet >= PingAfter {
			t.mux.Repeat()
		}
	} else {
		w.keepPace(now)
	}
	w.next = max(PingAfter-quiet, time.Second)
	return nil
}

// alive says why the other end is to be left, nil where it lives.
func (w *watchman) alive(now time.Time) error {
	t := w.t
	if t.framer != nil {
		if err := t.framer.Stalled(now); err != nil {
			return err
		}
	}
	silent := t.road.Silence(now)
	if acked, unacked, ok := t.progress(); ok {
		if acked != w.acked && w.unacked > pingsOnly {
			w.progressed = now
		}
		w.acked, w.unacked = acked, unacked
	}
	switch {
	case silent >= DeadAfter && now.Sub(w.progressed) >= DeadAfter, silent >= WriteTimeout:
		return errDead
	case t.road.Stuck(now) >= WriteTimeout:
		return errStuck
	}
	return nil
}

// keepPace pings, and bounds what the kernel holds unsent.
func (w *watchman) keepPace(now time.Time) {
	t := w.t
	if n := t.framer.Unsent(NotSentLowAt); n != w.unsent && t.raw != nil {
		w.unsent = n
		socket.LimitUnsent(t.raw, n)
	}
	streams, _ := t.mux.Count()
	if t.framer.Silence(now) >= PingAfter || w.pinged.IsZero() || streams > 0 && now.Sub(w.pinged) >= DeadAfter {
		w.pinged = now
		t.framer.Ping(now)
	}
}

// pingsOnly is what a few pings take on the connection: that they are
// acknowledged says nothing of the other daemon.
const pingsOnly = 512

// progress is how far TCP has come, and what it has still to bring over, where
// that can be known.
func (t *Trunk) progress() (acked uint64, unacked int, ok bool) {
	if t.raw == nil {
		return 0, 0, false
	}
	return socket.Acked(t.raw)
}
