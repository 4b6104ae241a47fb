package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/yamux"

	"github.com/sallyport/sallyport/wire/envelope"
	"github.com/sallyport/sallyport/wire/framer"
	"github.com/sallyport/sallyport/wire/id"
	"github.com/sallyport/sallyport/wire/reason"
)

// Errors of opening.
var (
	// ErrNotClient: the host's end opens nothing.
	ErrNotClient = errors.New("a host opens no streams")
	// ErrNotHost: the client's end accepts nothing.
	ErrNotHost = errors.New("a client accepts no streams")

	errRefused = errors.New("refused streams are not closed by the other end")
)

// Config is what a Mux stands on.
type Config struct {
	Framer *framer.Framer
	// OpenCarrier opens a yamux stream; nil at the host.
	OpenCarrier func(ctx context.Context) (*yamux.Stream, error)
	// Local and Remote are the addresses that streams show.
	Local, Remote net.Addr
	Log           *slog.Logger
}

// Mux is what the streams of one end of a trunk share.
type Mux struct {
	cfg      Config
	client   bool
	framer   *framer.Framer
	windows  *envelope.Budget
	ctx      context.Context // ends with the trunk; its cause is why
	cancel   context.CancelCauseFunc
	wg       sync.WaitGroup
	opening  chan struct{} // client: a slot for each stream without a Verdict
	accepted chan *Stream  // host
	wake     chan struct{} // one slot: urgent has work

	mu        sync.Mutex
	streams   int
	idleSince time.Time
	waiting   int         // host: streams neither admitted nor refused
	refused   int         // host: refused, and not closed by the client
	urgent    []*Stream   // with something to be written at once
	acks      []*Stream   // with an acknowledgement that may wait
	ackTimer  *time.Timer // runs while acks is not empty
	grown     []*Stream   // carried bulk, to be shrunk when quiet
}

// NewMux makes a mux; Run starts it.
func NewMux(cfg Config) *Mux {
	m := &Mux{
		cfg: cfg, client: cfg.OpenCarrier != nil, framer: cfg.Framer,
		windows:   envelope.NewBudget(TrunkWindows, processWindows),
		opening:   make(chan struct{}, MaxOpening),
		accepted:  make(chan *Stream, 2*MaxOpening),
		wake:      make(chan struct{}, 1),
		idleSince: time.Now(),
	}
	m.ctx, m.cancel = context.WithCancelCause(context.Background())
	return m
}

// Open begins a stream (client). It sends Open and does not wait for the
// Verdict; it waits only while MaxOpening others have none.
func (m *Mux) Open(ctx context.Context, sid id.Stream, trace id.Trace) (*Stream, error) {
	if !m.client {
		return nil, ErrNotClient
	}
	select {
	case m.opening <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("open stream: %w", context.Cause(ctx))
	case <-m.ctx.Done():
		return nil, fmt.Errorf("open stream: %w", m.loss())
	}
	s := newStream(m, envelope.Opening{ID: sid, Trace: trace})
	if !m.enter(s) {
		<-m.opening
		return nil, fmt.Errorf("open stream: %w", m.loss())
	}
	return s, nil
}

// Accept gives the next stream whose Open has been read (host). The caller
// ends it with Admit or Refuse.
func (m *Mux) Accept(ctx context.Context) (*Stream, error) {
	if m.client {
		return nil, ErrNotHost
	}
	select {
	case s := <-m.accepted:
		return s, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("accept stream: %w", context.Cause(ctx))
	case <-m.ctx.Done():
		return nil, fmt.Errorf("accept stream: %w", m.loss())
	}
}

// Take takes a yamux stream that the client has opened (host). It does not wait.
func (m *Mux) Take(carrier *yamux.Stream) {
	s := newStream(m, envelope.Opening{})
	s.carrier = carrier
	m.mu.Lock()
	m.waiting++
	crowded := m.waiting > 2*MaxOpening
	m.mu.Unlock()
	if m.enter(s) && crowded {
		s.Refuse(&reason.Reason{Code: reason.Limit, Text: "too many streams wait for their grant"})
	}
}

// enter counts a stream in and starts its reader; false once the trunk ended.
func (m *Mux) enter(s *Stream) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ctx.Err() != nil {
		return false
	}
	m.streams++
	m.wg.Go(s.run) // ends with its carrier
	return true
}

// leave counts a stream out.
func (m *Mux) leave() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.streams--
	if m.streams == 0 {
		m.idleSince = time.Now()
	}
}

// decided counts a stream off that waited for its grant (host).
func (m *Mux) decided(refused bool) {
	m.mu.Lock()
	m.waiting--
	if refused {
		m.refused++
	}
	tooMany := m.refused > MaxRefused
	m.mu.Unlock()
	if tooMany {
		m.Breach(errRefused)
	}
}

// refusedGone counts a refused stream off that the client has closed.
func (m *Mux) refusedGone() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refused--
}

// Count is how many streams are not over, and since when there are none.
func (m *Mux) Count() (streams int, idleSince time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.streams > 0 {
		return m.streams, time.Time{}
	}
	return 0, m.idleSince
}

// Done is closed, and Err is set, when the trunk has ended.
func (m *Mux) Done() <-chan struct{} { return m.ctx.Done() }

// Err is why the trunk ended, nil while it lives.
func (m *Mux) Err() error { return context.Cause(m.ctx) }

// End ends the trunk and its streams; the first cause stays.
func (m *Mux) End(err error) {
	m.cancel(err)
	m.framer.Close()
}

// Breach ends the trunk because the other end broke the protocol.
func (m *Mux) Breach(err error) {
	if m.ctx.Err() == nil {
		m.cfg.Log.Warn("trunk ended: the other end breaks the protocol", "error", err)
	}
	m.End(fmt.Errorf("%w: %w", &reason.Reason{Code: reason.Protocol, Text: "the other end breaks the protocol"}, err))
}

// loss is the error of a stream whose carrier is gone.
func (m *Mux) loss() error {
	err := context.Cause(m.ctx)
	var r *reason.Reason
	switch {
	case errors.As(err, &r):
		return err
	case err == nil:
		err = m.framer.Failure()
	}
	lost := &reason.Reason{Code: reason.CarrierLost, Text: "the connection to the other daemon was lost"}
	if err == nil {
		return lost
	}
	return fmt.Errorf("%w: %w", lost, err)
}

// Run writes what nobody may wait for, until the trunk ends and its streams
// have; their carriers must be closed by then.
func (m *Mux) Run() {
	m.writeControl()
	m.mu.Lock()
	if m.ackTimer != nil {
		m.ackTimer.Stop()
	}
	m.mu.Unlock()
	m.wg.Wait()
}
