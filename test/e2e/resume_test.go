//go:build linux

package e2e

import (
	"testing"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/test/harness"
)

// TestHostRestarted: a host's daemon that was restarted has lost the sockets to
// its origins. What waited for it ends with a reset, and the reason.
func TestHostRestarted(t *testing.T) {
	t.Parallel()
	s := standard(t)
	addr := s.forward(app)
	s.signIn(alice, harness.Loopback)
	l := s.openLive(addr)
	s.host.Process().Kill()
	s.must(s.host.Start(s.ctx))
	l.within = 20 * time.Second // until it is back at the edge, and asked for
	l.cutFor(api.CodeConnectorLost, "the host restarted")
	s.must(echoEventually(s.ctx, addr))
}

// TestResumeWindow: a connection whose way does not come back within the window
// of the client's daemon ends with a reset, and the reason.
func TestResumeWindow(t *testing.T) {
	t.Parallel()
	s := begin(t, harness.EdgeOptions{})
	s.publish(serve(t, echo))
	var err error
	s.client, err = s.world.StartDaemon(s.ctx, "client", harness.DaemonOptions{Words: []string{"run", "--resume-window", "1s"}})
	s.must(err)
	s.must(s.client.UseEdge(s.ctx, s.edge, false))
	addr := s.forward(app)
	s.signIn(alice, harness.Loopback)
	l := s.openLive(addr)
	s.edge.Process().Kill()
	l.within = 10 * time.Second
	l.cutFor(api.CodeConnectorLost, "within 1s")
}
