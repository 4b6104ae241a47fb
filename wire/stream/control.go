package stream

import "time"

// urge has the control goroutine write what is in s.control. It does not wait.
func (m *Mux) urge(s *Stream) {
	m.mu.Lock()
	if !s.urged {
		s.urged = true
		m.urgent = append(m.urgent, s)
	}
	m.mu.Unlock()
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// ackSoon has a small acknowledgement written within ackDelay, unless payload
// takes it along before.
func (m *Mux) ackSoon(s *Stream) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s.ackQueued || m.ctx.Err() != nil {
		return
	}
	s.ackQueued = true
	m.acks = append(m.acks, s)
	if len(m.acks) > 1 {
		return
	}
	if m.ackTimer == nil {
		m.ackTimer = time.AfterFunc(ackDelay, m.ackNow)
		return
	}
	m.ackTimer.Reset(ackDelay)
}

func (m *Mux) ackNow() {
	m.mu.Lock()
	late := m.acks
	m.acks = nil
	for _, s := range late {
		s.ackQueued = false
	}
	m.mu.Unlock()
	for _, s := range late {
		s.mu.Lock()
		if !s.over && s.state.In.Pending() {
			s.control |= writeAck
			m.urge(s)
		}
		s.mu.Unlock()
	}
}

// writeControl writes what nobody else may wait for, the frames of several
// streams together.
func (m *Mux) writeControl() {
	for {
		select {
		case <-m.wake:
		case <-m.ctx.Done():
			return
		}
		m.mu.Lock()
		list := m.urgent
		m.urgent = nil
		for _, s := range list {
			s.urged = false
		}
		m.mu.Unlock()
		for _, s := range list {
			s.flush()
		}
	}
}

// noteBulk remembers that a stream's buffers have grown.
func (m *Mux) noteBulk(s *Stream) {
	if s.lastBulk.Swap(int64(m.framer.LastRead())) != 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !s.listed {
		s.listed = true
		m.grown = append(m.grown, s)
	}
}

// Shrink lets streams that carried bulk and are quiet now give their buffers
// back. It does not wait.
func (m *Mux) Shrink(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ctx.Err() != nil {
		return
	}
	var quiet []*Stream
	keep := m.grown[:0]
	for _, s := range m.grown {
		if m.framer.Age(now)-time.Duration(s.lastBulk.Load()) > idleAfter {
			s.listed = false
			quiet = append(quiet, s)
		} else {
			keep = append(keep, s)
		}
	}
	clear(m.grown[len(keep):])
	m.grown = keep
	if len(quiet) == 0 {
		return
	}
	// yamux holds a stream's lock while it waits for the rest of a frame, so
	// this may wait; it ends with the carriers.
	m.wg.Go(func() {
		for _, s := range quiet {
			s.lastBulk.Store(0)
			s.carrier.Shrink()
		}
	})
}
