package stream

import (
	"io"
	"os"
	"syscall"
	"time"

	"github.com/sallyport/sallyport/wire/envelope"
	"github.com/sallyport/sallyport/wire/reason"
	"github.com/sallyport/sallyport/wire/socket"
)

// Write sends payload. It waits while the other end takes nothing.
func (s *Stream) Write(p []byte) (n int, err error) {
	return s.from.Write((*outlet)(s), p)
}

// ReadFrom sends everything that r gives until its end, which it does not send
// on: CloseWrite does. While it waits for a socket it holds no buffer; while
// the other end takes nothing, it sees a socket that is reset.
func (s *Stream) ReadFrom(r io.Reader) (total int64, err error) {
	probe := socket.NewProbe(r, &s.mu, &s.wcond)
	defer probe.Stop()
	return s.from.ReadFrom((*outlet)(s), r, probe)
}

// outlet is a stream as package local sends on it.
type outlet Stream

// WaitRoom waits until something may be sent, and says how much; want would be.
func (o *outlet) WaitRoom(p *socket.Probe, want int) (int, error) {
	s := (*Stream)(o)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waitRoomLocked(p, want, false)
}

// Send sends a chunk, and gives it away.
func (o *outlet) Send(chunk *envelope.Chunk, p *socket.Probe) error {
	return (*Stream)(o).send(chunk, p)
}

// waitRoomLocked waits until something may be taken in, and with free also until
// the carrier is free.
func (s *Stream) waitRoomLocked(p *socket.Probe, want int, free bool) (int, error) {
	for {
		if s.until.WriteLocked() {
			return 0, os.ErrDeadlineExceeded
		}
		if err := s.endedErrLocked(ErrWriteClosed); err != nil {
			return 0, err
		}
		if s.state.Out.Closed() {
			return 0, ErrWriteClosed
		}
		room := s.state.Out.Room(want)
		if room > 0 && !(free && (s.c == nil || !s.c.attached || s.c.writing)) {
			return min(room, s.last.MaxPayload()), nil
		}
		if p != nil && (room == 0 || s.c == nil) && p.BrokenLocked() {
			return 0, os.NewSyscallError("read", syscall.ECONNRESET)
		}
		s.wcond.Wait()
	}
}

// send waits for the carrier and writes a chunk as one DATA frame, with an
// acknowledgement where one is pending. It gives the chunk away. Where the
// carrier is lost meanwhile and the stream is not, the payload is taken in all the
// same: it is sent again.
func (s *Stream) send(chunk *envelope.Chunk, p *socket.Probe) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.holdLocked(p, len(chunk.Payload()))
	if err != nil {
		chunk.Free()
		return err
	}
	defer s.releaseLocked(c)
	var ack *envelope.Acking
	if s.state.In.Pending() {
		a := s.state.In.Ack(time.Now(), c.RTT())
		ack = &a
		s.control &^= envelope.SayAck
	}
	frame := s.state.Out.Put(chunk, ack)
	s.hooks.Note(s.state.Carried())
	s.mu.Unlock()
	err = c.Put(frame, false)
	s.mu.Lock()
	s.state.Out.Sent(chunk)
	if err != nil {
		s.lostLocked(c)
		return s.endedErrLocked(ErrWriteClosed)
	}
	return nil
}

// holdLocked waits for the carrier, and holds it for payload. A Verdict that has waited
// goes ahead in the same write.
func (s *Stream) holdLocked(p *socket.Probe, want int) (*carriage, error) {
	for {
		if _, err := s.waitRoomLocked(p, want, true); err != nil {
			return nil, err
		}
		c := s.c
		c.writing = true
		if s.control&envelope.SayVerdict != 0 {
			s.writeControlLocked(c, true)
		}
		if s.c == c && !s.over {
			return c, nil
		}
		s.releaseLocked(c)
	}
}

// dueLocked says whether anything is to be written to a carrier now.
func (s *Stream) dueLocked(c *carriage) bool {
	return s.control != 0 && s.c == c && c.Opened() && (c.attached || s.over)
}

// releaseLocked writes the control frames that came up meanwhile, and frees the
// carrier.
func (s *Stream) releaseLocked(c *carriage) {
	for s.dueLocked(c) {
		s.writeControlLocked(c, false)
	}
	c.writing = false
	if s.c != c {
		c.Retire()
	}
	s.wcond.Broadcast()
}

// flushLocked writes pending control frames now, where the carrier is free; who
// holds it does it otherwise.
func (s *Stream) flushLocked() {
	if c := s.c; c != nil && s.dueLocked(c) && !c.writing {
		c.writing = true
		s.releaseLocked(c)
	}
}

// Flush is that of its stream. With wait it returns when no other writes.
func (c *carriage) Flush(wait bool) {
	s := c.lock()
	defer s.mu.Unlock()
	for wait && s.c == c && c.writing && !c.ended {
		s.wcond.Wait() // every write ends: with an error, once the trunk has ended
	}
	s.flushLocked()
}

// Late writes what payload has not taken along.
func (c *carriage) Late() {
	s := c.lock()
	defer s.mu.Unlock()
	if !s.over && s.c == c {
		s.control |= envelope.SayAck
		c.Urge()
	}
}

// Repeat writes the last acknowledgement once more, where nothing else is due.
func (c *carriage) Repeat() {
	s := c.lock()
	defer s.mu.Unlock()
	if !s.over && s.c == c && c.attached && s.verdict == admitted {
		s.control |= envelope.SayAckAgain
		c.Urge()
	}
}

// Cut ends the stream that has the carrier.
func (c *carriage) Cut(r *reason.Reason) {
	s := c.lock()
	defer s.mu.Unlock()
	if s.c == c {
		s.resetLocked(r)
	}
}

// writeControlLocked writes what is in control, where hold is set together with what the
// caller writes next; the caller holds the carrier.
func (s *Stream) writeControlLocked(c *carriage, hold bool) {
	set := s.control
	s.control = 0
	frames := s.state.Speak(c.scratch[:envelope.Prefix], set, s.words, s.over, c.RTT())
	if !s.over && s.state.Over() { // with this acknowledgement
		s.finishLocked(nil, 0)
		set, s.control = set|envelope.SayClose, 0
	}
	last := s.over && set&envelope.SayClose != 0
	s.mu.Unlock()
	var err error
	if len(frames) > envelope.Prefix {
		err = c.Put(frames, last || hold)
	}
	if last {
		c.Close() // yamux's FIN takes along what was held
	}
	s.mu.Lock()
	if err != nil {
		s.lostLocked(c)
	}
}
