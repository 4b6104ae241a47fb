package stream

import (
	"io"
	"os"

	"github.com/sallyport/sallyport/wire/carrier"
	"github.com/sallyport/sallyport/wire/envelope"
)

// Read gives payload of the other end; io.EOF is its FIN and nothing else.
func (s *Stream) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		ready, err := s.readyLocked()
		if err != nil {
			return 0, err
		}
		if ready {
			break
		}
		s.rcond.Wait()
	}
	n := s.state.In.Read(p)
	if s.ackLocked() {
		s.urgeLocked()
	}
	return n, nil
}

// took counts bytes as delivered, and acknowledges them where that is due; wait says
// that the caller may wait for the carrier.
func (s *Stream) took(chunk *envelope.Chunk, n int, wait bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.In.Take(chunk, n)
	switch {
	case s.over || !s.ackLocked():
	case wait:
		s.flushLocked()
	default:
		s.urgeLocked()
	}
}

// readyLocked says whether there is payload, or why there will be none. The end of it is
// io.EOF, which it takes.
func (s *Stream) readyLocked() (bool, error) {
	if s.until.ReadLocked() {
		return false, os.ErrDeadlineExceeded
	}
	if err := s.endedErrLocked(io.EOF); err != nil {
		return false, err
	}
	if s.verdict != admitted {
		return false, nil
	}
	if s.state.In.Ended() {
		s.takeFinLocked()
		return false, io.EOF
	}
	return s.state.In.Len() > 0, nil
}

// takeFinLocked counts the end as delivered, and acknowledges it.
func (s *Stream) takeFinLocked() {
	s.state.In.TakeFin()
	switch {
	case !s.state.In.Pending():
	case s.state.Out.Closed() || s.c == nil:
		s.control |= envelope.SayAck
		s.urgeLocked()
	default:
		s.c.Soon(carrier.WordWait)
	}
}

// ackLocked decides what becomes of delivered bytes: true, acknowledge now; else
// with the next frame, or soon.
func (s *Stream) ackLocked() bool {
	if s.state.In.Due() {
		s.control |= envelope.SayAck
		return true
	}
	if s.state.In.Pending() && s.c != nil {
		s.c.Soon(carrier.AckWait)
	}
	return false
}
