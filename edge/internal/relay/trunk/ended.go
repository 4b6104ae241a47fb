package trunk

import (
	"cmp"
	"time"

	"github.com/sallyport/sallyport/edge/internal/audit"
	"github.com/sallyport/sallyport/edge/internal/relay/decide"
	"github.com/sallyport/sallyport/wire"
)

// StreamEnded takes a daemon's word that a stream is over. The host's figures
// end the row at once, and confirm a cut: its CutDone comes after them. The
// client's wait a little for the host's. Which trunk they name does not matter:
// of a stream that goes on with another one, a daemon may say so early or late.
func (t *Table) StreamEnded(l Link, m *wire.StreamEnded) {
	t.cfg.Meter.Replayed(m.BytesReplayed)
	t.mu.Lock()
	s := t.streams[m.Stream]
	switch {
	case s == nil:
	case l.Role() == wire.RoleHost && l.Key() == s.trunk.hostKey && s.granted:
		s.figures = m
		if m.Code == wire.CodeNeverOpened && !s.resumes {
			t.refused.Owe(s.trunk.session.ID, time.Now()) // it was decided for nothing
		}
		t.mu.Unlock()
		t.endStream(s, m.Code)
		t.mu.Lock()
		s.confirmLocked() // last: who waits for the cut finds no row any more
		t.mu.Unlock()
		return
	case l.Role() == wire.RoleClient && l.Key() == s.trunk.clientKey:
		wait := t.cfg.ReportTime
		if s.trunk.parked && s.cut == nil && !s.ended {
			wait = 0 // nothing but this tells its host
		}
		s.ended = true
		s.figures = cmp.Or(s.figures, m)
		if decide.OfHost(m.Code) {
			t.cfg.Registry.Failed(s.trunk.session.ID, s.trunk.host)
		}
		if s.granted {
			t.endInLocked(s, wait)
		}
	}
	t.mu.Unlock()
}

// endSoonLocked ends a stream unless its host's word comes first.
func (t *Table) endSoonLocked(s *stream) { t.endInLocked(s, t.cfg.ReportTime) }

func (t *Table) endInLocked(s *stream, wait time.Duration) {
	if t.stopped || s.timer != nil && (wait > 0 || !s.timer.Stop()) {
		return
	}
	s.timer = time.AfterFunc(wait, func() { t.askHost(s) })
}

// askHost has the host end a stream that its client calls over, and gives it
// ReportTime again to say so. The client's word alone is not taken: what it goes
// on using would be seen by nobody, and could not be cut.
func (t *Table) askHost(s *stream) {
	host := t.cfg.Link(t.hostOf(s.trunk))
	if host == nil { // where it comes back with the stream, Reconcile cuts that
		t.endStream(s, wire.CodeCarrierLost)
		return
	}
	host.Tell(&wire.Cut{Trunk: s.trunk.id, Stream: s.id, Reason: decide.CalledOver()})
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.streams[s.id] == s && !t.stopped {
		s.timer = time.AfterFunc(t.cfg.ReportTime, func() { t.endStream(s, wire.CodeCarrierLost) })
	}
}

// endStream ends a granted stream once. Without the host's figures those of the
// client count; code is what is known where neither has spoken.
func (t *Table) endStream(s *stream, code wire.Code) {
	t.mu.Lock()
	if !s.granted || !t.forgetLocked(s) {
		t.mu.Unlock()
		return
	}
	figures := s.figures
	switch {
	case s.cut != nil:
		code = s.cut.Code
	case s.trunk.cut != nil:
		code = s.trunk.cut.Code
	case figures != nil:
		code = figures.Code
	}
	t.buryLocked(s, code)
	empty, host := s.trunk.emptyOrphanLocked(), s.trunk.host
	t.mu.Unlock()
	host.AddStreams(-1)
	t.auditEnd(s, figures, code)
	if empty {
		s.trunk.pair.Reset()
	}
}

func (t *Table) auditEnd(s *stream, figures *wire.StreamEnded, code wire.Code) {
	rec := t.record(s)
	rec.Event, rec.Outcome, rec.End = audit.EventStreamEnd, audit.OK, decide.Clip(string(code))
	rec.DurationMS = time.Since(s.started).Milliseconds()
	if figures != nil {
		rec.BytesToOrigin, rec.BytesToClient = figures.BytesToOrigin, figures.BytesToClient
	}
	t.cfg.Audit.Note(rec)
	t.cfg.Meter.StreamEnded(rec.End)
	t.log.Debug("stream ended", "stream", s.id, "trace", s.trace, "code", rec.End)
}
