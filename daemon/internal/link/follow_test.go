package link

import (
	"testing"
	"time"

	"github.com/sallyport/sallyport/daemon/internal/link/linktest"
	"github.com/sallyport/sallyport/wire"
)

// Who follows a stream hears that it goes on with another trunk, and that none came
// in time.
func TestFollow(t *testing.T) {
	t.Parallel()
	for name, window := range map[string]time.Duration{"it goes on": time.Minute, "none comes": 100 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			late := window < time.Second
			l := newLanes(t, func(c *Config) { c.ResumeWindow = window }, nil)
			l.online()
			s, err := l.Open(t.Context(), linktest.Hostname)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Reset(nil)
			told := make(chan bool, 16)
			defer l.Follow(s.ID(), func(expired bool) { told <- expired })()
			if late {
				l.edge.Stop()
			} else {
				l.edge.CloseTrunks()
			}
			select {
			case expired := <-told:
				if expired != late {
					t.Errorf("told that it expired: %v, want %v", expired, late)
				}
			case <-time.After(wire.DeadAfter):
				t.Error("nothing was told")
			}
		})
	}
}
