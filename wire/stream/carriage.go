package stream

import (
	"errors"
	"io"
	"sync/atomic"

	"github.com/sallyport/sallyport/wire/carrier"
	"github.com/sallyport/sallyport/wire/envelope"
	"github.com/sallyport/sallyport/wire/local"
	"github.com/sallyport/sallyport/wire/reason"
)

// Breaches of the protocol, and what a carrier ends with.
var (
	errUnexpected = errors.New("frame that has no place here")
	errLate       = errors.New("a stream is not opened or not closed by the other end")
	// errUnknown is the answer to ATTACH for a stream that this end does not hold.
	errUnknown = &reason.Reason{Code: reason.CarrierLost, Text: "the stream is not known here"}
	errNothing = errors.New("nothing is to be carried") // one that has opened nothing
)

// maxHeld bounds what is held behind ATTACH: a client may say how the stream ended
// before it hears more.
const maxHeld = 16 << 10

// carriage is one carrier and what a stream has of it. The stream that owns it
// guards it by its mu, but for what says otherwise. Nothing that comes on it waits for a
// local socket, nor for anything to be written.
type carriage struct {
	carrier.Carrier
	mux   *Mux                   // never changes
	owner atomic.Pointer[Stream] // changes once, where a stream goes on with it (host)
	epoch uint32                 // 0 is the carrier that brought OPEN

	writing  bool   // somebody writes to it; releaseLocked gives it on
	early    bool   // payload follows OPEN
	attached bool   // both ends know where the sequences are
	broken   bool   // the other end broke the protocol on it
	ended    bool   // nothing comes any more
	slot     bool   // it holds a slot of the line
	first    bool   // its first frame is to come (host)
	came     bool   // something is to be delivered
	knock    *knock // host: where it began with ATTACH

	in      envelope.Parser
	room    *envelope.Chunk         // of Room
	scratch [envelope.Headroom]byte // control frames; belongs to who writes
}

// knock is what is known of a carrier that waits for the stream that it is for.
type knock struct {
	word   envelope.Attachment
	held   []byte // what came behind it
	closed bool   // and then the other end's close
}

// lock locks the stream that the carrier belongs to.
func (c *carriage) lock() *Stream {
	for {
		s := c.owner.Load()
		s.mu.Lock()
		if c.owner.Load() == s {
			return s
		}
		s.mu.Unlock()
	}
}

// ridesLocked says whether what comes is of interest: not after the stream's end, after it
// went on with another carrier, or after a breach.
func (c *carriage) ridesLocked(s *Stream) bool { return s.c == c && !s.over && !c.ended && !c.broken }

// open opens the carrier and sends its first frame (client).
func (c *carriage) open() {
	if err := c.dial(); err != nil {
		c.End(err)
	}
}

func (c *carriage) dial() error {
	s := c.lock()
	needless := s.over && c.epoch == 0 || s.c != c
	s.settled = s.settled || needless && s.over // nobody knows of it
	s.mu.Unlock()
	if needless {
		return errNothing
	}
	ch, err := c.mux.Dial(c)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c.Use(ch)
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
	if c.attached { // the answer may have come meanwhile
		s.replayLocked(c)
	} else {
		s.releaseLocked(c)
	}
	return nil
}

// Feed takes bytes that come.
func (c *carriage) Feed(b []byte) {
	s := c.lock()
	err := c.takeLocked(s, b)
	c.deliver(s, err)
}

// Room gives the stream's own chunks for payload.
func (c *carriage) Room(n int) []byte {
	s := c.lock()
	defer s.mu.Unlock()
	if c.in.Payload() == 0 || !c.ridesLocked(s) || c.knock != nil {
		return nil
	}
	var space []byte
	c.room, space = s.state.In.Begin(c.in.Payload())
	return space[:min(n, len(space))]
}

// Filled says how much of Room was filled.
func (c *carriage) Filled(n int) {
	s := c.lock()
	rides := c.ridesLocked(s)
	if s.c != c {
		n = 0 // the other end sends it again where it is wanted
	}
	s.state.In.Commit(c.room, n)
	c.room = nil
	c.in.Skip(n)
	if rides {
		c.payloadLocked(s)
	}
	c.deliver(s, nil)
}

// deliver unlocks the stream, delivers what has come, and ends the line for a breach.
func (c *carriage) deliver(s *Stream, breach error) {
	var sink *local.Sink
	if c.came && s.sink != nil && s.sink.TakeLocked() {
		sink = s.sink
	}
	c.came = false
	s.mu.Unlock()
	if sink != nil {
		sink.Deliver()
	}
	if breach != nil {
		c.mux.Breach(breach)
	}
}

// Overdue ends a line whose other end does not open or close what it should.
func (c *carriage) Overdue() {
	s := c.lock()
	passed := c.Passed() && !c.ended
	s.mu.Unlock()
	if passed {
		c.mux.Breach(errLate)
	}
}

// End takes the carrier from its stream. io.EOF says that the other end has closed it,
// and so knows all that was to be known.
func (c *carriage) End(err error) {
	s := c.lock()
	defer s.mu.Unlock()
	closed := err == io.EOF && c.mux.Alive()
	if closed && c.knock != nil && !s.over {
		c.knock.closed = true
		return
	}
	c.endLocked(s, closed)
}

