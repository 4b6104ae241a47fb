package connector

import (
	"testing"
	"time"

	"github.com/sallyport/sallyport/daemon/internal/link/linktest"
	"github.com/sallyport/sallyport/wire"
)

// The edge counts what it decided for nothing, so it hears of it when the grant
// comes, not when that lapses.
func TestOpenThatIsResetIsReported(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(_ *linktest.Edge, c *Config) { c.Timing.Grant = time.Minute })
	r.origin("tcp", upper)
	trunk := r.client.Client(linktest.Hostname)
	s := r.open(trunk)
	until(t, "the open", func() bool { return r.waiting(trunk) == 1 })
	s.Reset(nil)
	until(t, "the reset", func() bool { return r.waiting(trunk) == 0 })
	r.ask(trunk, s.ID())
	select {
	case m := <-r.reports:
		if m.Stream != s.ID() || m.Code != wire.CodeNeverOpened {
			t.Errorf("reported %+v", m)
		}
	case <-time.After(5 * time.Second):
		t.Error("nothing is reported")
	}
}
