package stream

import (
	"errors"
	"io"
	"sync/atomic"

	"github.com/sallyport/sallyport/wire/carrier"
	"github.com/sallyport/sallyport/wire/envelope"
	"github.com/sallyport/sallyport/wire/reason"
)

// What a carrier's reader ends with; the first two are breaches.
var (
	errUnexpected = errors.New("frame that has no place here")
	errLate       = errors.New("a stream is not opened or not closed by the other end")
	// errUnknown is the answer to ATTACH for a stream that this end does not hold.
	errUnknown = &reason.Reason{Code: reason.CarrierLost, Text: "the stream is not known here"}
	errNothing = errors.New("nothing is to be carried") // a run that has opened nothing
)

// carriage is one carrier and what a stream has of it. The stream that owns it
// guards it by its mu, but for what says otherwise.
type carriage struct {
	carrier.Carrier
	mux   *Mux                   // never changes
	owner atomic.Pointer[Stream] // changes once, where a stream goes on with it (host)
	epoch uint32                 // 0 is the carrier that brought OPEN

	writing  bool   // somebody writes to it; releaseLocked gives it on
	early    bool   // payload follows OPEN
	attached bool   // both ends know where the sequences are
	ended    bool   // its reader is done
	knock    *knock // host: where it began with ATTACH

	slot    bool                    // the reader's: it holds a slot of the line
	in      envelope.Reader         // the reader's
	scratch [envelope.Headroom]byte // control frames; belongs to who writes
}

// knock is a carrier that waits for the stream that it is for.
type knock struct {
	word    envelope.Attachment
	decided chan struct{} // closed when a stream goes on with it, or none does
}

// Run reads the carrier from its opening to its end. It never waits for a local
// socket, nor for anything to be written.
func (c *carriage) Run() {
	err := c.open()
	if err == nil {
		c.in = c.Reader()
		err = c.readFrames()
		var lost *envelope.CarrierError
		switch {
		case errors.Is(err, carrier.ErrLate):
			c.mux.Breach(errLate)
		case !errors.As(err, &lost):
			c.mux.Breach(err)
		}
	}
	c.giveSlot()
	c.end(errors.Is(err, io.EOF) && c.mux.Alive())
}

// end takes the carrier from its stream. closed says that the other end has
// closed it, and so knows all that was to be known.
func (c *carriage) end(closed bool) {
	s := c.lock()
	defer s.mu.Unlock()
	c.ended = true
	if s.c == c {
		s.lostLocked(c)
		s.settled = s.settled || closed && s.over // a client that has left it knows nothing
	}
	remains := s.last == c && !s.settled && (s.over || s.c == nil) && (s.client || s.verdict == admitted)
	c.mux.left(c, s, remains)
	s.wcond.Broadcast()
	if !s.client && s.verdict == refused {
		c.mux.RefusedGone()
	}
}

func (c *carriage) lock() *Stream {
	s := c.owner.Load()
	s.mu.Lock()
	return s
}

func (c *carriage) giveSlot() {
	if c.slot {
		c.slot = false
		c.mux.Answered(false)
	}
}

// open opens the carrier and sends its first frame (client).
func (c *carriage) open() error {
	if !c.mux.Client() {
		return nil
	}
	s := c.lock()
	needless := s.over && c.epoch == 0 || s.c != c
	s.settled = s.settled || needless && s.over // nobody knows of it
	s.mu.Unlock()
	if needless {
		return errNothing
	}
	y, err := c.mux.Dial()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c.Use(y)
	if s.over {
		c.Await(carrier.CloseWait)
	}
	frames := s.state.First(c.scratch[:envelope.Prefix], c.epoch)
	s.mu.Unlock()
	err = c.Put(frames, c.early)
	s.mu.Lock()
	if err != nil {
		s.lostLocked(c)
	}
	s.releaseLocked(c)
	return nil
}

// readFrames handles frames until the carrier ends: the error is then a
// *envelope.CarrierError, any other one a breach of the protocol. What comes
// after the stream's end, or after the stream went on with another carrier, is
// thrown away.
func (c *carriage) readFrames() error {
	for first := !c.mux.Client(); ; first = false {
		s := c.lock()
		gone := s.over || s.c != c
		if first && !gone {
			c.Await(carrier.OpenWait)
		}
		s.mu.Unlock()
		if gone {
			return c.in.Discard()
		}
		kind, n, err := c.in.Next()
		if err != nil {
			return err
		}
		if err := c.readFrame(first, kind, n); err != nil {
			return err
		}
	}
}

