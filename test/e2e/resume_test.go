//go:build linux

package e2e

import (
	"strings"
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

// TestResumingIsTold: while an edge that was killed is away, status and the events say
// at both ends how many connections wait and since when; once it is back they say no
// more of it, and have counted.
func TestResumingIsTold(t *testing.T) {
	t.Parallel()
	s := standard(t)
	addr := s.forward(app)
	s.signIn(alice, harness.Loopback)
	l := s.openLive(addr)
	host, err := s.host.Events(nil)
	s.must(err)
	killed := time.Now().Add(-time.Second)
	s.edge.Process().Kill()
	waits := func(r *api.Resuming) bool { return r != nil && r.Connections == 1 && r.Since.After(killed) }
	s.must(l.events.Await(s.ctx, 20*time.Second, "the client's connection to wait", func(st api.Status) bool {
		f := forwardOf(st, addr)
		return f != nil && waits(f.Resuming)
	}))
	s.must(host.Await(s.ctx, 20*time.Second, "the host's connection to wait", func(st api.Status) bool {
		return len(st.Tunnels) == 1 && waits(st.Tunnels[0].Resuming)
	}))
	for _, d := range []*harness.Daemon{s.client, s.host} {
		if text := s.ok(d.Ctl(s.ctx, "status")).Stdout; !strings.Contains(text, "1 connection waits for another way since ") {
			s.Errorf("status does not say what waits: %s", text)
		}
	}
	s.must(s.edge.Start(s.ctx))
	s.must(l.events.Await(s.ctx, 30*time.Second, "the client's connection to go on", func(st api.Status) bool {
		f := forwardOf(st, addr)
		return f != nil && f.Resuming == nil && f.ResumedConns == 1 && f.ExpiredConns == 0 && f.Connections == 1
	}))
	s.must(host.Await(s.ctx, 30*time.Second, "the host's connection to go on", func(st api.Status) bool {
		return len(st.Tunnels) == 1 && st.Tunnels[0].Resuming == nil && st.Tunnels[0].ResumedConns == 1
	}))
}
