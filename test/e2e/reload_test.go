//go:build linux

package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/test/harness"
)

// TestReload: SIGHUP puts a good change of edge.yaml in force and drops no live
// stream; a change that is not good is refused and said, and all stays as it was.
func TestReload(t *testing.T) {
	t.Parallel()
	s := standard(t)
	addr := s.forward(app)
	s.signIn(alice, harness.Loopback)
	live, err := connect(s.ctx, addr, 2*time.Minute)
	s.must(err)
	defer live.Close()
	s.must(say(live, "before\n"))
	file, err := os.ReadFile(s.edge.Config())
	s.must(err)
	good := string(file)

	// Good: a shorter session, for those who sign in from now on.
	if got := s.sessionLength(alice); got != 12*time.Hour {
		t.Fatalf("a session lasts %s, want the default", got)
	}
	with := func(lifetime string) string { return good + "\nsession:\n  lifetime: " + lifetime + "\n" }
	s.reload(with("1h"), "config reloaded")
	s.must(say(live, "after a good change\n"))
	second, err := s.world.StartDaemon(s.ctx, "second", harness.DaemonOptions{})
	s.must(err)
	s.must(second.UseEdge(s.ctx, s.edge, false))
	s.must(second.SignIn(s.ctx, s.edge, s.people[mary], harness.Loopback))
	if got := s.sessionLength(mary); got != time.Hour {
		t.Errorf("after the change a session lasts %s, want 1h", got)
	}

	// Good, but in part for the next start.
	s.reload(with("2h")+"\nlog:\n  level: debug\n", "some settings need a restart", "keys=[log]")
	s.must(say(live, "after a change for later\n"))

	// Not good, each in its own way: nothing changes, not even what is good in it.
	for _, bad := range []struct {
		name, yaml string
		says       []string
	}{
		{"unknown key", with("3h") + "\nunheard: of\n", []string{"edge.yaml:", "unheard"}},
		{"bad value", with("forever"), []string{"edge.yaml:", "session.lifetime"}},
		{"no file of that name", with("3h") + "\ntls:\n  cert: no.crt\n  key: no.key\n", []string{"certificate", "no.crt"}},
		{"not yaml", "name: [", []string{"edge.yaml"}},
	} {
		s.reload(bad.yaml, append(bad.says, "config not reloaded; the old one stays")...)
		if err := say(live, bad.name+"\n"); err != nil {
			t.Errorf("%s: the live stream: %v", bad.name, err)
		}
	}
	s.must(os.WriteFile(s.edge.Config(), []byte(with("4h")), 0o600)) // for the commands; the edge is not told
	s.ok(second.Ctl(s.ctx, "logout"))
	s.must(second.SignIn(s.ctx, s.edge, s.people[mary], harness.Loopback))
	if got := s.sessionLength(mary); got != 2*time.Hour {
		t.Errorf("after changes that were refused a session lasts %s, want 2h as before them", got)
	}
	s.must(echoOnce(s.ctx, addr))
	s.must(say(live, "at the end\n"))
	st, err := s.client.Status(s.ctx)
	s.must(err)
	if f := forwardOf(st, addr); f.State != api.ForwardReady || f.Connections != 1 {
		t.Errorf("the forward is %s with %d connections", f.State, f.Connections)
	}
}

// reload writes the edge's file, sends SIGHUP and waits until the log says all of
// this in what is new of it.
func (s *story) reload(yaml string, says ...string) {
	s.Helper()
	before, err := s.edge.Process().Log()
	s.must(err)
	s.must(os.WriteFile(s.edge.Config(), []byte(yaml), 0o600))
	s.must(s.edge.Reload())
	s.within(20*time.Second, func(ctx context.Context) {
		s.must(harness.Poll(ctx, fmt.Sprintf("the log to say %q", says), func() (bool, error) {
			log, err := s.edge.Process().Log()
			for _, w := range says {
				if !strings.Contains(log[len(before):], w) {
					return false, errors.Join(err, errors.New(log[len(before):]))
				}
			}
			return err == nil, err
		}))
	})
}

// sessionLength is how long the newest session of a person lasts.
func (s *story) sessionLength(email string) time.Duration {
	s.Helper()
	var list []struct {
		Email     string
		StartedAt time.Time `json:"started_at"`
		ExpiresAt time.Time `json:"expires_at"`
	}
	s.must(s.edge.JSON(s.ctx, &list, "session", "list"))
	for _, x := range list {
		if x.Email == email {
			return x.ExpiresAt.Sub(x.StartedAt).Round(time.Minute)
		}
	}
	s.Fatalf("%s has no session", email)
	return 0
}
