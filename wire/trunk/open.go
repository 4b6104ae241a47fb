package trunk

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/yamux"

	"github.com/sallyport/sallyport/wire/envelope"
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

// Open begins a stream (client). It sends Open and does not wait for the
// Verdict; it waits only while MaxOpening others have none.
func (t *Trunk) Open(ctx context.Context, sid id.Stream, trace id.Trace) (*Stream, error) {
	if !t.client {
		return nil, ErrNotClient
	}
	select {
	case t.opening <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("open stream: %w", context.Cause(ctx))
	case <-t.ctx.Done():
		return nil, fmt.Errorf("open stream: %w", t.loss())
	}
	s := newStream(t, envelope.Opening{ID: sid, Trace: trace})
	if !t.enter(s) {
		<-t.opening
		return nil, fmt.Errorf("open stream: %w", t.loss())
	}
	return s, nil
}

// enter counts a stream in and starts its reader; false once the trunk ended.
func (t *Trunk) enter(s *Stream) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ctx.Err() != nil {
		return false
	}
	t.streams++
	t.wg.Go(s.run) // ends with its carrier
	return true
}

// leave counts a stream out.
func (t *Trunk) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.streams--
	if t.streams == 0 {
		t.idleSince = time.Now()
	}
}

// openCarrier opens the yamux stream of s. Ids go up in the order in which they
// are announced, so one is opened at a time.
func (t *Trunk) openCarrier() (*yamux.Stream, error) {
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-t.ctx.Done():
		return nil, context.Cause(t.ctx)
	}
	if wait := t.pace.take(time.Now()); wait > 0 {
		select {
		case <-time.After(wait):
		case <-t.ctx.Done():
			return nil, context.Cause(t.ctx)
		}
	}
	return t.session.OpenStream()
}

// Accept gives the next stream whose Open has been read (host). The caller
// ends it with Admit or Refuse.
func (t *Trunk) Accept(ctx context.Context) (*Stream, error) {
	if t.client {
		return nil, ErrNotHost
	}
	select {
	case s := <-t.accepted:
		return s, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("accept stream: %w", context.Cause(ctx))
	case <-t.ctx.Done():
		return nil, fmt.Errorf("accept stream: %w", t.loss())
	}
}

// acceptStreams takes what yamux accepts at once, whatever becomes of it.
func (t *Trunk) acceptStreams() {
	for {
		carrier, err := t.session.AcceptStream()
		if err != nil {
			return
		}
		s := newStream(t, envelope.Opening{})
		s.carrier = carrier
		crowded := t.crowded()
		if !t.enter(s) {
			return
		}
		if crowded {
			s.Refuse(&reason.Reason{Code: reason.Limit, Text: "too many streams wait for their grant"})
		}
	}
}

// crowded counts one more stream that waits for its grant, and says whether
// those are too many.
func (t *Trunk) crowded() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.waiting++
	return t.waiting > 2*MaxOpening
}

// decided counts a stream off that waited for its grant (host).
func (t *Trunk) decided(refused bool) {
	t.mu.Lock()
	t.waiting--
	if refused {
		t.refused++
	}
	tooMany := t.refused > MaxRefused
	t.mu.Unlock()
	if tooMany {
		t.breach(errRefused)
	}
}

// refusedGone counts a refused stream off that the client has closed.
func (t *Trunk) refusedGone() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.refused--
}

// pacer keeps a client below what the host's policer allows.
type pacer struct {
	mu   sync.Mutex
	used float64
	at   time.Time
}

// take counts one opening and says how long to wait before it.
func (p *pacer) take(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.used = max(0, p.used-now.Sub(p.at).Seconds()*OpenRate)
	p.at = now
	p.used++
	if p.used <= OpenBurst {
		return 0
	}
	return time.Duration((p.used - OpenBurst) / OpenRate * float64(time.Second))
}