// readFrame reads and handles the body of one frame.
func (c *carriage) readFrame(first bool, kind envelope.Type, n int) error {
	s := c.lock()
	gone := s.over || s.c != c
	misplaced := s.client && kind != envelope.Rst &&
		(s.verdict == undecided && kind != envelope.Verdict || !c.attached && kind != envelope.Attach)
	s.mu.Unlock()
	switch {
	case gone:
		return nil // the caller throws away what follows
	case misplaced:
		return errUnexpected
	case kind == envelope.Data && !first:
		return c.readData(s, n)
	}
	body, err := c.in.Body(n)
	if err != nil {
		return err
	}
	switch {
	case first:
		return c.readFirst(s, kind, body)
	case kind == envelope.Ack:
		return c.onAck(s, body)
	case kind == envelope.Fin:
		return c.onFin(s)
	case kind == envelope.Verdict:
		return c.onVerdict(s, body)
	case kind == envelope.Rst:
		return c.onRst(s, body)
	case kind == envelope.Attach:
		return c.onAttach(s, body)
	}
	return errUnexpected
}

// readFirst takes OPEN or ATTACH (host).
func (c *carriage) readFirst(s *Stream, kind envelope.Type, body []byte) error {
	o, a, err := envelope.ParseFirst(kind, body)
	if err != nil {
		return err
	}
	if a == nil && c.mux.Lane() {
		return errUnexpected
	}
	s.mu.Lock()
	s.state.ID, s.state.Trace = o.ID, o.Trace
	s.knocks = a != nil
	over := s.over
	crowded := a == nil && !over && !s.state.In.Early()
	if !over {
		c.Await(0)
		c.attached = a == nil
		if a != nil {
			c.knock = &knock{word: *a, decided: make(chan struct{})}
		}
	}
	k := c.knock
	s.mu.Unlock()
	switch {
	case over:
		return nil
	case crowded:
		s.Refuse(errCrowded)
		return nil
	case k != nil && !c.mux.Resumes():
		s.Reset(errUnknown)
		return nil
	}
	select {
	case c.mux.accepted <- s:
	default: // cannot be: who waits is bounded by the channel's size
		s.Refuse(errCrowded)
	}
	if k != nil {
		select {
		case <-k.decided:
		case <-c.mux.Done(): // then reading ends, too
		}
	}
	return nil
}

// readData reads payload into the stream's own chunks.
func (c *carriage) readData(s *Stream, n int) error {
	c.NoteRead(n)
	s.mu.Lock()
	if err := s.state.In.Check(n); err != nil && !s.over && s.c == c {
		s.mu.Unlock()
		return err
	}
	if s.closed {
		s.resetLocked(&reason.Reason{Code: reason.Reset, Text: "data after close"})
	}
	for n > 0 && !s.over && s.c == c {
		chunk, space := s.state.In.Begin(n)
		s.mu.Unlock()
		err := c.in.Fill(space)
		s.mu.Lock()
		if err != nil || s.c != c { // the other end sends it again where it is wanted
			s.state.In.Commit(chunk, 0)
			s.mu.Unlock()
			return err
		}
		s.state.In.Commit(chunk, len(space))
		n -= len(space)
	}
	s.hooks.Note(s.state.Carried())
	s.rcond.Broadcast()
	s.mu.Unlock()
	s.pump()
	return nil
}

func (c *carriage) onAck(s *Stream, body []byte) error {
	a, err := envelope.ParseAck(body)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over || s.c != c {
		return nil
	}
	if err := s.state.Out.Ack(a); err != nil {
		return err
	}
	s.wcond.Broadcast()
	if s.state.Over() { // both directions ended in order
		s.finishLocked(nil, 0)
	}
	return nil
}

func (c *carriage) onFin(s *Stream) error {
	s.mu.Lock()
	if s.over || s.c != c {
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

func (c *carriage) onVerdict(s *Stream, body []byte) error {
	w, err := envelope.ParseWords(body)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over || s.c != c {
		return nil
	}
	ok := reason.Code(w.Code) == reason.OK
	switch {
	case !s.client:
		return errUnexpected
	case s.verdict == admitted && c.epoch > 0 && ok:
		return nil // the host repeats it, since it cannot know what was seen
	case s.verdict != undecided:
		return errUnexpected
	case !ok:
		s.settled = true
		s.finishLocked(reason.Of(w), 0)
		return nil
	}
	s.verdict = admitted
	c.mux.Answered(false)
	s.wcond.Broadcast()
	return nil
}

func (c *carriage) onRst(s *Stream, body []byte) error {
	w, err := envelope.ParseWords(body)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.c == c && !s.over {
		s.settled = true
		s.finishLocked(reason.Of(w), 0)
	}
	return nil
}

// onAttach takes the host's answer to ATTACH (client).
func (c *carriage) onAttach(s *Stream, body []byte) error {
	a, err := envelope.ParseAttach(body)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over || s.c != c {
		return nil
	}
	if !s.client || c.attached {
		return errUnexpected
	}
	if err := s.state.Attach(a, true); err != nil {
		return err
	}
	c.giveSlot()
	s.goOnLocked(c)
	if s.state.Out.Fresh() {
		c.Urge()
		s.wcond.Broadcast()
		return nil
	}
	c.writing = true
	c.mux.Spawn(func() { // ends with the carrier at the latest
		s.mu.Lock()
		defer s.mu.Unlock()
		s.replayLocked(c)
	})
	return nil
}
