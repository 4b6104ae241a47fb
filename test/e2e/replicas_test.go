//go:build linux

package e2e

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/test/harness"
)

// TestReplicas: two hosts of one connector group publish the same hostname; when
// one of them dies the other serves.
func TestReplicas(t *testing.T) {
	t.Parallel()
	s := begin(t, harness.EdgeOptions{})
	s.allow(app, "everyone")
	origin := serve(t, echo)
	var hosts []*harness.Daemon
	for _, name := range []string{"one", "two"} {
		h, err := s.world.StartDaemon(s.ctx, name, harness.DaemonOptions{})
		s.must(err)
		s.must(h.UseEdge(s.ctx, s.edge, true))
		token, err := s.edge.JoinToken(s.ctx, "*.site.com", "--group", "pair")
		s.must(err)
		s.ok(h.CtlInput(s.ctx, token+"\n", "tunnel", "join"))
		s.must(h.AddTunnel(s.ctx, app, "tcp://"+origin))
		s.must(h.AwaitTunnel(s.ctx, app, api.TunnelPublished))
		hosts = append(hosts, h)
	}
	s.startClient()
	s.signIn(alice, harness.Loopback)
	addr := s.forward(app)
	s.must(echoOnce(s.ctx, addr))
	hosts[0].Process().Kill()
	s.must(echoEventually(s.ctx, addr))
	s.must(hosts[0].Start(s.ctx))
	s.must(hosts[0].AwaitTunnel(s.ctx, app, api.TunnelPublished))
	hosts[1].Process().Kill()
	s.must(echoEventually(s.ctx, addr))
}

// TestUnixForward: a forward may be a Unix socket, which the file system guards.
func TestUnixForward(t *testing.T) {
	t.Parallel()
	s := standard(t)
	s.signIn(alice, harness.Loopback)
	path := filepath.Join(s.client.Dir, "app.sock")
	s.ok(s.client.Ctl(s.ctx, "forward", "add", app, "unix:"+path))
	s.ready("unix:" + path)
	info, err := os.Stat(path)
	s.must(err)
	if info.Mode().Perm()&0o077 != 0 {
		t.Errorf("the socket's mode is %v: others may use it", info.Mode())
	}
	c, err := net.Dial("unix", path)
	s.must(err)
	defer c.Close()
	s.must(c.SetDeadline(time.Now().Add(30 * time.Second)))
	s.must(say(c, "hello by file\n"))
	s.ok(s.client.Ctl(s.ctx, "forward", "rm", "unix:"+path))
	if _, err := os.Stat(path); err == nil {
		t.Error("the socket is still there")
	}
}

// TestEdgeRestarted: an orderly restart of the edge. Sessions, apps, connectors
// and claims are there afterwards, a connection that was open goes on, and the
// audit's chain holds.
func TestEdgeRestarted(t *testing.T) {
	t.Parallel()
	s := standard(t)
	addr := s.forward(app)
	s.signIn(alice, harness.Loopback)
	c := s.openEcho(addr)
	s.must(s.edge.Process().Stop())
	s.must(s.client.Await(s.ctx, "the link to be lost", func(st api.Status) bool {
		return st.Edges[0].Link.State != api.LinkOnline
	}))
	s.must(s.edge.Start(s.ctx))
	s.must(say(c, "still here\n"))
	s.must(echoEventually(s.ctx, addr))
	s.ok(s.client.Ctl(s.ctx, "whoami"))
	s.ok(s.edge.Run(s.ctx, "audit", "verify"))
}

// TestSecretsStayInside: neither tokens nor passwords nor codes are in a log, in
// the audit, or in the arguments and environment of a process.
func TestSecretsStayInside(t *testing.T) {
	t.Parallel()
	s := begin(t, harness.EdgeOptions{})
	s.allow(app, "everyone")
	s.startHost()
	s.must(s.host.UseEdge(s.ctx, s.edge, true))
	token, err := s.edge.JoinToken(s.ctx, "*.site.com")
	s.must(err)
	s.ok(s.host.CtlInput(s.ctx, token+"\n", "tunnel", "join"))
	s.must(s.host.AddTunnel(s.ctx, app, "tcp://"+serve(t, echo)))
	s.must(s.host.AwaitTunnel(s.ctx, app, api.TunnelPublished))
	s.startClient()
	var code string
	sign := s.edge.Approve(s.people[alice])
	r := s.client.Walk(s.ctx, harness.Login{Mode: harness.TypedCode, Browser: func(ctx context.Context, url string) (string, error) {
		c, err := sign(ctx, url)
		code = c
		return c, err
	}})
	s.must(r.Err())
	s.must(echoOnce(s.ctx, s.forward(app)))

	secrets := map[string]string{"join token": token, "password": s.people[alice].Password, "approval code": code,
		"approval code as typed": strings.ReplaceAll(code, "-", "")}
	var places []string
	for _, pattern := range []string{"logs/*.log", "edge/state/audit/*", "edge/state/*.db", "*/state/*"} {
		found, err := filepath.Glob(filepath.Join(s.world.Dir, pattern))
		s.must(err)
		places = append(places, found...)
	}
	for _, p := range []*harness.Process{s.edge.Process(), s.host.Process(), s.client.Process()} {
		places = append(places, procFile(p.PID(), "cmdline"), procFile(p.PID(), "environ"))
	}
	for _, place := range places {
		b, err := os.ReadFile(place)
		if err != nil {
			continue // a socket or a folder
		}
		for what, secret := range secrets {
			if secret != "" && strings.Contains(string(b), secret) {
				t.Errorf("the %s is in %s", what, place)
			}
		}
	}
	if len(places) < 10 {
		t.Errorf("looked at %d places only: %v", len(places), places)
	}
}
