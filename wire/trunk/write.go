package trunk

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
	for {
		room, err := s.acquire(nil)
		if err != nil {
			return n, err
		}
		chunk := envelope.NewChunk(min(room, len(p)-n))
		k := copy(chunk.Space(), p[n:][:min(room, len(p)-n)])
		if k == 0 { // of an empty p
			chunk.Free()
			s.release()
			return n, nil
		}
		chunk.Grow(k)
		if err := s.send(chunk); err != nil {
			return n, err
		}
		n += k
		if n == len(p) {
			return n, nil
		}
	}
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
	probe := newProbe(s, r)
	defer probe.stop()
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
func (s *Stream) waitRoom(p *probe) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waitRoomLocked(p, false)
}

// acquire waits until something may be sent and the carrier is free, and takes
// the carrier: send or release gives it on.
func (s *Stream) acquire(p *probe) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	room, err := s.waitRoomLocked(p, true)
	if err == nil {
		s.writing = true
	}
	return room, err
}

func (s *Stream) waitRoomLocked(p *probe, free bool) (int, error) {
	for {
		if s.writeBy.expired {
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
			if s.trunk.framer.announced.Load() > busyWriters {
				room = min(room, smallFrame)
			}
			return min(room, envelope.MaxPayload), nil
		}
		if p != nil && room == 0 && p.brokenLocked() {
			return 0, os.NewSyscallError("read", syscall.ECONNRESET)
		}
		s.wcond.Wait()
	}
}

// probe asks a local socket now and then whether it was reset, while nothing
// is read from it.
type probe struct {
	s     *Stream
	raw   syscall.RawConn
	timer *time.Timer
	due   bool // guarded by s.mu
}

func newProbe(s *Stream, r io.Reader) *probe {
	return &probe{s: s, raw: socket.Conn(r)}
}

// brokenLocked arms the timer, or asks when it has run off.
func (p *probe) brokenLocked() bool {
	if p.raw == nil {
		return false
	}
	if p.timer == nil {
		p.timer = time.AfterFunc(probeAfter, func() {
			p.s.mu.Lock()
			defer p.s.mu.Unlock()
			p.due = true
			p.s.wcond.Broadcast()
		})
		return false
	}
	if !p.due {
		return false
	}
	p.due = false
	p.timer.Reset(probeAfter)
	return socket.Broken(p.raw)
}

func (p *probe) stop() {
	if p.timer != nil {
		p.timer.Stop()
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
		a := s.state.In.Ack(time.Now(), s.trunk.framer.rtt.get())
		ack = &a
		s.control &^= writeAck
	}
	frame := s.state.Out.Put(chunk, ack)
	s.mu.Unlock()
	err := s.put(frame, false)
	s.mu.Lock()
	s.state.Out.Sent(chunk)
	if err != nil {
		s.finishLocked(s.trunk.loss(), 0)
		return s.endedErrLocked(ErrWriteClosed)
	}
	s.checkOverLocked()
	return nil
}

// put writes whole frames to the carrier as one frame of yamux.
func (s *Stream) put(frames []byte, announced bool) error {
	f := s.trunk.framer
	if !announced {
		f.expect()
	}
	if _, err := s.carrier.Write(frames); err != nil {
		f.forget()
		if s.trunk.session.IsClosed() {
			return err
		}
		f.fail(err) // a frame that may or may not have gone out: nothing after it is sure
		return err
	}
	return nil
}

// release gives the carrier on.
func (s *Stream) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.releaseLocked()
}

// releaseLocked writes the control frames that came up meanwhile, and frees the
// carrier.
func (s *Stream) releaseLocked() {
	for s.control != 0 && s.carrier != nil {
		s.writeControlLocked(false)
	}
	s.writing = false
	s.wcond.Broadcast()
}

// flush writes pending control frames now, where the carrier is free; who holds
// it does it otherwise.
func (s *Stream) flush() { s.flushAs(false) }

func (s *Stream) flushAs(announced bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writing || s.control == 0 || s.carrier == nil {
		if announced {
			s.trunk.framer.forget()
		}
		return
	}
	s.writing = true
	s.writeControlLocked(announced)
	s.releaseLocked()
}

// writeControlLocked writes what is in control; the caller holds the carrier.
func (s *Stream) writeControlLocked(announced bool) {
	frames, last := s.controlFramesLocked()
	s.mu.Unlock()
	var err error
	if len(frames) > 0 {
		err = s.put(frames, announced)
	} else if announced {
		s.trunk.framer.forget()
	}
	if last {
		s.carrier.Close()
	}
	s.mu.Lock()
	if err != nil {
		s.finishLocked(s.trunk.loss(), 0)
		return
	}
	s.checkOverLocked()
}

// controlFramesLocked takes the frames out of control; last says that the
// carrier is to be closed after them.
func (s *Stream) controlFramesLocked() (frames []byte, last bool) {
	c := s.control
	s.control = 0
	frames = s.scratch[:0]
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
		frames = envelope.AppendAck(frames, s.state.In.Ack(time.Now(), s.trunk.framer.rtt.get()))
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
