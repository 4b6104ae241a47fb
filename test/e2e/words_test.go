//go:build linux

package e2e

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/test/harness"
)

// TestTunnelWithoutApp: a hostname that no app admits anybody to is published,
// and whoever publishes it hears what is missing, and when it is there.
func TestTunnelWithoutApp(t *testing.T) {
	t.Parallel()
	s := begin(t, harness.EdgeOptions{})
	s.startHost()
	s.must(s.host.Join(s.ctx, s.edge, "*.site.com"))
	tunnel, err := s.host.Foreground("tunnel", "tunnel", "--hostname", app, "--url", "tcp://"+serve(t, echo))
	s.must(err)
	var told *api.Problem
	s.must(s.host.Await(s.ctx, "the tunnel to say that there is no app", func(st api.Status) bool {
		if len(st.Tunnels) == 1 && st.Tunnels[0].State == api.TunnelPublished {
			told = st.Tunnels[0].Problem
		}
		return told != nil
	}))
	command := "sallyport-edge app add " + app + " --allow WHO"
	if told.Code != api.CodeNoApp || !strings.Contains(told.Hint, command) {
		t.Errorf("status says %+v", told)
	}
	s.prints(tunnel, "published: nobody is allowed to reach it yet", command)
	if list := s.ok(s.host.Ctl(s.ctx, "tunnel", "list")); !strings.Contains(list.Stdout, command) {
		t.Errorf("tunnel list says\n%s", list.Stdout)
	}
	s.ok(s.edge.Run(s.ctx, strings.Fields(strings.Replace(strings.TrimPrefix(command, "sallyport-edge "), "WHO", "domain:site.com", 1))...))
	s.must(s.host.Await(s.ctx, "the tunnel to be without a problem", func(st api.Status) bool { return st.Tunnels[0].Problem == nil }))
	s.startClient()
	s.signIn(alice, harness.Loopback)
	s.must(echoOnce(s.ctx, s.forward(app)))
}

// TestDaemonStopsUnderCommands: what runs in the foreground says in words that
// the daemon has stopped, and ends with the code for it; so does what has come
// to an end by kill -9.
func TestDaemonStopsUnderCommands(t *testing.T) {
	t.Parallel()
	s := standard(t)
	for how, end := range map[string]func(d *harness.Daemon){
		"stopped": func(d *harness.Daemon) { s.must(d.Process().Stop()) },
		"killed":  func(d *harness.Daemon) { d.Process().Kill() },
	} {
		var running []*harness.Process
		begin := func(d *harness.Daemon, printed string, words ...string) {
			p, err := d.Foreground(how+"-"+words[0], words...)
			s.must(err)
			s.prints(p, printed)
			running = append(running, p)
		}
		begin(s.client, "login-needed", "access", "tcp", "--hostname", app, "--url", s.freeAddr())
		begin(s.client, s.edge.Name(), "status", "--watch")
		begin(s.client, "signed-out:", "events")
		begin(s.host, "second.site.com", "tunnel", "--hostname", "second.site.com", "--url", "tcp://127.0.0.1:1")
		for _, d := range []*harness.Daemon{s.client, s.host} {
			end(d)
			s.must(d.Start(s.ctx))
		}
		const daemonGone = 4
		for _, p := range running {
			s.ends(p, daemonGone, "the daemon has stopped", "sallyportd run")
		}
	}
}

// prints waits until a program has printed all of this.
func (s *story) prints(p *harness.Process, words ...string) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, 20*time.Second)
	defer cancel()
	s.must(harness.Poll(ctx, p.Name+" to print "+strings.Join(words, ", "), func() (bool, error) {
		log, err := p.Log()
		for _, w := range words {
			if !strings.Contains(strings.ToLower(log), strings.ToLower(w)) {
				return false, errors.Join(err, errors.New(log))
			}
		}
		return true, err
	}))
}

// ends waits for a program's end, with this code, having printed this.
func (s *story) ends(p *harness.Process, code int, words ...string) {
	s.Helper()
	select {
	case <-p.Done():
	case <-time.After(20 * time.Second):
		s.Errorf("%s still runs", p.Name)
		return
	}
	if p.ExitCode() != code {
		s.Errorf("%s: exit code %d, want %d", p.Name, p.ExitCode(), code)
	}
	s.prints(p, words...)
}
