package stream

import (
	"io"
	"os"
	"syscall"
	"time"

	"github.com/sallyport/sallyport/wire/envelope"
	"github.com/sallyport/sallyport/wire/socket"
)

// Write sends payload. It waits while the other end takes nothing.
func (s *Stream) Write(p []byte) (n int, err error) {
	s.wlock.Lock()
	defer s.wlock.Unlock()
	for n < len(p) {
		room, err := s.acquire(nil)
		if err != nil {
			return n, err
		}
		chunk := envelope.NewChunk(min(room, len(p)-n))
		k := copy(chunk.Space(), p[n:][:min(room, len(p)-n)])
		chunk.Grow(k)
		if err := s.send(chunk); err != nil {
			return n, err
		}
		n += k
	}
	return n, nil
}

// ReadFrom sends everything that r gives until its end, which it does not send
// on: CloseWrite does. While it waits for a socket it holds no buffer; while
// the other end takes nothing, it sees a socket that is reset.
func (s *Stream) ReadFrom(r io.Reader) (total int64, err error) {
	s.wlock.Lock()
	defer s.wlock.Unlock()
	var chunk *envelope.Chunk
	room := 0
	src := socket.NewReader(r,
		func() []byte {
			n := min(room, envelope.MaxPayload)
			if !s.bulk {
				n = min(n, firstRead)
			}
			chunk = envelope.NewChunk(n)
			return chunk.Space()[:min(n, len(chunk.Space()))]
		},
		func() { chunk.Free(); chunk = nil })
	probe := socket.NewProbe(r, &s.mu, &s.wcond)
	defer probe.Stop()
	for {
		if room, err = s.waitRoom(probe); err != nil {
			return total, err
		}
		n, rerr := src.Read()
		if n > 0 {
			s.bulk = n >= firstRead
			chunk.Grow(n)
			if _, err := s.acquire(probe); err != nil {
				chunk.Free()
				return total, err
			}
			if err := s.send(chunk); err != nil {
				return total, err
			}
			total += int64(n)
		}
		if rerr == io.EOF {
			return total, nil
		}
		if rerr != nil {
			return total, rerr
		}
	}
}

// firstRead is what a small chunk takes; a read that fills it makes the next
// one large.
const firstRead = 4<<10 - envelope.Headroom

// waitRoom waits until something may be sent, and says how much.
func (s *Stream) waitRoom(p *socket.Probe) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waitRoomLocked(p, false)
}

// acquire waits until something may be sent and the carrier is free, and takes
// the carrier: send gives it on.
func (s *Stream) acquire(p *socket.Probe) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	room, err := s.waitRoomLocked(p, true)
	if err == nil {
		s.writing = true
	}
	return room, err
}

func (s *Stream) waitRoomLocked(p *socket.Probe, free bool) (int, error) {
	for {
		if s.writeBy.Expired() {
			return 0, os.ErrDeadlineExceeded
		}
		if err := s.endedErrLocked(ErrWriteClosed); err != nil {
			return 0, err
		}
		if s.state.Out.Closed() {
			return 0, ErrWriteClosed
		}
		room := s.state.Out.Room()
		if room > 0 && !(free && s.writing) {
			return min(room, s.mux.framer.MaxPayload()), nil
		}
		if p != nil && room == 0 && p.BrokenLocked() {
			return 0, os.NewSyscallError("read", syscall.ECONNRESET)
		}
		s.wcond.Wait()
	}
}

// send writes a chunk as one DATA frame, with an acknowledgement where one is
// pending. The caller holds the carrier (acquire); send gives it and the chunk
// away.
func (s *Stream) send(chunk *envelope.Chunk) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.releaseLocked()
	if err := s.endedErrLocked(ErrWriteClosed); err != nil || s.state.Out.Closed() {
		chunk.Free()
		if err == nil {
			err = ErrWriteClosed
		}
		return err
	}
	var ack *envelope.Acking
	if s.state.In.Pending() {
		a := s.state.In.Ack(time.Now(), s.mux.framer.RTT())
		ack = &a
		s.control &^= writeAck
	}
	frame := s.state.Out.Put(chunk, ack)
	s.mu.Unlock()
	err := s.put(frame, false)
	s.mu.Lock()
	s.state.Out.Sent(chunk)
	if err != nil {
		s.finishLocked(s.mux.loss(), 0)
		return s.endedErrLocked(ErrWriteClosed)
	}
	s.checkOverLocked()
	return nil
}

// put writes whole frames to the carrier; in front of them are envelope.Prefix
// bytes of room. With hold they wait for what is certain to follow.
func (s *Stream) put(frames []byte, hold bool) error {
	return s.mux.framer.Send(s.carrier.StreamID(), frames, hold)
}

// releaseLocked writes the control frames that came up meanwhile, and frees the
// carrier.
func (s *Stream) releaseLocked() {
	for s.control != 0 && s.carrier != nil {
		s.writeControlLocked()
	}
	s.writing = false
	s.wcond.Broadcast()
}

// flush writes pending control frames now, where the carrier is free; who holds
// it does it otherwise.
func (s *Stream) flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writing || s.control == 0 || s.carrier == nil {
		return
	}
	s.writing = true
	s.releaseLocked()
}

// writeControlLocked writes what is in control; the caller holds the carrier.
func (s *Stream) writeControlLocked() {
	frames, last := s.controlFramesLocked()
	s.mu.Unlock()
	var err error
	if len(frames) > envelope.Prefix {
		err = s.put(frames, last)
	}
	if last {
		s.carrier.Close() // yamux's FIN takes along what was held
	}
	s.mu.Lock()
	if err != nil {
		s.finishLocked(s.mux.loss(), 0)
		return
	}
	s.checkOverLocked()
}

// controlFramesLocked takes the frames out of control, with room in front; last
// says that the carrier is to be closed after them.
func (s *Stream) controlFramesLocked() (frames []byte, last bool) {
	c := s.control
	s.control = 0
	frames = s.scratch[:envelope.Prefix]
	if c&writeVerdict != 0 {
		frames = envelope.AppendVerdict(frames, s.words)
	}
	if c&writeRst != 0 {
		frames = envelope.AppendRst(frames, s.words)
	}
	if s.over {
		return frames, c&closeCarrier != 0
	}
	if c&writeAck != 0 && s.state.In.Pending() {
		frames = envelope.AppendAck(frames, s.state.In.Ack(time.Now(), s.mux.framer.RTT()))
	}
	if c&writeFin != 0 && s.state.Out.FinDue() {
		frames = envelope.AppendFin(frames)
		s.state.Out.FinSent()
	}
	return frames, false
}

// checkOverLocked ends a stream both of whose directions ended in order.
func (s *Stream) checkOverLocked() {
	if !s.over && s.state.Over() {
		s.finishLocked(nil, 0)
	}
}
