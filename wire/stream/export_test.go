package stream

import (
	"io"
	"net"

	"github.com/sallyport/sallyport/wire/envelope"
)

var (
	_ net.Conn      = (*Stream)(nil)
	_ io.ReaderFrom = (*Stream)(nil)
)

// What the tests look at from outside.

// Held is what the stream keeps for sending again, and what waits to be read.
func (s *Stream) Held() (kept, waiting int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.Out.Kept(), s.state.In.Len()
}

// Full says whether the other end lets nothing more be sent.
func (s *Stream) Full() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.Out.Room(envelope.MaxPayload) == 0 && s.state.Out.Kept() > 0
}

// Window is the present window of what comes in.
func (s *Stream) Window() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.In.Window()
}

// Mux is what the stream shares.
func (s *Stream) Mux() *Mux { return s.last.mux }

// BuffersUsed is what the windows of the streams and what they keep take.
func (m *Mux) BuffersUsed() int64 { return m.budget.Used() }

// Over says that the stream is over.
func (s *Stream) Over() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.over
}
