package carrier

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/sallyport/sallyport/wire/reason"
)

// Run has the riders write what nobody may wait for, until the line ends; then it ends
// their carriers.
func (m *Line) Run() {
	m.writeControl()
	m.mu.Lock()
	if m.lateTimer != nil {
		m.lateTimer.Stop()
	}
	list := slices.Collect(maps.Keys(m.carriers))
	m.mu.Unlock()
	for _, c := range list {
		c.rider.End(m.Loss())
	}
	m.wg.Wait()
}

func (m *Line) wakeUp() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

func (m *Line) lateNow() {
	m.mu.Lock()
	late := m.late
	m.late = nil
	for _, c := range late {
		c.waits = false
	}
	m.mu.Unlock()
	for _, c := range late {
		c.rider.Late()
	}
}

// writeControl writes what nobody else may wait for, the frames of several
// streams together.
func (m *Line) writeControl() {
	for {
		select {
		case <-m.wake:
		case <-m.ctx.Done():
			return
		}
		m.mu.Lock()
		list := m.urgent
		m.urgent = nil
		for _, c := range list {
			c.urged = false
		}
		leave := m.told
		if leave {
			list = slices.Collect(maps.Keys(m.carriers))
		}
		m.mu.Unlock()
		for _, c := range list {
			c.rider.Flush(leave)
		}
		if leave && !m.cfg.Lane { // a lane ends when the other end has taken the word
			m.cfg.Road.Flush()
			m.End(m.Err())
		}
	}
}

// Close ends all streams with a reason, which the other end is told, and then the
// line. It does not wait; the other end may have leaveWait to take the word.
func (m *Line) Close(r *reason.Reason) {
	m.mu.Lock()
	first := m.leaving == nil
	if first {
		m.leaving = r
	}
	list := slices.Collect(maps.Keys(m.carriers))
	m.mu.Unlock()
	for _, c := range list {
		c.rider.Cut(r)
	}
	if len(list) == 0 || m.ctx.Err() != nil {
		m.End(r)
		return
	}
	if first {
		stop := time.AfterFunc(leaveWait, func() { m.End(r) })
		context.AfterFunc(m.ctx, func() { stop.Stop() })
	}
	m.mu.Lock()
	m.told = true
	m.mu.Unlock()
	m.wakeUp()
}
