//go:build linux

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/test/harness"
)

// Exit codes of sallyport.
const (
	exitFailed      = 1
	exitUsage       = 2
	exitLogin       = 3
	exitDaemon      = 4
	exitPermission  = 5
	exitConflict    = 6
	exitInterrupted = 130
)

// TestDeniedWithContact: who is not allowed is told so, and whom to ask.
func TestDeniedWithContact(t *testing.T) {
	t.Parallel()
	s := begin(t, harness.EdgeOptions{})
	s.must(s.edge.AddApp(s.ctx, app, "--allow", "domain:site.com", "--contact", "ask it@site.com"))
	s.startHost()
	s.must(s.host.Publish(s.ctx, s.edge, app, "tcp://"+serve(t, echo)))
	s.startClient()
	addr := s.forward(app)
	s.signIn(mary, harness.Loopback)
	s.refused(s.client.Ctl(s.ctx, "access", "tcp", "--hostname", app), exitPermission, "not allowed", "it@site.com")
	if err := echoOnce(s.ctx, addr); err == nil {
		t.Error("the forward let somebody in who is not allowed")
	}
	s.must(s.client.Await(s.ctx, "the reason in status", func(st api.Status) bool {
		p := forwardOf(st, addr).LastError
		return p != nil && p.Code == api.CodeDenied
	}))
	if strings.Contains(s.ok(s.client.Ctl(s.ctx, "apps")).Stdout, app) {
		t.Error("apps shows one that mary may not reach")
	}
	// To her an app that does not exist looks the same.
	s.refused(s.client.Ctl(s.ctx, "access", "tcp", "--hostname", "none.site.com"), exitPermission, "not allowed")
}

// openEcho opens a connection that stays, and shows that it works.
func (s *story) openEcho(addr string) *net.TCPConn {
	s.Helper()
	c, err := connect(s.ctx, addr, 90*time.Second)
	s.must(err)
	s.Cleanup(func() { c.Close() })
	s.must(say(c, "still here\n"))
	return c
}

// ended waits until the client's session has ended, and wants its reason.
func (s *story) ended(words string) {
	s.Helper()
	s.must(s.client.Await(s.ctx, "the session's end with its reason", func(st api.Status) bool {
		for _, x := range st.Sessions {
			if x.State != api.SessionActive && x.Problem != nil && strings.Contains(strings.ToLower(x.Problem.Title+" "+x.Problem.Detail), words) {
				return true
			}
		}
		return false
	}))
}

// TestRevokedSession: the administrator ends a session; its live stream is cut
// before the command answers, and the person is told.
func TestRevokedSession(t *testing.T) {
	t.Parallel()
	s := standard(t)
	addr := s.forward(app)
	s.signIn(alice, harness.Loopback)
	c := s.openLive(addr)
	s.ok(s.edge.Run(s.ctx, "session", "revoke", s.sessionOf(alice), "--reason", "you have left the project"))
	c.cutFor(api.CodeRevoked, "revoked by an administrator", "you have left the project")
	s.ended("revoked")
	s.refused(s.client.Ctl(s.ctx, "access", "tcp", "--hostname", app), exitLogin, "sallyport login")
	// A new login makes it good.
	s.signIn(alice, harness.Loopback)
	s.must(echoOnce(s.ctx, addr))
}

// sessionOf gives the id of a person's live session at the edge.
func (s *story) sessionOf(email string) string {
	s.Helper()
	var list []map[string]any
	s.must(s.edge.JSON(s.ctx, &list, "session", "list"))
	for _, row := range list {
		b, err := json.Marshal(row)
		s.must(err)
		id, _ := row["id"].(string)
		if ended, over := row["ended_at"]; strings.Contains(string(b), email) && id != "" && (!over || ended == nil) {
			return id
		}
	}
	s.Fatalf("no session of %s in %v", email, list)
	return ""
}

// TestLogout: the person ends the session; live streams are cut.
func TestLogout(t *testing.T) {
	t.Parallel()
	s := standard(t)
	addr := s.forward(app)
	s.signIn(alice, harness.Loopback)
	c := s.openLive(addr)
	s.ok(s.client.Ctl(s.ctx, "logout"))
	c.cutFor(api.CodeSessionEnded, "last connection: signed out")
	s.ended("signed out")
	s.refused(s.client.Ctl(s.ctx, "whoami"), exitLogin, "sallyport login")
	s.refused(s.client.Ctl(s.ctx, "access", "tcp", "--hostname", app), exitLogin, "sallyport login")
}

// TestExpiry: a session ends by itself at its time, and cuts.
func TestExpiry(t *testing.T) {
	t.Parallel()
	s := begin(t, harness.EdgeOptions{Change: func(yaml string) string {
		return yaml + "\nsession:\n  lifetime: 8s\n"
	}})
	s.publish(serve(t, echo))
	s.startClient()
	addr := s.forward(app)
	s.signIn(alice, harness.Loopback)
	c := s.openLive(addr)
	c.within = 30 * time.Second // for the session to come to its end
	c.cutFor(api.CodeSessionEnded, "the session has expired")
	s.ended("expired")
}

