package stream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/sallyport/sallyport/wire/carrier"
	"github.com/sallyport/sallyport/wire/deadline"
	"github.com/sallyport/sallyport/wire/envelope"
	"github.com/sallyport/sallyport/wire/id"
	"github.com/sallyport/sallyport/wire/local"
	"github.com/sallyport/sallyport/wire/reason"
)

// Stream is one forwarded TCP connection, end to end, on a trunk. It is a
// net.Conn with half-close, reset and, once, a Verdict.
//
// A Read gives io.EOF only for the peer's FIN. After a reset, a refusal or the
// loss of the trunk, reads and writes return the error of Err.
type Stream struct {
	client bool

	mu       sync.Mutex
	rcond    sync.Cond // something to read, or the end
	wcond    sync.Cond // room to write, the carrier is free, the Verdict, or the end
	state    envelope.State
	c        *carriage // nil while parked
	last     *carriage // the newest, never nil
	parkedAt time.Time // while it is parked
	settled  bool      // the other end knows how the stream ended
	knocks   bool      // it came with ATTACH (host)
	replayed uint64
	control  envelope.Say // what is to be written as soon as the carrier is free
	words    envelope.Words
	verdict  verdict
	refusal  error // where the verdict is refused
	closed   bool  // Close was called
	over     bool
	err      error // after over
	done     chan struct{}
	hooks    local.Hooks
	sink     *local.Sink // of DeliverTo
	until    deadline.Pair
	from     local.Writer // locks before mu
}

// verdict is what is known of the host's word.
type verdict uint8

const (
	undecided verdict = iota
	admitted
	refused
)

// Errors of reading and writing a stream.
var (
	// ErrWriteClosed: CloseWrite was called before.
	ErrWriteClosed = fmt.Errorf("write after the end of this direction: %w", syscall.EPIPE)
	// ErrUndecided: a stream that has no Verdict.
	ErrUndecided = errors.New("stream has ended before its verdict")
)

func newStream(m *Mux, o envelope.Opening) *Stream {
	both := new(struct { // most streams have one carrier in their life
		s Stream
		c carriage
	})
	s, c := &both.s, &both.c
	s.client, s.c, s.last, s.done = m.Client(), c, c, make(chan struct{})
	c.mux = m
	c.Init(m.Line, c)
	c.owner.Store(s)
	s.rcond.L, s.wcond.L = &s.mu, &s.mu
	s.until.Init(&s.rcond, &s.wcond)
	s.state.Init(o, m.budget)
	if m.Client() {
		c.attached = true
		c.writing = true // until the carrier is opened
		s.state.Out.Open(envelope.EarlyWindow)
	} else {
		c.first = true
	}
	return s
}

// ID is the stream's id.
func (s *Stream) ID() id.Stream { return s.state.ID }

// Trace is the stream's trace id.
func (s *Stream) Trace() id.Trace { return s.state.Trace }

// Done is closed when both directions are over.
func (s *Stream) Done() <-chan struct{} { return s.done }

// AfterEnd calls f in a goroutine of its own once the stream is over, also where
// it is already. Several are called in the order in which they were given.
func (s *Stream) AfterEnd(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hooks.AfterEnd(s.over, f)
}

// Err is nil while the stream lives and after an orderly end, else why it ended.
func (s *Stream) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Counters are the payload bytes that this end took in to send, and those that
// came from the other end.
func (s *Stream) Counters() (sent, received uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.Out.Total(), s.state.In.Total()
}

// NotifyAt calls f once, in a goroutine of its own, when total bytes were carried.
func (s *Stream) NotifyAt(total uint64, f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hooks.At(total, f)
	s.hooks.Note(s.state.Carried())
}

// LocalAddr is that of the connection under the trunk.
func (s *Stream) LocalAddr() net.Addr { return s.mux().LocalAddr() }

// RemoteAddr is that of the connection under the trunk.
func (s *Stream) RemoteAddr() net.Addr { return s.mux().RemoteAddr() }

func (s *Stream) mux() *Mux {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last.mux
}

// Verdict waits for the host's word (client). It returns nil when the stream was
// admitted, the *reason.Reason when it was refused or denied, another error
// when the stream ended before, or the cause of ctx, which ends nothing.
func (s *Stream) Verdict(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.wcond.Broadcast()
	})
	defer stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.verdict == admitted:
			return nil
		case s.verdict == refused:
			return s.refusal
		case s.over && s.err != nil:
			return s.err
		case s.over:
			return ErrUndecided
		case ctx.Err() != nil:
			return context.Cause(ctx)
		}
		s.wcond.Wait()
	}
}

