package trunk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/yamux"

	"github.com/sallyport/sallyport/wire/carrier"
	"github.com/sallyport/sallyport/wire/envelope"
	"github.com/sallyport/sallyport/wire/framer"
	"github.com/sallyport/sallyport/wire/id"
	"github.com/sallyport/sallyport/wire/lane"
	"github.com/sallyport/sallyport/wire/policer"
	"github.com/sallyport/sallyport/wire/reason"
	"github.com/sallyport/sallyport/wire/socket"
	"github.com/sallyport/sallyport/wire/stream"
)

// Config is what a trunk needs beside its connection.
type Config struct {
	ID id.Trunk
	// Fingerprint names the TLS connection.
	Fingerprint string
	// Resume says that streams outlive the loss of the trunk (Remains).
	Resume bool
	// Budget is that of the session; nil: one of its own.
	Budget *envelope.Budget
	// Log takes the trunk's life; nil logs nothing.
	Log *slog.Logger
}

func (c Config) budget() *envelope.Budget {
	if c.Budget == nil {
		return envelope.SessionBudget()
	}
	return c.Budget
}

// Trunk is one end of a yamux session inside TLS between two daemons, or of a lane.
// The client's end opens streams, the host's end accepts them.
type Trunk struct {
	id          id.Trunk
	fingerprint string
	raw         syscall.RawConn // under TLS; nil where it is no socket
	road        road
	framer      *framer.Framer // nil on a lane, as is session
	session     *yamux.Session
	lane        *lane.Lane  // nil on a trunk
	taken       atomic.Bool // the lane has its stream (client)
	mux         *stream.Mux
	done        chan struct{}
	lobby       lobby         // host
	turn        chan struct{} // client: one slot, held while a yamux stream is opened
	pace        carrier.Pacer // client: below what the host's policer allows
}

// Client makes the client's end on a TLS connection whose handshake is done.
// raw is what is under it. It takes ownership of both.
func Client(conn, raw net.Conn, cfg Config) (*Trunk, error) {
	return start(conn, raw, cfg, true)
}

// Host makes the host's end, like Client.
func Host(conn, raw net.Conn, cfg Config) (*Trunk, error) { return start(conn, raw, cfg, false) }

func start(conn, raw net.Conn, cfg Config, client bool) (t *Trunk, err error) {
	log := cfg.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	log = log.With("trunk", cfg.ID.String())
	t = &Trunk{
		id: cfg.ID, fingerprint: cfg.Fingerprint,
		raw:  socket.Conn(raw),
		done: make(chan struct{}),
		turn: make(chan struct{}, 1),
	}
	begin, accept := yamux.Server, t.accept
	if client {
		begin, accept = yamux.Client, nil
	}
	f := framer.New(conn, func() { raw.Close() }, accept, Limits)
	t.road, t.framer = f, f
	streams := carrier.Config{Road: f, Local: conn.LocalAddr(), Remote: conn.RemoteAddr(), Resume: cfg.Resume, Log: log}
	if client {
		streams.OpenCarrier = t.openCarrier
	}
	t.mux = stream.NewMux(streams, cfg.budget())
	if t.session, err = begin(f, yamuxConfig(log)); err != nil {
		raw.Close()
		return nil, fmt.Errorf("start yamux: %w", err)
	}
	go t.run(client) // ends with the connection or CloseWith; joined by done
	return t, nil
}

// yamuxConfig: what yamux would do by time is off, since the envelope does it.
func yamuxConfig(log *slog.Logger) *yamux.Config {
	c := yamux.DefaultConfig()
	c.AcceptBacklog = 4 * carrier.MaxOpening
	c.EnableKeepAlive = false
	c.StreamOpenTimeout = 0
	c.StreamCloseTimeout = 0
	c.ConnectionWriteTimeout = WriteTimeout
	c.MaxStreamWindowSize = YamuxWindow
	c.LogOutput = nil
	c.Logger = &bridge{log: log}
	return c
}

// ID is the trunk's id.
func (t *Trunk) ID() id.Trunk { return t.id }

// Fingerprint names the TLS connection, the same at both ends unless somebody
// stands in the middle.
func (t *Trunk) Fingerprint() string { return t.fingerprint }

