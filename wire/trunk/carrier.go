package trunk

import (
	"errors"
	"time"

	"github.com/hashicorp/yamux"

	"github.com/sallyport/sallyport/wire/envelope"
	"github.com/sallyport/sallyport/wire/id"
	"github.com/sallyport/sallyport/wire/reason"
)

// Breaches that a stream's reader finds.
var (
	errFirstFrame = errors.New("stream begins with another frame than OPEN")
	errUnexpected = errors.New("frame that has no place here")
	errUnclosed   = errors.New("stream that is over is not closed by the other end")
)

// carrierReader reads frames. Its buffer is all that an idle stream holds.
type carrierReader struct {
	carrier *yamux.Stream
	read    func(int) // told how much was taken out of yamux
	buf     [64]byte
	r, w    int
}

// full fills p.
func (c *carrierReader) full(p []byte) error {
	n := copy(p, c.buf[c.r:c.w])
	c.r += n
	p = p[n:]
	for len(p) >= len(c.buf) {
		n, err := c.carrier.Read(p)
		if err != nil {
			return err
		}
		c.read(n)
		p = p[n:]
	}
	for len(p) > 0 {
		n, err := c.carrier.Read(c.buf[:])
		if err != nil {
			return err
		}
		c.read(n)
		k := copy(p, c.buf[:n])
		c.r, c.w = k, n
		p = p[k:]
	}
	return nil
}

// discard reads until the carrier's end.
func (c *carrierReader) discard() error {
	c.r, c.w = 0, 0
	for {
		n, err := c.carrier.Read(c.buf[:])
		if err != nil {
			return err
		}
		c.read(n)
		if n < len(c.buf) {
			continue
		}
		chunk := envelope.NewChunk(envelope.MaxPayload)
		n, err = c.carrier.Read(chunk.Space())
		c.read(n)
		chunk.Free()
		if err != nil {
			return err
		}
	}
}

// run reads the stream's carrier from its opening to its end. It never waits for
// a local socket, nor for anything to be written.
func (s *Stream) run() {
	if s.trunk.client && !s.openCarrier() {
		return
	}
	s.in.carrier, s.in.read = s.carrier, s.trunk.framer.police.Read
	err := s.readFrames()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.checkOverLocked() // the last acknowledgement may have gone out just now
	switch {
	case s.over && errors.Is(err, yamux.ErrTimeout):
		s.trunk.breach(errUnclosed)
	case !s.over && errors.Is(err, yamux.ErrTimeout):
		s.words = envelope.Words{Code: string(reason.Protocol), Text: "no open came"}
		s.finishLocked(errFirstFrame, writeRst)
	case !s.over:
		s.finishLocked(s.trunk.loss(), 0)
	}
	if !s.trunk.client && s.verdict == refused {
		s.trunk.refusedGone()
	}
}

// openCarrier opens the carrier and sends OPEN; false where there is none.
func (s *Stream) openCarrier() bool {
	t := s.trunk
	if s.isOver() {
		return false
	}
	t.framer.expect() // OPEN, so that yamux's own frame goes with it
	carrier, err := t.openCarrier()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		t.framer.forget()
		s.finishLocked(t.loss(), 0)
		return false
	}
	s.carrier = carrier
	frame := envelope.AppendOpen(s.scratch[:0], envelope.Opening{ID: s.state.ID, Trace: s.state.Trace})
	s.mu.Unlock()
	err = s.put(frame, true)
	s.mu.Lock()
	if err != nil {
		s.finishLocked(t.loss(), 0)
	}
	if s.over {
		s.carrier.SetReadDeadline(time.Now().Add(WriteTimeout))
	}
	s.releaseLocked()
	return true
}

// readFrames handles frames until the carrier ends. What comes after the
// stream's end is thrown away.
func (s *Stream) readFrames() error {
	for first := !s.trunk.client; ; first = false {
		if s.isOver() {
			return s.in.discard()
		}
		if first {
			s.carrier.SetReadDeadline(time.Now().Add(OpenWait))
		}
		var header [envelope.HeaderSize]byte
		if err := s.in.full(header[:]); err != nil {
			return err
		}
		kind, n, err := envelope.ParseHeader(header)
		if err == nil {
			err = s.readFrame(first, kind, n)
		}
		if err != nil {
			var b *breach
			if errors.As(err, &b) || kind == 0 {
				s.trunk.breach(err)
			}
			return err
		}
	}
}

// breach is an error by which the other end broke the protocol.
type breach struct{ err error }

func (b *breach) Error() string { return b.err.Error() }
func (b *breach) Unwrap() error { return b.err }

func breached(err error) error {
	if err == nil {
		return nil
	}
	return &breach{err}
}

func (s *Stream) isOver() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.over
}

