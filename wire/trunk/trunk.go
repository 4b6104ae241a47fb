package trunk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/yamux"

	"github.com/sallyport/sallyport/wire/envelope"
	"github.com/sallyport/sallyport/wire/id"
	"github.com/sallyport/sallyport/wire/policer"
	"github.com/sallyport/sallyport/wire/reason"
	"github.com/sallyport/sallyport/wire/socket"
)

// Config is what a trunk needs beside its connection.
type Config struct {
	ID id.Trunk
	// Fingerprint names the TLS connection.
	Fingerprint string
	// Log takes the trunk's life; nil logs nothing.
	Log *slog.Logger
}

// Trunk is one end of a yamux session inside TLS between two daemons. The
// client's end opens streams, the host's end accepts them.
type Trunk struct {
	id          id.Trunk
	fingerprint string
	log         *slog.Logger
	client      bool
	local       net.Addr
	remote      net.Addr
	raw         syscall.RawConn // under TLS; nil where it is no socket
	framer      *framer
	session     *yamux.Session
	windows     *envelope.Budget

	ctx    context.Context // ends with the trunk; its cause is why
	cancel context.CancelCauseFunc
	done   chan struct{}
	wg     sync.WaitGroup // the trunk's own goroutines and those of its streams

	opening  chan struct{} // client: a slot for each stream without a Verdict
	turn     chan struct{} // client: one slot, held while a yamux stream is opened
	pace     pacer
	accepted chan *Stream // host

	mu        sync.Mutex
	streams   int
	idleSince time.Time
	waiting   int           // host: streams neither admitted nor refused
	refused   int           // host: refused, and not closed by the client
	urgent    []*Stream     // for the control goroutine
	acks      []*Stream     // with an acknowledgement that may wait
	ackTimer  *time.Timer   // runs while acks is not empty
	grown     []*Stream     // carried bulk, to be shrunk when quiet
	wake      chan struct{} // one slot: urgent has work
}

// Client makes the client's end on a TLS connection whose handshake is done.
// raw is what is under it. It takes ownership of both.
func Client(conn, raw net.Conn, cfg Config) (*Trunk, error) { return start(conn, raw, cfg, true) }

// Host makes the host's end, like Client.
func Host(conn, raw net.Conn, cfg Config) (*Trunk, error) { return start(conn, raw, cfg, false) }

func start(conn, raw net.Conn, cfg Config, client bool) (*Trunk, error) {
	log := cfg.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	t := &Trunk{
		id: cfg.ID, fingerprint: cfg.Fingerprint, client: client,
		log:   log.With("trunk", cfg.ID.String()),
		local: conn.LocalAddr(), remote: conn.RemoteAddr(),
		raw:       socket.Conn(raw),
		framer:    newFramer(conn, func() { raw.Close() }, !client),
		windows:   envelope.NewBudget(TrunkWindows, processWindows),
		done:      make(chan struct{}),
		wake:      make(chan struct{}, 1),
		idleSince: time.Now(),
	}
	t.ctx, t.cancel = context.WithCancelCause(context.Background())
	var err error
	if client {
		t.opening = make(chan struct{}, MaxOpening)
		t.turn = make(chan struct{}, 1)
		t.session, err = yamux.Client(t.framer, yamuxConfig(t.log))
	} else {
		t.accepted = make(chan *Stream, 2*MaxOpening)
		t.session, err = yamux.Server(t.framer, yamuxConfig(t.log))
	}
	if err != nil {
		raw.Close()
		return nil, fmt.Errorf("start yamux: %w", err)
	}
	go t.run() // ends with the connection or CloseWith; joined by done
	return t, nil
}

// yamuxConfig: what yamux would do by time is off, since the envelope does it.
func yamuxConfig(log *slog.Logger) *yamux.Config {
	c := yamux.DefaultConfig()
	c.AcceptBacklog = 4 * MaxOpening
	c.EnableKeepAlive = false
	c.StreamOpenTimeout = 0
	c.StreamCloseTimeout = 0
	c.ConnectionWriteTimeout = WriteTimeout
	c.MaxStreamWindowSize = yamuxWindow
	c.LogOutput = nil
	c.Logger = &bridge{log: log}
	return c
}

// ID is the trunk's id.
func (t *Trunk) ID() id.Trunk { return t.id }

// Fingerprint names the TLS connection, the same at both ends unless somebody
// stands in the middle.
func (t *Trunk) Fingerprint() string { return t.fingerprint }

// Done is closed when the trunk has ended and everything of it is freed.
func (t *Trunk) Done() <-chan struct{} { return t.done }

// Err is why the trunk ended, nil while it lives.
func (t *Trunk) Err() error { return context.Cause(t.ctx) }

// RTT is the shortest round trip that was measured lately, 0 while unknown.
func (t *Trunk) RTT() time.Duration { return t.framer.rtt.get() }

// Streams is how many streams are on the trunk.
func (t *Trunk) Streams() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.streams
}

