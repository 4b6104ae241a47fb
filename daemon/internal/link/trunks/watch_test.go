package trunks

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/wire"
	wiretrunk "github.com/sallyport/sallyport/wire/trunk"
)

// lostAsItBegan is a stream that was admitted, and the trunk that ended before
// anybody took note of it.
func lostAsItBegan(t *testing.T) (*trunk, *wire.Stream) {
	t.Helper()
	near, far := net.Pipe()
	client, err := wiretrunk.Client(near, near, wiretrunk.Config{Resume: true})
	if err != nil {
		t.Fatal(err)
	}
	host, err := wiretrunk.Host(far, far, wiretrunk.Config{Resume: true})
	if err != nil {
		t.Fatal(err)
	}
	s, err := client.Open(t.Context(), wire.NewStreamID(), wire.NewTraceID(), false)
	if err != nil {
		t.Fatal(err)
	}
	h, err := host.Accept(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(h.Admit(), s.Verdict(t.Context())); err != nil {
		t.Fatal(err)
	}
	near.Close()
	<-client.Done()
	<-host.Done()
	h.Reset(nil)
	tr := newTrunk(trunkKey{"ses_1", "tcp.site.com"})
	tr.wire, tr.id = client, client.ID()
	close(tr.ready)
	return tr, s
}

// A stream whose trunk is lost in the moment of its Verdict waits for another trunk
// like any other, and its end is reported.
func TestTrunkLostAsAStreamBegins(t *testing.T) {
	t.Parallel()
	for name, window := range map[string]time.Duration{"it goes on": time.Minute, "it may not": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr, s := lostAsItBegan(t)
			tr.window = window
			ctx, stop := context.WithCancel(t.Context())
			asked, ended := make(chan struct{}, 1), make(chan *wire.StreamEnded, 1)
			var tasks sync.WaitGroup
			p := New(Config{
				Log: slog.New(slog.DiscardHandler),
				Online: func(ctx context.Context) (*wire.Link, context.Context, error) {
					asked <- struct{}{}
					<-ctx.Done()
					return nil, nil, context.Cause(ctx)
				},
				Report:  func(m *wire.StreamEnded) { ended <- m },
				Changed: func() {},
				Go: func(f func(context.Context)) bool {
					tasks.Go(func() { f(ctx) })
					return true
				},
			})
			p.watch(tr, s)
			if window > 0 {
				<-asked
				refs := p.Refs()
				if len(refs) != 1 || refs[0].Stream != s.ID() || !refs[0].Parked || s.Err() != nil {
					t.Errorf("held are %+v, the stream's error is %v", refs, s.Err())
				}
				stop()
			}
			if m := <-ended; m.Stream != s.ID() || (m.Code == wire.CodeCarrierLost) != (window == 0) {
				t.Errorf("reported %+v", m)
			}
			stop()
			tasks.Wait()
			if refs := p.Refs(); len(refs) > 0 || s.Err() == nil {
				t.Errorf("held are %+v, the stream's error is %v", refs, s.Err())
			}
		})
	}
}
