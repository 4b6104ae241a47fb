//go:build linux

package e2e

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/test/harness"
)

// TestPublishLoginReach is the main job: a service is published, a person signs
// in, and what they send comes back.
func TestPublishLoginReach(t *testing.T) {
	t.Parallel()
	s := standard(t)
	addr := s.forward(app)
	st, err := s.client.Status(s.ctx)
	s.must(err)
	if f := forwardOf(st, addr); f.State != api.ForwardLoginNeeded {
		t.Errorf("before the login the forward is %s, want %s", f.State, api.ForwardLoginNeeded)
	}
	s.signIn(alice, harness.Loopback)
	s.must(echoOnce(s.ctx, addr))
	who := s.ok(s.client.Ctl(s.ctx, "whoami"))
	if !strings.Contains(who.Stdout, alice) {
		t.Errorf("whoami says %q", who.Stdout)
	}
	apps := s.ok(s.client.Ctl(s.ctx, "apps"))
	if !strings.Contains(apps.Stdout, app) {
		t.Errorf("apps says %q", apps.Stdout)
	}
}

// TestFirstConnectionIsHeld: a connection made before anybody has signed in is
// held, and goes on when somebody has.
func TestFirstConnectionIsHeld(t *testing.T) {
	t.Parallel()
	s := standard(t)
	addr := s.forward(app)
	done := make(chan error, 1)
	go func() { done <- echoOnce(s.ctx, addr) }()
	s.must(s.client.Await(s.ctx, "a login to be wanted", func(st api.Status) bool {
		return len(st.Logins) == 1 && st.Logins[0].State == api.LoginWanted && forwardOf(st, addr).Waiting == 1
	}))
	s.signIn(alice, harness.Loopback)
	s.must(<-done)
}

// TestTypedCode: the browser is on another machine; the person types the code.
func TestTypedCode(t *testing.T) {
	t.Parallel()
	s := standard(t)
	addr := s.forward(app)
	s.signIn(alice, harness.TypedCode)
	s.must(echoOnce(s.ctx, addr))
}

// TestForegroundForms: the commands that people know, word for word. They stay
// until Ctrl-C and leave nothing behind.
func TestForegroundForms(t *testing.T) {
	t.Parallel()
	s := begin(t, harness.EdgeOptions{})
	s.allow(app, "email:"+alice)
	s.startHost()
	s.must(s.host.Join(s.ctx, s.edge, "*.site.com"))
	tunnel, err := s.host.Foreground("tunnel", "tunnel", "--hostname", app, "--url", "tcp://"+serve(t, echo))
	s.must(err)
	s.must(s.host.AwaitTunnel(s.ctx, app, api.TunnelPublished))
	s.startClient()
	s.signIn(alice, harness.Loopback)
	addr := s.freeAddr()
	access, err := s.client.Foreground("access", "access", "tcp", "--hostname", app, "--url", addr)
	s.must(err)
	s.must(s.client.Await(s.ctx, "the forward to be ready", func(st api.Status) bool {
		f := forwardOf(st, addr)
		return f != nil && f.State == api.ForwardReady && f.Hold
	}))
	s.must(echoOnce(s.ctx, addr))

	s.must(access.Stop())
	if c := access.ExitCode(); c != 130 && c != 0 {
		t.Errorf("access tcp ended with code %d at Ctrl-C", c)
	}
	s.must(s.client.Await(s.ctx, "the forward to go", func(st api.Status) bool { return len(st.Forwards) == 0 }))
	if err := echoOnce(s.ctx, addr); err == nil {
		t.Error("the port still answers after Ctrl-C")
	}
	s.must(tunnel.Stop())
	s.must(s.host.Await(s.ctx, "the tunnel to go", func(st api.Status) bool { return len(st.Tunnels) == 0 }))
}

