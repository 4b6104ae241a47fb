package framer

import (
	"sync"
	"sync/atomic"
	"time"
)

// rttMeter knows the shortest round trip of the last half minute or so: what a
// round trip takes when nothing queues.
type rttMeter struct {
	mu    sync.Mutex
	id    uint32 // of the ping on its way
	at    time.Time
	since time.Time
	now   time.Duration // shortest of this period
	last  time.Duration // shortest of the period before
	value atomic.Int64
}

func (m *rttMeter) sent(id uint32, now time.Time) {
	m.mu.Lock()
	m.id, m.at = id, now
	m.mu.Unlock()
}

func (m *rttMeter) answered(id uint32, now time.Time) {
	const period = 30 * time.Second
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.at.IsZero() || id != m.id {
		return
	}
	sample := max(now.Sub(m.at), time.Microsecond)
	m.at = time.Time{}
	if now.Sub(m.since) > period {
		m.last, m.now, m.since = m.now, 0, now
	}
	if m.now == 0 || sample < m.now {
		m.now = sample
	}
	best := m.now
	if m.last > 0 {
		best = min(best, m.last)
	}
	m.value.Store(int64(best))
}

// get is the round trip, 0 while it is unknown.
func (m *rttMeter) get() time.Duration { return time.Duration(m.value.Load()) }
