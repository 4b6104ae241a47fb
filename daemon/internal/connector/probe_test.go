package connector

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/daemon/internal/link/linktest"
	"github.com/sallyport/sallyport/wire"
)

// muted is a connection that nothing comes of any more once it is mute.
type muted struct {
	net.Conn
	mute *atomic.Bool
}

func (c muted) Read(p []byte) (int, error) {
	for {
		n, err := c.Conn.Read(p)
		if err != nil || !c.mute.Load() {
			return n, err
		}
	}
}

// After a change of this machine's network a trunk that does not answer is lost, and
// its streams wait; one that answers stays.
func TestProbe(t *testing.T) {
	t.Parallel()
	first := new(atomic.Bool)
	now := first
	r := newResumer(t, func(c *Config) {
		dial := c.Dial
		c.Dial = func(ctx context.Context, id string, l wire.Label) (net.Conn, string, error) {
			conn, name, err := dial(ctx, id, l)
			mute := now
			now = new(atomic.Bool)
			return muted{conn, mute}, name, err
		}
	})
	dead := r.trunk(r.client)
	r.served(dead, wire.NewStreamID())
	living := r.trunk(r.client)
	s := r.served(living, wire.NewStreamID())
	first.Store(true)
	begin := time.Now()
	r.Probe()
	until(t, "the streams of the mute trunk to wait", func() bool { return r.stat().Resuming == 1 })
	if d := time.Since(begin); d > wire.DeadAfter-3*time.Second {
		t.Errorf("a mute trunk was lost after %s", d)
	}
	<-time.After(time.Second) // the other's time is over, too
	r.echo(s)
	if st := r.Stats()[linktest.Hostname]; st.Resuming != 1 {
		t.Errorf("%d streams wait, want one", st.Resuming)
	}
}