// IdleSince is when the last stream ended (or the trunk began), the zero time
// while there are any. Who owns the trunk closes it when it was idle too long.
func (t *Trunk) IdleSince() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.streams > 0 {
		return time.Time{}
	}
	return t.idleSince
}

// CloseWith ends the trunk and every stream on it with a reason (nil: closed).
// The other end sees a lost carrier. It does not wait; Done does.
func (t *Trunk) CloseWith(r *reason.Reason) {
	if r == nil {
		r = &reason.Reason{Code: reason.Closed, Text: "the trunk was closed"}
	}
	t.end(r)
}

// end is CloseWith for any cause; the first one stays.
func (t *Trunk) end(err error) {
	t.cancel(err)
	t.framer.Close()
}

// breach ends the trunk because the other end broke the protocol.
func (t *Trunk) breach(err error) {
	t.log.Warn("trunk ended: the other end breaks the protocol", "error", err)
	t.end(fmt.Errorf("%w: %w", &reason.Reason{Code: reason.Protocol, Text: "the other end breaks the protocol"}, err))
}

// loss is the error of a stream whose carrier is gone.
func (t *Trunk) loss() error {
	err := context.Cause(t.ctx)
	var r *reason.Reason
	switch {
	case errors.As(err, &r):
		return err
	case err == nil:
		err = t.framer.failure()
	}
	lost := &reason.Reason{Code: reason.CarrierLost, Text: "the connection to the other daemon was lost"}
	if err == nil {
		return lost
	}
	return fmt.Errorf("%w: %w", lost, err)
}

// run watches the trunk until its end and then frees it.
func (t *Trunk) run() {
	defer close(t.done)
	t.wg.Go(t.writeControl)
	if !t.client {
		t.wg.Go(t.acceptStreams)
	}
	t.watch()
	err := t.framer.failure()
	var v *policer.Violation
	if errors.As(err, &v) && t.ctx.Err() == nil {
		t.breach(v)
	}
	if err == nil {
		err = errSession
	}
	t.end(err)
	t.session.Close()
	t.mu.Lock()
	if t.ackTimer != nil {
		t.ackTimer.Stop()
	}
	t.mu.Unlock()
	t.wg.Wait()
}

var (
	errDead    = errors.New("nothing heard from the other daemon")
	errSession = errors.New("yamux session ended")
)

// watch pings on silence, and sees to it that a dead or stalling peer is left.
func (t *Trunk) watch() {
	timer := time.NewTimer(0) // the first ping at once: it measures the round trip
	defer timer.Stop()
	w := &watchman{t: t}
	for {
		select {
		case <-t.session.CloseChan():
			return
		case <-t.ctx.Done():
			return
		case now := <-timer.C:
			if err := w.look(now); err != nil {
				t.framer.fail(err)
				return
			}
			timer.Reset(w.next)
		}
	}
}

// watchman holds what watch remembers from one look to the next.
type watchman struct {
	t          *Trunk
	acked      uint64
	progressed time.Time
	pinged     time.Time
	next       time.Duration
}

func (w *watchman) look(now time.Time) error {
	t := w.t
	if err := t.framer.police.Stalled(now); err != nil {
		return err
	}
	silent := t.framer.silence(now)
	if acked, ok := t.progress(); ok && acked != w.acked {
		w.acked, w.progressed = acked, now
	}
	if silent >= DeadAfter && now.Sub(w.progressed) >= DeadAfter || silent >= WriteTimeout {
		return errDead
	}
	busy := t.shrinkIdle(now)
	if silent >= PingAfter || w.pinged.IsZero() || busy && now.Sub(w.pinged) >= DeadAfter {
		w.pinged = now
		t.framer.ping(now)
	}
	w.next = PingAfter - silent
	if w.next < time.Second {
		w.next = time.Second
	}
	return nil
}

// progress is how far TCP has come, where it can be known.
func (t *Trunk) progress() (uint64, bool) {
	if t.raw == nil {
		return 0, false
	}
	return socket.Acked(t.raw)
}

// shrinkIdle lets streams that carried bulk and are quiet now give their
// buffers back. It says whether any stream is on the trunk.
func (t *Trunk) shrinkIdle(now time.Time) (busy bool) {
	t.mu.Lock()
	var quiet []*Stream
	keep := t.grown[:0]
	for _, s := range t.grown {
		if now.Sub(t.framer.start)-time.Duration(s.lastBulk.Load()) > idleAfter {
			quiet = append(quiet, s)
		} else {
			keep = append(keep, s)
		}
	}
	clear(t.grown[len(keep):])
	t.grown = keep
	busy = t.streams > 0
	t.mu.Unlock()
	if len(quiet) > 0 {
		// yamux holds a stream's lock while it waits for the rest of a frame, so
		// this may wait; the watch must not.
		t.wg.Go(func() {
			for _, s := range quiet {
				s.shrink()
			}
		})
	}
	return busy
}

// LocalAddr and RemoteAddr are those of the connection under the trunk.
func (t *Trunk) LocalAddr() net.Addr { return t.local }

// RemoteAddr is the edge's.
func (t *Trunk) RemoteAddr() net.Addr { return t.remote }
