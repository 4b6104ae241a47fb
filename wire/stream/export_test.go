package stream

import (
	"io"
	"net"
)

var (
	_ net.Conn      = (*Stream)(nil)
	_ io.ReaderFrom = (*Stream)(nil)
	_ io.WriterTo   = (*Stream)(nil)
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
	return s.state.Out.Room() == 0 && s.state.Out.Kept() > 0
}

// Window is the present window of what comes in.
func (s *Stream) Window() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.In.Window()
}

// Listed says whether the stream is to be shrunk once it is quiet.
func (s *Stream) Listed() bool {
	s.mux.mu.Lock()
	defer s.mux.mu.Unlock()
	return s.listed
}

// Mux is what the stream shares.
func (s *Stream) Mux() *Mux { return s.mux }

// WindowsUsed is what the windows of the trunk take beyond the first ones.
func (m *Mux) WindowsUsed() int64 { return m.windows.Used() }

// Live is how many streams are not closed by both ends.
func (m *Mux) Live() int { return m.framer.Police().Live() }
