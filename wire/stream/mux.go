package stream

import (
	"context"
	"errors"
	"fmt"

	"github.com/sallyport/sallyport/wire/carrier"
	"github.com/sallyport/sallyport/wire/envelope"
	"github.com/sallyport/sallyport/wire/id"
	"github.com/sallyport/sallyport/wire/reason"
	"github.com/sallyport/sallyport/wire/set"
)

// Errors of opening: each end does its own part only.
var (
	ErrNotClient = errors.New("a host opens no streams")
	ErrNotHost   = errors.New("a client accepts no streams")
	// errCrowded: the budget has no window left.
	errCrowded = &reason.Reason{Code: reason.Limit, Text: "the session has too many connections at once"}
)

// Mux makes streams on a line, whose methods it has.
type Mux struct {
	*carrier.Line
	budget   *envelope.Budget // of the streams that begin here
	accepted chan *Stream     // host
	// remains are parked, or over and the other end may not know. It locks after a stream.
	remains set.Set[*Stream]
}

// NewMux makes a mux whose streams share a budget; Run starts it.
func NewMux(cfg carrier.Config, b *envelope.Budget) *Mux {
	return &Mux{
		Line:     carrier.NewLine(cfg),
		budget:   b,
		accepted: make(chan *Stream, 2*carrier.MaxOpening),
	}
}

// Open begins a stream (client). It sends Open and does not wait for the
// Verdict; it waits only while carrier.MaxOpening others have none. early says that
// the caller writes payload next: Open goes with it.
func (m *Mux) Open(ctx context.Context, sid id.Stream, trace id.Trace, early bool) (*Stream, error) {
	if !m.Client() {
		return nil, ErrNotClient
	}
	if err := m.WaitSlot(ctx, true); err != nil {
		return nil, fmt.Errorf("open stream: %w", err)
	}
	s := newStream(m, envelope.Opening{ID: sid, Trace: trace})
	s.c.early = early
	err := error(errCrowded)
	if s.state.In.Open() {
		if m.Enter(&s.c.Carrier, true, s.c.open) {
			return s, nil
		}
		err = m.Loss()
	}
	s.state.Drop()
	m.Answered(carrier.GivenUp)
	return nil, fmt.Errorf("open stream: %w", err)
}

// Accept gives the next stream whose first frame has been read (host): a new
// one, which the caller ends with Admit or Refuse, or one that Knocks.
func (m *Mux) Accept(ctx context.Context) (*Stream, error) {
	if m.Client() {
		return nil, ErrNotHost
	}
	select {
	case s := <-m.accepted:
		return s, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("accept stream: %w", context.Cause(ctx))
	case <-m.Done():
		return nil, fmt.Errorf("accept stream: %w", m.Loss())
	}
}

// Take takes a channel that the client has opened (host), and gives what takes what comes
// on it; nil once the line ended. It does not wait.
func (m *Mux) Take(ch carrier.Channel) carrier.Feed {
	s := newStream(m, envelope.Opening{})
	c := s.c
	c.Use(ch)
	crowded := m.Knocked()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !m.Enter(&c.Carrier, true, nil) {
		return nil
	}
	c.Await(carrier.OpenWait)
	if crowded {
		s.refuseLocked(&reason.Reason{Code: reason.Limit, Text: "too many streams wait for their grant"})
	}
	return c
}

// left takes a carrier out on which nothing comes any more. remains says that there is
// something left to say on another.
func (m *Mux) left(c *carriage, s *Stream, remains bool) {
	m.Left(&c.Carrier)
	if remains && m.Resumes() && errors.Is(m.Loss(), carrier.ErrLost) {
		m.remains.Add(s)
	}
}

// forget takes a stream out of what remains: it goes on, or nobody will ask how it
// ended. Where its client moves often, a trunk that lives would gather them.
func (m *Mux) forget(s *Stream) { m.remains.Delete(s) }

// Remains are, once Run has returned, the streams that the trunk has left: parked,
// or over without that the other end may know. Their owner attaches them to
// another trunk, or ends them with Reset.
func (m *Mux) Remains() []*Stream { return m.remains.All() }
