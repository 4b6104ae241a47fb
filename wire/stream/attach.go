package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sallyport/sallyport/wire/carrier"
	"github.com/sallyport/sallyport/wire/envelope"
	"github.com/sallyport/sallyport/wire/reason"
)

// Errors of going on with another carrier.
var (
	// ErrSettled: the stream is over, and the other end knows.
	ErrSettled = errors.New("stream is over at both ends")
	// ErrMoving: the last ATTACH was not answered; the next might overtake it.
	ErrMoving = errors.New("stream is on its way to another carrier")
	// ErrNoKnock: the stream did not come with ATTACH, or has been answered.
	ErrNoKnock = errors.New("stream waits for no other")
)

// Attach has a stream go on with this line (client): one that is parked, or one that
// another line brings, which it leaves. It sends ATTACH and does not wait for the answer; it waits only while carrier.MaxOpening
// others have none. A stream that is over already tells the other end how it
// ended. Where the carrier is lost before the answer, the stream is parked as it
// was.
func (m *Mux) Attach(ctx context.Context, s *Stream) error {
	if !m.Client() || !s.client {
		return ErrNotClient
	}
	if err := m.WaitSlot(ctx, false); err != nil {
		return fmt.Errorf("attach stream: %w", err)
	}
	c := &carriage{mux: m, writing: true, slot: true}
	c.Init(m.Line, c)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over && s.settled {
		m.Answered(carrier.Admitted)
		return ErrSettled
	}
	if s.c != nil && !s.c.attached && s.c.mux.Alive() {
		m.Answered(carrier.Admitted)
		return ErrMoving
	}
	c.epoch = s.state.Epoch + 1
	c.owner.Store(s)
	if !m.Enter(&c.Carrier, !s.over, c.open) {
		m.Answered(carrier.Admitted)
		return fmt.Errorf("attach stream: %w", m.Loss())
	}
	s.state.Epoch = c.epoch
	s.takeCarrierLocked(c)
	if s.over {
		s.lastWordLocked()
	}
	return nil
}

// Knocks says whether the carrier began with ATTACH (host): the stream is not a new
// one and never becomes one, but waits for GoOn of the one that it is a further
// carrier of, also where its trunk is lost meanwhile. Reset refuses it.
func (s *Stream) Knocks() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.knocks
}

// GoOn has a stream go on with the carrier of k, which knocks (host). k is over
// then. A stream that is over already tells the other end how it ended. The
// error is a breach of the protocol, and has ended the trunk of k, unless it is
// ErrNoKnock.
func (s *Stream) GoOn(k *Stream) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over && s.err != nil {
		k.Reset(reason.From(s.err))
		return nil
	}
	c, err := k.giveCarrier(s)
	if err != nil {
		return err
	}
	knock := c.knock
	c.knock = nil
	if err := s.state.Attach(knock.word, false); err != nil {
		c.mux.Leave()
		c.mux.Breach(err)
		return err
	}
	c.epoch = s.state.Epoch
	if s.over {
		c.mux.Leave()
	}
	s.takeCarrierLocked(c)
	c.writing = true
	if !c.mux.Spawn(func() { s.answer(c) }) {
		s.lostLocked(c)
	}
	if err := c.takeLocked(s, knock.held); err != nil {
		c.mux.Breach(err)
	}
	if c.came && s.sink != nil {
		s.sink.WakeLocked()
	}
	c.came = false
	if knock.closed {
		c.endLocked(s, true)
	}
	return nil
}

// giveCarrier takes the carrier off a stream that knocks; it belongs to the lock
// of s then.
func (k *Stream) giveCarrier(s *Stream) (*carriage, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	c := k.c
	if c == nil || c.knock == nil || k.over {
		return nil, ErrNoKnock
	}
	c.owner.Store(s)
	k.c = nil
	k.verdict = admitted // it is nothing by itself any more
	k.over, k.err = true, ErrNoKnock
	close(k.done)
	c.mux.Answered(carrier.Admitted)
	return c, nil
}

// answer says where this end is (host), and goes on.
func (s *Stream) answer(c *carriage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	frames := envelope.AppendAttach(c.scratch[:envelope.Prefix], s.state.Attachment(c.epoch))
	s.mu.Unlock()
	err := c.Put(frames, false)
	s.mu.Lock()
	switch {
	case err != nil:
		s.lostLocked(c)
	case s.over && s.err == nil:
		s.lastWordLocked()
	case !s.over && s.c == c:
		s.words = envelope.Words{Code: string(reason.OK)}
		s.control |= envelope.SayVerdict
		s.goOnLocked(c)
	}
	s.replayLocked(c)
}

// takeCarrierLocked makes c the stream's carrier.
func (s *Stream) takeCarrierLocked(c *carriage) {
	if s.c != nil {
		s.detachLocked()
	}
	s.last.mux.forget(s)
	s.c, s.last, s.parkedAt = c, c, time.Time{}
}

// detachLocked takes the carrier off a stream that is not over. What it still
// brings is thrown away.
func (s *Stream) detachLocked() {
	c := s.c
	s.c = nil
	s.state.In.Detach()
	if !s.over {
		c.mux.Leave()
	}
	s.rcond.Broadcast()
	s.wcond.Broadcast()
	if !c.writing { // else who writes does it
		c.Retire()
	}
}

// lostLocked is called when the carrier c has ended or fails. A stream that may go
// on with another is parked. A client may have it on another already, of which
// the host has not heard, and has closed this one.
func (s *Stream) lostLocked(c *carriage) {
	if s.over || s.c != c {
		return
	}
	loss := c.mux.Loss()
	if !c.mux.Resumes() || s.verdict != admitted || s.client && c.mux.Alive() || !errors.Is(loss, carrier.ErrLost) {
		s.finishLocked(loss, 0)
		return
	}
	s.detachLocked()
	s.parkedAt = time.Now()
}

// Parked is since when the stream has waited for a carrier; the zero time while
// it has one, and when it is over.
func (s *Stream) Parked() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return time.Time{}
	}
	return s.parkedAt
}

// lastWordLocked has the carrier say how the stream ended, and closed.
func (s *Stream) lastWordLocked() {
	s.control = envelope.SayClose | envelope.SayAckAgain
	if s.err != nil {
		s.words = reason.Words(reason.From(s.err))
		s.control = envelope.SayClose | envelope.SayRst
	}
}

// goOnLocked begins with the sequences where the ends agreed that they are.
func (s *Stream) goOnLocked(c *carriage) {
	c.attached = true
	s.control |= envelope.SayAckAgain
	if s.state.Out.Closed() {
		s.control |= envelope.SayFin
	}
}

// replayLocked sends again what the other end has not received. Its caller holds
// the carrier; it gives it on.
func (s *Stream) replayLocked(c *carriage) {
	defer s.releaseLocked(c)
	if s.over || s.state.Out.Fresh() {
		return
	}
	chunk := envelope.NewChunk(envelope.MaxPayload)
	defer chunk.Free()
	for {
		for s.dueLocked(c) {
			s.writeControlLocked(c, false)
		}
		if s.over || s.c != c {
			return
		}
		if s.state.Out.Fresh() {
			if s.state.Out.Closed() {
				s.control |= envelope.SayFin // now it is due
			}
			return
		}
		frame, n := s.state.Out.Repeat(chunk, c.MaxPayload())
		s.replayed += uint64(n)
		s.mu.Unlock()
		err := c.Put(frame, false)
		s.mu.Lock()
		if err != nil {
			s.lostLocked(c)
		}
	}
}

// Replayed is how many payload bytes were sent again.
func (s *Stream) Replayed() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.replayed
}