// Admit says ok to the client (host). Only now can be read what the client sent
// before.
func (s *Stream) Admit() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return errors.Join(ErrUndecided, s.err)
	}
	if s.verdict == undecided && !s.client {
		s.verdict = admitted
		s.last.mux.Answered(carrier.Admitted)
		s.state.In.Open() // it has the window of early payload at least
		s.state.Out.Open(0)
		s.words = envelope.Words{Code: string(reason.OK)}
		s.control |= envelope.SayVerdict | envelope.SayAckAgain
		s.rcond.Broadcast()
		s.wcond.Broadcast()
		if n := s.state.In.Len(); s.c != nil && 0 < n && n < envelope.EarlyWindow {
			s.c.Soon(carrier.WordWait) // it was asked something
			return nil
		}
	}
	s.flushLocked()
	return nil
}

// Refuse says no to the client (host) and ends the stream.
func (s *Stream) Refuse(r *reason.Reason) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuseLocked(r)
}

func (s *Stream) refuseLocked(r *reason.Reason) {
	if s.verdict != undecided || s.client {
		s.resetLocked(r)
		return
	}
	s.words = reason.Words(r)
	s.finishLocked(r, envelope.SayVerdict)
}

// Reset ends both directions at once, at both ends. Err is then r (nil: reset).
func (s *Stream) Reset(r *reason.Reason) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.resetLocked(r)
}

func (s *Stream) resetLocked(r *reason.Reason) {
	switch {
	case s.over:
		return
	case r == nil:
		r = &reason.Reason{Code: reason.Reset}
	}
	s.words = reason.Words(r)
	s.finishLocked(r, envelope.SayRst)
}

// CloseWrite sends FIN: the other end reads io.EOF once it has read all.
func (s *Stream) CloseWrite() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over || s.closed {
		return s.err
	}
	if !s.state.Out.Closed() {
		s.state.Out.CloseWrite()
		s.control |= envelope.SayAck | envelope.SayFin
		s.wcond.Broadcast()
	}
	s.flushLocked()
	return nil
}

// Close ends both directions as close does for TCP: what was written arrives,
// what the other end sends is not wanted any more. Unread data, or data that
// still comes, resets the stream; so does Close before the Verdict.
func (s *Stream) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over || s.closed {
		return nil
	}
	if s.verdict == undecided || s.state.In.Len() > 0 {
		s.resetLocked(&reason.Reason{Code: reason.Closed})
		s.closed = true
		return nil
	}
	s.closed = true
	s.until.StopLocked()
	s.state.Out.CloseWrite()
	s.control |= envelope.SayFin
	if s.state.In.Ended() {
		s.takeFinLocked()
	}
	s.rcond.Broadcast()
	s.wcond.Broadcast()
	s.urgeLocked()
	return nil
}

// finishLocked ends the stream: everything it holds is freed now, and what is
// in last is written, then the carrier is closed.
func (s *Stream) finishLocked(err error, last envelope.Say) {
	if s.over {
		return
	}
	s.over, s.err = true, err
	m := s.last.mux
	if s.verdict == undecided {
		s.verdict = refused
		s.refusal = cmp.Or(err, ErrUndecided)
		answer := carrier.GivenUp
		if last&envelope.SayVerdict != 0 {
			answer = carrier.Refused
		}
		m.Answered(answer)
		if !s.client {
			last |= envelope.SayClose
		}
	}
	s.state.Drop()
	s.control = s.control&envelope.SayVerdict | last | envelope.SayClose
	s.until.StopLocked()
	if s.c != nil {
		if s.c.Opened() {
			s.c.Await(carrier.CloseWait) // the other end has to close its half, too
		}
		if k := s.c.knock; k != nil {
			k.held = nil
			if k.closed { // it has
				s.c.endLocked(s, true)
			}
		}
		m.Leave()
		s.c.Urge()
	} else if m.Alive() {
		m.forget(s)
	}
	s.rcond.Broadcast()
	s.wcond.Broadcast()
	close(s.done)
	s.hooks.End()
	if s.sink != nil {
		s.sink.WakeLocked()
	}
}

// urgeLocked has what is in control written, now or on the next carrier.
func (s *Stream) urgeLocked() {
	if s.c != nil {
		s.c.Urge()
	}
}

// SetDeadline sets both deadlines.
func (s *Stream) SetDeadline(t time.Time) error { return s.until.Set(t, true, true) }

// SetReadDeadline bounds Read; the zero time means never.
func (s *Stream) SetReadDeadline(t time.Time) error { return s.until.Set(t, true, false) }

// SetWriteDeadline bounds Write and ReadFrom; the zero time means never.
func (s *Stream) SetWriteDeadline(t time.Time) error { return s.until.Set(t, false, true) }

// endedErr is what reads and writes return once the stream is over or closed;
// nil while it is neither.
func (s *Stream) endedErrLocked(orderly error) error {
	switch {
	case s.closed:
		return net.ErrClosed
	case s.over && s.err != nil:
		return s.err
	case s.over:
		return orderly
	}
	return nil
}