// Open begins a stream (client). It sends Open and does not wait for the
// Verdict; it waits only while carrier.MaxOpening others have none. early says that
// the caller writes payload next: Open goes with it.
func (t *Trunk) Open(ctx context.Context, sid id.Stream, trace id.Trace, early bool) (*stream.Stream, error) {
	return t.mux.Open(ctx, sid, trace, early)
}

// Accept gives the next stream whose Open has been read (host). The caller
// ends it with Admit or Refuse.
func (t *Trunk) Accept(ctx context.Context) (*stream.Stream, error) { return t.mux.Accept(ctx) }

// CloseWith ends the trunk and every stream on it with a reason (nil: closed), of
// which the other end is told. It does not wait; Done does.
func (t *Trunk) CloseWith(r *reason.Reason) {
	if r == nil {
		r = &reason.Reason{Code: reason.Closed, Text: "the trunk was closed"}
	}
	t.mux.Close(r)
}

// Lose ends the trunk as if its connection had broken: streams that may go on with
// another are parked.
func (t *Trunk) Lose(err error) { t.mux.End(err) }

// Attach has a stream of another trunk or lane go on with this one (client); see
// stream.Mux.Attach.
func (t *Trunk) Attach(ctx context.Context, s *stream.Stream) error {
	if t.lane != nil && t.taken.Swap(true) {
		return errTaken
	}
	err := t.mux.Attach(ctx, s)
	if err != nil {
		t.taken.Store(false)
	}
	return err
}

// Remains are the streams that a trunk which is Done leaves: parked, or over
// without that the other end may know.
func (t *Trunk) Remains() []*stream.Stream { return t.mux.Remains() }

// Done is closed when the trunk has ended and everything of it is freed.
func (t *Trunk) Done() <-chan struct{} { return t.done }

// Err is why the trunk ended, nil while it lives.
func (t *Trunk) Err() error { return t.mux.Err() }

// RTT is the shortest round trip that was measured lately, 0 while unknown.
func (t *Trunk) RTT() time.Duration { return t.road.RTT() }

// Streams is how many streams are on the trunk.
func (t *Trunk) Streams() int {
	n, _ := t.mux.Count()
	return n
}

// Live is how many yamux streams of a trunk are not closed by both ends.
func (t *Trunk) Live() int {
	if t.framer == nil {
		return 0
	}
	return t.framer.Police().Live()
}

// IdleSince is when the last stream ended (or the trunk began), the zero time
// while there are any. Who owns the trunk closes it when it was idle too long.
func (t *Trunk) IdleSince() time.Time {
	_, since := t.mux.Count()
	return since
}

var errSession = errors.New("yamux session ended")

// run lives as long as the trunk, and then frees it.
func (t *Trunk) run(client bool) {
	defer close(t.done)
	var wg sync.WaitGroup
	wg.Go(t.mux.Run)
	if !client {
		wg.Go(t.acceptStreams)
	}
	t.watch(t.session.CloseChan())
	err := t.framer.Failure()
	var v *policer.Violation
	switch {
	case errors.As(err, &v):
		t.mux.Breach(v)
	case err == nil:
		err = errSession
	}
	t.mux.End(err)
	t.session.Close()
	wg.Wait()
}

// openCarrier opens a yamux stream. Ids go up in the order in which they are
// announced, so one is opened at a time.
func (t *Trunk) openCarrier(ctx context.Context, feed carrier.Feed) (carrier.Channel, error) {
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if wait := t.pace.Take(time.Now(), OpenRate, OpenBurst); wait > 0 {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	t.framer.Expect(feed)
	y, err := t.session.OpenStream()
	if err != nil {
		t.framer.Expect(nil)
		return nil, err
	}
	return &channel{framer: t.framer, id: y.StreamID(), yamux: y}, nil
}

// accept takes a stream that the client opens, before yamux knows of it (host).
func (t *Trunk) accept(id uint32) carrier.Feed {
	if wait := t.mux.Toll(); wait > 0 { // and with it all that the client sends on this trunk
		select {
		case <-time.After(wait):
		case <-t.mux.Done():
		}
	}
	ch := &channel{framer: t.framer, id: id}
	t.lobby.enter(ch)
	return t.mux.Take(ch)
}

// acceptStreams gives the channels their yamux streams.
func (t *Trunk) acceptStreams() {
	for {
		y, err := t.session.AcceptStream()
		if err != nil {
			return
		}
		if ch := t.lobby.leave(y.StreamID()); ch != nil {
			ch.use(y)
		}
	}
}
