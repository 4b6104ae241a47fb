package stream

import (
	"errors"
	"time"

	"github.com/hashicorp/yamux"

	"github.com/sallyport/sallyport/wire/envelope"
	"github.com/sallyport/sallyport/wire/reason"
)

// Breaches that a stream's reader finds.
var (
	errFirstFrame = errors.New("stream begins with another frame than OPEN")
	errUnexpected = errors.New("frame that has no place here")
	errLate       = errors.New("a stream is not opened or not closed by the other end")
)

// run reads the stream's carrier from its opening to its end. It never waits for
// a local socket, nor for anything to be written.
func (s *Stream) run() {
	if s.mux.client && !s.openCarrier() {
		return
	}
	s.in = envelope.NewReader(s.carrier, s.mux.framer.Police().Read)
	err := s.readFrames()
	var lost *envelope.CarrierError
	switch {
	case errors.Is(err, yamux.ErrTimeout):
		s.mux.Breach(errLate)
	case !errors.As(err, &lost):
		s.mux.Breach(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.checkOverLocked() // the last acknowledgement may have gone out just now
	s.finishLocked(s.mux.loss(), 0)
	if !s.mux.client && s.verdict == refused {
		s.mux.refusedGone()
	}
}

// openCarrier opens the carrier and sends OPEN; false where there is none.
func (s *Stream) openCarrier() bool {
	if s.isOver() {
		return false
	}
	carrier, err := s.mux.cfg.OpenCarrier(s.mux.ctx)
	if err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.finishLocked(s.mux.loss(), 0)
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.carrier = carrier
	if s.over {
		s.awaitLocked(CloseWait)
	}
	frames := envelope.AppendOpen(s.scratch[:envelope.Prefix], envelope.Opening{ID: s.state.ID, Trace: s.state.Trace})
	s.mu.Unlock()
	err = s.put(frames, false)
	s.mu.Lock()
	if err != nil {
		s.finishLocked(s.mux.loss(), 0)
	}
	s.releaseLocked()
	return true
}

// awaitLocked bounds how long the carrier may stay without a byte; 0: for ever.
func (s *Stream) awaitLocked(wait time.Duration) {
	if wait == 0 {
		s.carrier.SetReadDeadline(time.Time{})
		return
	}
	s.carrier.SetReadDeadline(time.Now().Add(wait))
}

// readFrames handles frames until the carrier ends: the error is then a
// *envelope.CarrierError, any other one a breach of the protocol. What comes
// after the stream's end is thrown away.
func (s *Stream) readFrames() error {
	for first := !s.mux.client; ; first = false {
		s.mu.Lock()
		over := s.over
		if first && !over {
			s.awaitLocked(OpenWait)
		}
		s.mu.Unlock()
		if over {
			return s.in.Discard()
		}
		kind, n, err := s.in.Next()
		if err != nil {
			return err
		}
		if err := s.readFrame(first, kind, n); err != nil {
			return err
		}
	}
}

func (s *Stream) isOver() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.over
}

// readFrame reads and handles the body of one frame.
func (s *Stream) readFrame(first bool, kind envelope.Type, n int) error {
	if s.tooEarly(kind) {
		return errUnexpected
	}
	if kind == envelope.Data && !first {
		return s.readData(n)
	}
	body, err := s.in.Body(n)
	if err != nil {
		return err
	}
	switch {
	case first:
		return s.readFirst(kind, body)
	case kind == envelope.Ack:
		return s.onAck(body)
	case kind == envelope.Fin:
		return s.onFin()
	case kind == envelope.Verdict:
		return s.onVerdict(body)
	case kind == envelope.Rst:
		return s.onRst(body)
	}
	return errUnexpected
}

// tooEarly says whether a frame comes before the host's word (client): an ACK
// would raise what may be sent before it.
func (s *Stream) tooEarly(kind envelope.Type) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mux.client && s.verdict == undecided && kind != envelope.Verdict && kind != envelope.Rst
}

// readFirst takes OPEN (host). An ATTACH names a stream of a trunk that is gone;
// this end keeps none.
func (s *Stream) readFirst(kind envelope.Type, body []byte) error {
	if kind == envelope.Attach {
		s.Reset(&reason.Reason{Code: reason.CarrierLost, Text: "the stream is not known here"})
		return nil
	}
	if kind != envelope.Open {
		return errFirstFrame
	}
	o, err := envelope.ParseOpen(body)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.state.ID, s.state.Trace = o.ID, o.Trace
	over := s.over
	if !over {
		s.awaitLocked(0)
	}
	s.mu.Unlock()
	if over {
		return nil
	}
	select {
	case s.mux.accepted <- s:
	default: // cannot be: who waits is bounded by the channel's size
		s.Refuse(&reason.Reason{Code: reason.Limit})
	}
	return nil
}

// readData reads payload into the stream's own chunks.
func (s *Stream) readData(n int) error {
	if n >= bulkFrame {
		s.mux.noteBulk(s)
	}
	s.mu.Lock()
	if err := s.state.In.Check(n); err != nil && !s.over {
		s.mu.Unlock()
		return err
	}
	if s.closed {
		s.resetLocked(&reason.Reason{Code: reason.Reset, Text: "data after close"})
	}
	for n > 0 && !s.over {
		chunk, space := s.state.In.Begin(n)
		s.mu.Unlock()
		err := s.in.Fill(space)
		s.mu.Lock()
		if err != nil {
			s.state.In.Commit(chunk, 0)
			s.mu.Unlock()
			return err
		}
		s.state.In.Commit(chunk, len(space))
		n -= len(space)
	}
	s.rcond.Broadcast()
	s.mu.Unlock()
	s.pump()
	return nil
}

func (s *Stream) onAck(body []byte) error {
	a, err := envelope.ParseAck(body)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return nil
	}
	if err := s.state.Out.Ack(a); err != nil {
		return err
	}
	s.wcond.Broadcast()
	s.checkOverLocked()
	return nil
}

func (s *Stream) onFin() error {
	s.mu.Lock()
	if s.over {
		s.mu.Unlock()
		return nil
	}
	err := s.state.In.Fin()
	if err == nil && s.closed {
		s.takeFinLocked()
	}
	s.rcond.Broadcast()
	s.mu.Unlock()
	s.pump()
	return err
}

func (s *Stream) onVerdict(body []byte) error {
	w, err := envelope.ParseWords(body)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return nil
	}
	if !s.mux.client || s.verdict != undecided {
		return errUnexpected
	}
	if reason.Code(w.Code) != reason.OK {
		s.finishLocked(reason.Of(w), 0)
		return nil
	}
	s.verdict = admitted
	<-s.mux.opening
	s.state.Out.Open(envelope.InitialWindow)
	s.wcond.Broadcast()
	return nil
}

func (s *Stream) onRst(body []byte) error {
	w, err := envelope.ParseWords(body)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.finishLocked(reason.Of(w), 0)
	return nil
}