func (c *carriage) endLocked(s *Stream, closed bool) {
	if c.ended {
		return
	}
	c.ended = true
	c.Gone()
	c.giveSlotLocked()
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

func (c *carriage) giveSlotLocked() {
	if c.slot {
		c.slot = false
		c.mux.Answered(carrier.Admitted)
	}
}

// takeLocked handles frames. The error is a breach of the protocol. What comes after
// the stream's end, or after the stream went on with another carrier, is thrown away.
func (c *carriage) takeLocked(s *Stream, b []byte) error {
	for len(b) > 0 && c.ridesLocked(s) {
		if k := c.knock; k != nil {
			if len(k.held)+len(b) > maxHeld {
				c.broken = true
				return errUnexpected
			}
			k.held = append(k.held, b...)
			return nil
		}
		kind, body, rest, err := c.in.Take(b)
		if err == nil && kind != 0 {
			err = c.frameLocked(s, kind, body)
		}
		if err != nil {
			c.broken = true
			return err
		}
		b = rest
	}
	return nil
}

// frameLocked handles one frame, of DATA a piece.
func (c *carriage) frameLocked(s *Stream, kind envelope.Type, body []byte) error {
	misplaced := s.client && kind != envelope.Rst &&
		(s.verdict == undecided && kind != envelope.Verdict || !c.attached && kind != envelope.Attach)
	switch {
	case misplaced:
		return errUnexpected
	case c.first:
		return c.firstLocked(s, kind, body)
	case kind == envelope.Data:
		return c.dataLocked(s, body)
	case kind == envelope.Ack:
		return c.ackLocked(s, body)
	case kind == envelope.Fin:
		return c.finLocked(s)
	case kind == envelope.Verdict, kind == envelope.Rst:
		return c.wordsLocked(s, kind, body)
	case kind == envelope.Attach:
		return c.attachLocked(s, body)
	}
	return errUnexpected
}

// firstLocked takes OPEN or ATTACH (host).
func (c *carriage) firstLocked(s *Stream, kind envelope.Type, body []byte) error {
	o, a, err := envelope.ParseFirst(kind, body)
	if err != nil {
		return err
	}
	if a == nil && c.mux.Lane() {
		return errUnexpected
	}
	c.first = false
	c.Await(0)
	s.state.ID, s.state.Trace = o.ID, o.Trace
	s.knocks = a != nil
	if a != nil {
		if !c.mux.Resumes() {
			s.resetLocked(errUnknown)
			return nil
		}
		c.knock = &knock{word: *a}
	} else {
		c.attached = true
		if !s.state.In.Early() {
			s.refuseLocked(errCrowded)
			return nil
		}
	}
	select {
	case c.mux.accepted <- s:
	default: // cannot be: who waits is bounded by the channel's size
		s.refuseLocked(errCrowded)
	}
	return nil
}

// dataLocked takes a piece of payload into the stream's chunks.
func (c *carriage) dataLocked(s *Stream, p []byte) error {
	whole := len(p) + c.in.Payload()
	if err := s.state.In.Check(whole); err != nil {
		return err
	}
	s.state.In.Put(p, whole)
	c.payloadLocked(s)
	return nil
}

// payloadLocked is called when payload has come. It is delivered once its frame is whole.
func (c *carriage) payloadLocked(s *Stream) {
	switch {
	case s.closed:
		s.resetLocked(&reason.Reason{Code: reason.Reset, Text: "data after close"})
	case c.in.Payload() == 0:
		s.hooks.Note(s.state.Carried())
		s.rcond.Broadcast()
		c.came = true
	}
}

func (c *carriage) ackLocked(s *Stream, body []byte) error {
	a, err := envelope.ParseAck(body)
	if err == nil {
		err = s.state.Out.Ack(a)
	}
	if err != nil {
		return err
	}
	s.wcond.Broadcast()
	if s.state.Over() { // both directions ended in order
		s.finishLocked(nil, 0)
	}
	return nil
}

func (c *carriage) finLocked(s *Stream) error {
	err := s.state.In.Fin()
	if err == nil && s.closed {
		s.takeFinLocked()
	}
	s.rcond.Broadcast()
	c.came = true
	return err
}

// wordsLocked takes VERDICT or RST.
func (c *carriage) wordsLocked(s *Stream, kind envelope.Type, body []byte) error {
	w, err := envelope.ParseWords(body)
	verdict := kind == envelope.Verdict
	switch ok := verdict && reason.Code(w.Code) == reason.OK; {
	case err != nil:
		return err
	case verdict && !s.client:
		return errUnexpected
	case ok && s.verdict == admitted && c.epoch > 0: // the host repeats it, since it cannot know what was seen
	case verdict && s.verdict != undecided:
		return errUnexpected
	case ok:
		s.verdict = admitted
		c.mux.Answered(carrier.Admitted)
		s.wcond.Broadcast()
	default:
		s.settled = true
		s.finishLocked(reason.Of(w), 0)
	}
	return nil
}

// attachLocked takes the host's answer to ATTACH (client).
func (c *carriage) attachLocked(s *Stream, body []byte) error {
	a, err := envelope.ParseAttach(body)
	if err != nil {
		return err
	}
	if !s.client || c.attached {
		return errUnexpected
	}
	if err := s.state.Attach(a, true); err != nil {
		return err
	}
	c.giveSlotLocked()
	s.goOnLocked(c)
	if c.writing { // who opens the carrier goes on
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