// readFrame reads and handles the body of one frame.
func (s *Stream) readFrame(first bool, kind envelope.Type, n int) error {
	if first {
		return s.readFirst(kind, n)
	}
	if kind == envelope.Data {
		return s.readData(n)
	}
	body, err := s.body(n)
	if err != nil {
		return err
	}
	switch kind {
	case envelope.Ack:
		return s.onAck(body)
	case envelope.Fin:
		return s.onFin()
	case envelope.Verdict:
		return s.onVerdict(body)
	case envelope.Rst:
		return s.onRst(body)
	}
	return breached(errUnexpected)
}

// body reads a short body. It is valid until the next one.
func (s *Stream) body(n int) ([]byte, error) {
	if s.in.w-s.in.r >= n { // it lies in the buffer
		b := s.in.buf[s.in.r : s.in.r+n]
		s.in.r += n
		return b, nil
	}
	b := make([]byte, n)
	return b, s.in.full(b)
}

// readFirst takes OPEN (host). An ATTACH names a stream of a trunk that is gone;
// this end keeps none.
func (s *Stream) readFirst(kind envelope.Type, n int) error {
	body, err := s.body(n)
	if err != nil {
		return err
	}
	s.carrier.SetReadDeadline(time.Time{})
	switch kind {
	case envelope.Open:
		o, err := envelope.ParseOpen(body)
		if err != nil {
			return breached(err)
		}
		s.mu.Lock()
		s.state.ID, s.state.Trace = id.Stream(o.ID), id.Trace(o.Trace)
		over := s.over
		s.mu.Unlock()
		if over {
			return nil
		}
		select {
		case s.trunk.accepted <- s:
		default: // cannot be: waiting is bounded by the channel's size
			s.Refuse(&reason.Reason{Code: reason.Limit})
		}
		return nil
	case envelope.Attach:
		s.Reset(&reason.Reason{Code: reason.CarrierLost, Text: "the stream is not known here"})
		return nil
	}
	return breached(errFirstFrame)
}

// readData reads payload into the stream's own chunks.
func (s *Stream) readData(n int) error {
	if n >= bulkFrame {
		s.trunk.noteBulk(s)
	}
	s.mu.Lock()
	if err := s.state.In.Check(n); err != nil && !s.over {
		s.mu.Unlock()
		return breached(err)
	}
	if s.trunk.client && s.verdict == undecided {
		s.mu.Unlock()
		return breached(errUnexpected)
	}
	if s.closed {
		s.resetLocked(&reason.Reason{Code: reason.Reset, Text: "data after close"})
	}
	for n > 0 && !s.over {
		chunk, space := s.state.In.Begin(n)
		s.mu.Unlock()
		err := s.in.full(space)
		s.mu.Lock()
		if err != nil {
			s.state.In.Commit(chunk, 0)
			s.mu.Unlock()
			return err
		}
		s.state.In.Commit(chunk, len(space))
		n -= len(space)
		s.rcond.Broadcast()
	}
	s.mu.Unlock()
	return nil
}

func (s *Stream) onAck(body []byte) error {
	a, err := envelope.ParseAck(body)
	if err != nil {
		return breached(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return nil
	}
	if err := s.state.Out.Ack(a); err != nil {
		return breached(err)
	}
	s.wcond.Broadcast()
	s.checkOverLocked()
	return nil
}

func (s *Stream) onFin() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return nil
	}
	if err := s.state.In.Fin(); err != nil {
		return breached(err)
	}
	if s.closed {
		s.takeFinLocked()
	}
	s.rcond.Broadcast()
	return nil
}

func (s *Stream) onVerdict(body []byte) error {
	w, err := envelope.ParseWords(body)
	if err != nil {
		return breached(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return nil
	}
	if !s.trunk.client || s.verdict != undecided {
		return breached(errUnexpected)
	}
	if reason.Code(w.Code) != reason.OK {
		s.finishLocked(reasonOf(w), 0)
		return nil
	}
	s.verdict = admitted
	<-s.trunk.opening
	s.state.Out.Open(envelope.InitialWindow)
	s.wcond.Broadcast()
	return nil
}

func (s *Stream) onRst(body []byte) error {
	w, err := envelope.ParseWords(body)
	if err != nil {
		return breached(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.finishLocked(reasonOf(w), 0)
	return nil
}

// bulkFrame is the payload from which a frame counts as bulk.
const bulkFrame = 4 << 10

// noteBulk remembers that a stream's buffers have grown.
func (t *Trunk) noteBulk(s *Stream) {
	if s.lastBulk.Swap(t.framer.lastRead.Load()) != 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !s.listed {
		s.listed = true
		t.grown = append(t.grown, s)
	}
}

// shrink gives back what yamux keeps for a stream that is quiet.
func (s *Stream) shrink() {
	s.trunk.mu.Lock()
	s.listed = false
	s.trunk.mu.Unlock()
	s.lastBulk.Store(0)
	s.carrier.Shrink()
}