// TestAppRemoved: who administers the edge removes the app; its streams end,
// those of another app go on.
func TestAppRemoved(t *testing.T) {
	t.Parallel()
	s := standard(t)
	const other = "other.site.com"
	s.allow(other, "everyone")
	s.must(s.host.AddTunnel(s.ctx, other, "tcp://"+serve(t, echo)))
	s.must(s.host.AwaitTunnel(s.ctx, other, api.TunnelPublished))
	addr, keep := s.forward(app), s.forward(other)
	s.signIn(alice, harness.Loopback)
	c, k := s.openLive(addr), s.openEcho(keep)
	s.ok(s.edge.Run(s.ctx, "app", "rm", app))
	c.cutFor(api.CodeDenied, "the app was removed by an administrator", app)
	s.goesOn(k)
	s.refused(s.client.Ctl(s.ctx, "access", "tcp", "--hostname", app), exitPermission)
}

// TestConnectorRevoked: the edge no longer takes the host for one of its own.
func TestConnectorRevoked(t *testing.T) {
	t.Parallel()
	s := standard(t)
	addr := s.forward(app)
	s.signIn(alice, harness.Loopback)
	c := s.openLive(addr)
	var list []struct{ ID string }
	s.must(s.edge.JSON(s.ctx, &list, "connector", "list"))
	if len(list) != 1 {
		t.Fatalf("connectors: %v", list)
	}
	s.ok(s.edge.Run(s.ctx, "connector", "revoke", list[0].ID))
	c.cutFor(api.CodeConnectorLost, "no longer allowed to publish")
	s.refused(s.client.Ctl(s.ctx, "access", "tcp", "--hostname", app), exitFailed, "no host")
	s.must(s.host.Await(s.ctx, "the tunnel to say so", func(st api.Status) bool {
		return len(st.Tunnels) == 1 && st.Tunnels[0].State != api.TunnelPublished
	}))
}

// TestStreamCut: one stream is cut; the other of the same person goes on.
func TestStreamCut(t *testing.T) {
	t.Parallel()
	s := standard(t)
	addr := s.forward(app)
	s.signIn(alice, harness.Loopback)
	first := s.openLive(addr)
	var list []struct{ ID string }
	s.must(s.edge.JSON(s.ctx, &list, "stream", "list"))
	if len(list) != 1 {
		t.Fatalf("streams: %v", list)
	}
	second := s.openEcho(addr)
	s.ok(s.edge.Run(s.ctx, "stream", "cut", list[0].ID, "--reason", "that was enough"))
	first.others = 1
	first.cutFor(api.CodeRevoked, "revoked by an administrator", "that was enough")
	s.goesOn(second)
}

// TestDenyBeforeAllow: rules are read in order and the first that matches decides.
func TestDenyBeforeAllow(t *testing.T) {
	t.Parallel()
	s := begin(t, harness.EdgeOptions{})
	s.must(s.edge.AddApp(s.ctx, app, "--deny", "email:"+alice, "--allow", "domain:site.com"))
	s.startHost()
	s.must(s.host.Publish(s.ctx, s.edge, app, "tcp://"+serve(t, echo)))
	s.startClient()
	s.signIn(alice, harness.Loopback)
	s.refused(s.client.Ctl(s.ctx, "access", "tcp", "--hostname", app), exitPermission, "not allowed")
	s.ok(s.client.Ctl(s.ctx, "logout"))
	s.addPerson("carol@site.com")
	s.signIn("carol@site.com", harness.Loopback)
	if r := s.ok(s.client.CtlInput(s.ctx, "in\n", "access", "tcp", "--hostname", app)); r.Stdout != "in\n" {
		t.Errorf("carol: %q", r.Stdout)
	}
}

// TestAudit: who opened what is in the audit, and its chain holds.
func TestAudit(t *testing.T) {
	t.Parallel()
	s := standard(t)
	addr := s.forward(app)
	s.signIn(alice, harness.Loopback)
	s.must(echoOnce(s.ctx, addr))
	s.refused(s.client.Ctl(s.ctx, "access", "tcp", "--hostname", "none.site.com"), exitPermission)
	for _, want := range []struct{ event, about string }{
		{"login", alice}, {"session-started", alice}, {"stream-start", app}, {"stream-end", app}, {"decision", "none.site.com"},
	} {
		s.within(20*time.Second, func(ctx context.Context) {
			s.must(harness.Poll(ctx, want.event+" in the audit", func() (bool, error) {
				lines := s.audited(want.event, alice)
				return len(lines) == 1 && strings.Contains(lines[0], want.about), errors.New(strings.Join(lines, "\n"))
			}))
		})
	}
	if r := s.ok(s.edge.Run(s.ctx, "audit", "verify")); !strings.HasPrefix(r.Stdout, "good: ") {
		t.Errorf("audit verify says %q", r.Stdout)
	}
}

// audited gives the lines of the audit of an event that name somebody.
func (s *story) audited(event, who string) (lines []string) {
	s.Helper()
	for line := range strings.Lines(s.ok(s.edge.Run(s.ctx, "audit", "tail", "-n", "1000", "--json")).Stdout) {
		var record struct{ Event string }
		s.must(json.Unmarshal([]byte(line), &record))
		if record.Event == event && strings.Contains(line, who) {
			lines = append(lines, line)
		}
	}
	return lines
}
