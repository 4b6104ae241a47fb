//go:build linux

package e2e

import (
	"testing"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/test/harness"
)

// TestBrowserEnrolment: `tunnel login` makes a machine a host; the person must
// be a publisher of the site.
func TestBrowserEnrolment(t *testing.T) {
	t.Parallel()
	s := begin(t, harness.EdgeOptions{})
	s.addPerson("root@site.com", "admins")
	s.allow(app, "domain:site.com")
	s.startHost()
	s.must(s.host.UseEdge(s.ctx, s.edge, true))

	// Alice may reach apps, but not publish.
	if err := s.host.Enrol(s.ctx, s.edge, s.people[alice]); err == nil {
		t.Error("somebody without the right to publish enrolled a host")
	}
	s.must(s.host.Enrol(s.ctx, s.edge, s.people["root@site.com"]))
	s.must(s.host.AddTunnel(s.ctx, app, "tcp://"+serve(t, echo)))
	s.must(s.host.AwaitTunnel(s.ctx, app, api.TunnelPublished))
	s.startClient()
	s.signIn(alice, harness.Loopback)
	s.must(echoOnce(s.ctx, s.forward(app)))
}

// TestJoinTokenOnce: a join token enrols once, and within its scope.
func TestJoinTokenOnce(t *testing.T) {
	t.Parallel()
	s := begin(t, harness.EdgeOptions{})
	s.startHost()
	s.must(s.host.UseEdge(s.ctx, s.edge, true))
	token, err := s.edge.JoinToken(s.ctx, "a.site.com")
	s.must(err)
	s.ok(s.host.CtlInput(s.ctx, token+"\n", "tunnel", "join"))

	second, err := s.world.StartDaemon(s.ctx, "second", harness.DaemonOptions{})
	s.must(err)
	s.must(second.UseEdge(s.ctx, s.edge, true))
	s.refused(second.CtlInput(s.ctx, token+"\n", "tunnel", "join"), exitUsage, "token")

	s.must(s.host.AddTunnel(s.ctx, "b.site.com", "tcp://127.0.0.1:1"))
	s.must(s.host.AwaitTunnel(s.ctx, "b.site.com", api.TunnelRefused))
}

// TestHostnameTaken: a hostname belongs to one group of connectors.
func TestHostnameTaken(t *testing.T) {
	t.Parallel()
	s := standard(t)
	thief, err := s.world.StartDaemon(s.ctx, "thief", harness.DaemonOptions{})
	s.must(err)
	s.must(thief.Join(s.ctx, s.edge, "*.site.com"))
	s.must(thief.AddTunnel(s.ctx, app, "tcp://127.0.0.1:1"))
	s.must(thief.Await(s.ctx, "the refusal", func(st api.Status) bool {
		return len(st.Tunnels) == 1 && st.Tunnels[0].State == api.TunnelRefused && st.Tunnels[0].Problem != nil &&
			st.Tunnels[0].Problem.Code == api.CodeHostnameTaken
	}))
	s.signIn(alice, harness.Loopback)
	s.must(echoOnce(s.ctx, s.forward(app)))
}