// TestStdio: without --url, access speaks on standard input and output, as ssh's
// ProxyCommand wants it.
func TestStdio(t *testing.T) {
	t.Parallel()
	s := standard(t)
	s.signIn(alice, harness.Loopback)
	r := s.ok(s.client.CtlInput(s.ctx, "hello by pipe\n", "access", "tcp", "--hostname", app))
	if r.Stdout != "hello by pipe\n" {
		t.Errorf("came back: %q", r.Stdout)
	}
}

// TestKeptForwards: what forward add set up can be paused and resumed, and comes
// back after a restart of the daemon without a new login.
func TestKeptForwards(t *testing.T) {
	t.Parallel()
	s := standard(t)
	addr := s.forward(app)
	s.signIn(alice, harness.Loopback)
	s.must(echoOnce(s.ctx, addr))

	s.ok(s.client.Ctl(s.ctx, "forward", "pause", addr))
	s.must(s.client.Await(s.ctx, "paused", func(st api.Status) bool { return forwardOf(st, addr).State == api.ForwardPaused }))
	if err := echoOnce(s.ctx, addr); err == nil {
		t.Error("a paused forward still answers")
	}
	s.ok(s.client.Ctl(s.ctx, "forward", "resume", addr))
	s.ready(addr)
	s.must(echoOnce(s.ctx, addr))

	s.must(s.client.Process().Stop())
	s.must(s.client.Start(s.ctx))
	s.ready(addr)
	s.must(echoOnce(s.ctx, addr))

	s.client.Process().Kill()
	s.must(s.client.Start(s.ctx))
	s.ready(addr)
	s.must(echoOnce(s.ctx, addr))

	s.ok(s.client.Ctl(s.ctx, "forward", "rm", addr))
	s.must(s.client.Await(s.ctx, "gone", func(st api.Status) bool { return len(st.Forwards) == 0 }))
}

func (s *story) ready(addr string) {
	s.Helper()
	s.must(s.client.Await(s.ctx, "the forward to be ready", func(st api.Status) bool {
		f := forwardOf(st, addr)
		return f != nil && f.State == api.ForwardReady
	}))
}

// TestKeptTunnel: a published app is back after the host daemon restarts.
func TestKeptTunnel(t *testing.T) {
	t.Parallel()
	s := standard(t)
	addr := s.forward(app)
	s.signIn(alice, harness.Loopback)
	s.must(echoOnce(s.ctx, addr))
	s.host.Process().Kill()
	s.must(s.host.Start(s.ctx))
	s.must(s.host.AwaitTunnel(s.ctx, app, api.TunnelPublished))
	s.must(echoEventually(s.ctx, addr))
}

// echoEventually tries until an echo comes through: after a restart elsewhere a
// first connection may still meet what is gone.
func echoEventually(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return harness.Poll(ctx, "an echo through "+addr, func() (bool, error) {
		err := echoOnce(ctx, addr)
		return err == nil, err
	})
}

// TestTwoApps: two services on one host, each behind its own rules.
func TestTwoApps(t *testing.T) {
	t.Parallel()
	s := standard(t)
	const second = "second.site.com"
	s.allow(second, "group:staff")
	hello := serve(t, func(c *net.TCPConn) { io.WriteString(c, "the second\n") })
	s.must(s.host.AddTunnel(s.ctx, second, "tcp://"+hello))
	s.must(s.host.AwaitTunnel(s.ctx, second, api.TunnelPublished))
	s.addPerson("bob@site.com", "staff")
	s.signIn("bob@site.com", harness.Loopback)
	s.must(echoOnce(s.ctx, s.forward(app)))
	r := s.ok(s.client.Ctl(s.ctx, "access", "tcp", "--hostname", second))
	if r.Stdout != "the second\n" {
		t.Errorf("the second app says %q", r.Stdout)
	}
	// Alice is no member of staff.
	s.ok(s.client.Ctl(s.ctx, "logout"))
	s.signIn(alice, harness.Loopback)
	s.refused(s.client.Ctl(s.ctx, "access", "tcp", "--hostname", second), exitPermission, "not allowed")
}
