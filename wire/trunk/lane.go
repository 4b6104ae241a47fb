package trunk

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/sallyport/sallyport/wire/carrier"
	"github.com/sallyport/sallyport/wire/lane"
	"github.com/sallyport/sallyport/wire/socket"
	"github.com/sallyport/sallyport/wire/stream"
)

// road is the connection of a trunk or lane, as it is watched.
type road interface {
	carrier.Road
	// LastRead is when bytes came last.
	LastRead() time.Duration
	Silence(now time.Time) time.Duration
	Stuck(now time.Time) time.Duration
	Fail(err error)
}

// Errors of lanes.
var (
	// errTaken: a lane brings one stream in its life.
	errTaken = errors.New("the lane has its stream")
	errEmpty = errors.New("the lane's stream has left it")
)

// Lane makes an end of a lane on a TLS connection whose handshake is done, and
// under which is lane.Under. It takes ownership of both. No stream begins on a lane:
// Open fails, and what Accept gives knocks.
func Lane(conn lane.Conn, raw net.Conn, cfg Config, client bool) *Trunk {
	log := cfg.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	l := lane.New(conn, func() { raw.Close() })
	t := &Trunk{
		id: cfg.ID, fingerprint: cfg.Fingerprint, raw: socket.Conn(raw), road: l, lane: l,
		done: make(chan struct{}),
	}
	if t.raw != nil {
		socket.LimitUnsent(t.raw, LaneUnsent)
	}
	streams := carrier.Config{
		Road: l, Lane: true, Local: conn.LocalAddr(), Remote: conn.RemoteAddr(), Resume: true,
		Log: log.With("lane", cfg.ID.String()),
	}
	if client {
		streams.OpenCarrier = func(_ context.Context, feed carrier.Feed) (carrier.Channel, error) {
			l.Start(feed)
			return l, nil
		}
	}
	t.mux = stream.NewMux(streams, cfg.budget())
	if !client {
		l.Start(t.mux.Take(l)) // a line that begins takes it
	}
	go t.runLane() // ends with the connection, its stream or CloseWith; joined by done
	return t
}

// Left says, of a lane that is Done, whether its stream left it in order, rather than
// that it was lost.
func (t *Trunk) Left() bool {
	return t.lane != nil && errors.Is(t.Err(), carrier.ErrLeft)
}

// runLane lives as long as the lane, and then frees it.
func (t *Trunk) runLane() {
	defer close(t.done)
	var wg sync.WaitGroup
	wg.Go(t.mux.Run)
	t.watch(nil)
	err := t.lane.Failure()
	if err == nil {
		t.lane.CloseWrite() // the other end waits for it
		err = errEmpty
	}
	t.mux.End(err)
	wg.Wait()
}
