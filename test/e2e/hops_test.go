//go:build linux

package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/test/harness"
)

// hop is one thing that is broken between a person and a service, and how the
// person hears of it.
type hop struct {
	name string
	// meet breaks it and types the command that meets it; s.client is a daemon
	// that the row may use as it likes.
	meet func(s *story) harness.Result
	// own says that the row needs a daemon of its own, which knows no edge.
	own  bool
	exit int
	// words are said by the command, and by status where told is set.
	words []string
	code  api.Code
	// told finds the problem in the status; nil where a daemon has nothing to
	// tell: it does not run, or it is not about a state of its own.
	told func(s *story, st api.Status) *api.Problem
}

// TestBrokenHop: whatever is broken is named: in the command's words, in status,
// in the problem's code, in the exit code; and the daemon goes on.
func TestBrokenHop(t *testing.T) {
	t.Parallel()
	s := begin(t, harness.EdgeOptions{})
	s.startHost()
	s.must(s.host.Join(s.ctx, s.edge, "*.site.com"))
	s.startClient()
	s.signIn(alice, harness.Loopback)
	rows := slices.Concat(s.edgeHops(), s.loginHops(s.hasty()), s.appHops(), s.localHops())
	// Most of the time a row waits: they run together, a few at a time.
	var wg sync.WaitGroup
	slots := make(chan struct{}, 8)
	for i, h := range rows {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			t.Run(h.name, func(t *testing.T) { s.row(t, i).hop(h) })
		})
	}
	wg.Wait()
}

// row is the story in a part of the test that has the number i.
func (s *story) row(t *testing.T, i int) *story {
	r := *s
	r.T, r.number = t, i
	return &r
}

func (s *story) hop(h hop) {
	if h.own {
		d, err := s.world.StartDaemon(s.ctx, fmt.Sprintf("d%d", s.number), harness.DaemonOptions{})
		s.must(err)
		defer func() { s.must(d.Process().Stop()) }()
		s.client = d
	}
	r := h.meet(s)
	said := strings.ToLower(r.Stdout + r.Stderr)
	if r.Code != h.exit {
		s.Errorf("exit code %d, want %d: %s", r.Code, h.exit, said)
	}
	for _, w := range h.words {
		if !strings.Contains(said, w) {
			s.Errorf("%q is not in what the command said: %s", w, said)
		}
	}
	if h.told != nil {
		ctx, cancel := context.WithTimeout(s.ctx, 30*time.Second)
		defer cancel()
		s.must(s.client.Await(ctx, "its problem "+string(h.code), func(st api.Status) bool {
			p := h.told(s, st)
			return p != nil && p.Code == h.code && p.Title != "" && p.Hint != ""
		}))
	}
	// And the daemon still answers, in the same words.
	status := strings.ToLower(s.ok(s.client.Ctl(s.ctx, "status")).Stdout)
	for _, w := range h.words {
		if h.told != nil && !strings.Contains(status, w) {
			s.Errorf("%q is not in status: %s", w, status)
		}
	}
}

func atLink(_ *story, st api.Status) *api.Problem {
	if len(st.Edges) != 1 {
		return nil
	}
	return st.Edges[0].Link.Problem
}

func atLogin(_ *story, st api.Status) *api.Problem {
	if len(st.Logins) == 1 && st.Logins[0].State.Final() {
		return st.Logins[0].Problem
	}
	return nil
}

// edgeHops are broken between the daemon and its edge.
func (s *story) edgeHops() []hop {
	signIn := func(edge ...string) func(*story) harness.Result {
		return func(s *story) harness.Result {
			s.ok(s.client.Ctl(s.ctx, append([]string{"edge", "use"}, edge...)...))
			return s.client.Ctl(s.ctx, "login", "--no-browser")
		}
	}
	at := func(address string, more ...string) func(*story) harness.Result {
		return signIn(append([]string{"edge.site.com:443", "--address", address}, more...)...)
	}
	here := fmt.Sprintf("127.0.0.1:%d", s.edge.Port)
	greeter := serve(s.T, func(c *net.TCPConn) { fmt.Fprint(c, "220 mail ready\r\n") })
	past, presentCA := oldEdge(s.T, s.world.Dir, time.Time{})
	clock, clockCA := oldEdge(s.T, s.world.Dir, time.Now().AddDate(-1, -6, 0))
	rows := []hop{
		{name: "edge name does not resolve", meet: signIn("no-such-edge.invalid:443"), code: api.CodeEdgeUnresolved, words: []string{"does not resolve", "no-such-edge.invalid"}},
		{name: "edge refuses", meet: at("127.0.0.1:1"), code: api.CodeEdgeRefused, words: []string{"nothing listens", "refused"}},
		{name: "certificate not trusted", meet: signIn(s.edge.Name()), code: api.CodeEdgeUntrusted, words: []string{"not trusted", "--ca file"}},
		{name: "certificate for another name", meet: at(here, "--ca", s.edge.CA), code: api.CodeEdgeUntrusted, words: []string{"not trusted", "edge.site.com"}},
		{name: "certificate of the past", meet: at(past, "--ca", presentCA), code: api.CodeEdgeUntrusted, words: []string{"not trusted", "holds from"}},
		{name: "clock wrong", meet: at(clock, "--ca", clockCA), code: api.CodeClockWrong, words: []string{"clock is wrong", "ahead of the edge's"}},
		{name: "egress on 443 blocked", meet: at(fullBacklog(s.T)), code: api.CodeEdgeTimeout, words: []string{"does not answer", "did not accept the connection", "port 443 blocked"}},
		{name: "edge accepts and is silent", meet: at(blackHole(s.T)), code: api.CodeEdgeTimeout, words: []string{"does not answer", "did not finish", "port 443 blocked"}},
		{name: "something else answers", meet: at(greeter), code: api.CodeEdgeProtocol, words: []string{"something else answers"}},
	}
	for i := range rows {
		rows[i].own, rows[i].exit, rows[i].told = true, exitFailed, atLink
	}
	return rows
}

// hasty is an edge at which a login has to be quick.
func (s *story) hasty() *harness.Edge {
	w, err := harness.NewWorld(s.ctx, filepath.Join(s.world.Dir, "hasty"))
	s.must(err)
	s.Cleanup(func() {
		if err := w.Close(); err != nil {
			s.Error(err)
		}
	})
	edge, err := w.StartEdge(s.ctx, harness.EdgeOptions{Change: func(yaml string) string {
		return yaml + "\nlogin:\n  timeout: 6s\n"
	}})
	s.must(err)
	return edge
}

// loginHops are logins that do not come to be.
func (s *story) loginHops(hasty *harness.Edge) []hop {
	walk := func(edge *harness.Edge, act harness.Browser) func(*story) harness.Result {
		return func(s *story) harness.Result {
			s.must(s.client.UseEdge(s.ctx, edge, false))
			return s.client.Walk(s.ctx, harness.Login{Mode: harness.Loopback, Browser: act})
		}
	}
	nobody := func(context.Context, string) (string, error) { return "", nil }
	rows := []hop{
		{name: "login refused", meet: walk(s.edge, s.edge.Refuse(s.people[alice])), exit: exitLogin, code: api.CodeLoginRefused, words: []string{"the login was refused"}},
		{name: "login expired", meet: walk(hasty, hasty.Open), exit: exitLogin, code: api.CodeLoginExpired, words: []string{"the login expired", "not finished in 6 s"}},
		{name: "login abandoned", meet: walk(hasty, nobody), exit: exitLogin, code: api.CodeLoginAbandoned, words: []string{"the login was abandoned", "nobody opened"}},
		{name: "login interrupted", meet: (*story).interrupted, exit: exitInterrupted, code: api.CodeLoginAbandoned},
	}
	for i := range rows {
		rows[i].own, rows[i].told = true, atLogin
	}
	return rows
}

// begun types `sallyport login` and waits until it waits for the browser.
func (s *story) begun() *harness.Process {
	s.must(s.client.UseEdge(s.ctx, s.edge, false))
	p, err := s.client.Foreground("first", "login")
	s.must(err)
	s.must(s.client.Await(s.ctx, "the login to wait for the browser", func(st api.Status) bool {
		return len(st.Logins) == 1 && st.Logins[0].State == api.LoginBrowser
	}))
	return p
}

// left is what a command that was started has left.
func (s *story) left(p *harness.Process) harness.Result {
	select {
	case <-p.Done():
	case <-s.ctx.Done():
		s.Fatal("the command does not end")
	}
	log, err := os.ReadFile(filepath.Join(s.world.Dir, "logs", p.Name+".log"))
	s.must(err)
	return harness.Result{Command: p.Name, Code: p.ExitCode(), Stdout: string(log)}
}

// interrupted: Ctrl-C while the browser is open gives the attempt up.
func (s *story) interrupted() harness.Result {
	first := s.begun()
	s.must(first.Signal(os.Interrupt))
	return s.left(first)
}

// appHops are broken between the edge and the service.
func (s *story) appHops() []hop {
	host := func(name string) string { return name + ".site.com" }
	reach := func(name, origin string, rules ...string) func(*story) harness.Result {
		return func(s *story) harness.Result {
			s.must(s.edge.AddApp(s.ctx, host(name), rules...))
			if origin != "" {
				s.must(s.host.AddTunnel(s.ctx, host(name), "tcp://"+origin))
				s.must(s.host.Await(s.ctx, "the tunnel to be known", func(st api.Status) bool {
					return slices.ContainsFunc(st.Tunnels, func(x api.Tunnel) bool {
						return x.Hostname == host(name) && (x.State == api.TunnelPublished || x.State == api.TunnelOriginDown)
					})
				}))
			}
			r := s.client.Ctl(s.ctx, "access", "tcp", "--hostname", host(name))
			if err := echoOnce(s.ctx, s.forward(host(name))); !errors.Is(err, syscall.ECONNRESET) {
				s.Errorf("the forward gave %v, want a reset", err)
			}
			return r
		}
	}
	rows := []hop{
		{name: "denied", meet: reach("denied", "127.0.0.1:1", "--allow", "email:"+mary, "--contact", "it-help@site.com"),
			exit: exitPermission, code: api.CodeDenied, words: []string{"not allowed", "for access ask it-help@site.com"}},
		{name: "no such app", meet: func(s *story) harness.Result {
			r := s.client.Ctl(s.ctx, "access", "tcp", "--hostname", host("none"))
			if err := echoOnce(s.ctx, s.forward(host("none"))); !errors.Is(err, syscall.ECONNRESET) {
				s.Errorf("the forward gave %v, want a reset", err)
			}
			return r
		}, exit: exitPermission, code: api.CodeDenied, words: []string{"not allowed"}},
		{name: "no connector", meet: reach("nobody", "", "--allow", "everyone"), exit: exitFailed, code: api.CodeNoConnector, words: []string{"no host"}},
		{name: "origin refuses", meet: reach("refused", "127.0.0.1:1", "--allow", "everyone"), exit: exitFailed, code: api.CodeOriginRefused, words: []string{"the service refused"}},
		{name: "origin does not answer", meet: reach("silent", fullBacklog(s.T), "--allow", "everyone"), exit: exitFailed, code: api.CodeOriginTimeout, words: []string{"the service does not answer"}},
	}
	names := []string{"denied", "none", "nobody", "refused", "silent"}
	for i := range rows {
		rows[i].told = func(_ *story, st api.Status) *api.Problem {
			for _, f := range st.Forwards {
				if f.Hostname == host(names[i]) {
					return f.LastError
				}
			}
			return nil
		}
	}
	return rows
}

// localHops are faults of this machine.
func (s *story) localHops() []hop {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	s.must(err)
	s.Cleanup(func() { taken.Close() })
	addr := fmt.Sprintf("localhost:%d", taken.Addr().(*net.TCPAddr).Port)
	state := filepath.Join(s.client.Dir, "state")
	pid := fmt.Sprintf("pid %d", s.client.Process().PID())
	rows := []hop{
		{name: "local port taken", exit: exitConflict, code: api.CodePortTaken, words: []string{"taken", "e2e.test", fmt.Sprintf("pid %d", os.Getpid())},
			meet: func(s *story) harness.Result {
				r := s.client.Ctl(s.ctx, "access", "tcp", "--hostname", app, "--url", addr)
				s.ok(s.client.Ctl(s.ctx, "forward", "add", app, addr))
				return r
			},
			told: func(_ *story, st api.Status) *api.Problem {
				if f := forwardOf(st, addr); f != nil && f.State == api.ForwardError {
					return f.Problem
				}
				return nil
			}},
		{name: "daemon not running", exit: exitDaemon, words: []string{"the daemon is not running", "sallyportd run"}, meet: func(s *story) harness.Result {
			nobody := *s.client
			nobody.Socket = filepath.Join(s.world.Dir, "none.sock")
			return nobody.Ctl(s.ctx, "status")
		}},
		{name: "not permitted", exit: exitPermission, words: []string{"not permitted", "administrator"}, meet: func(s *story) harness.Result {
			needRoot(s.T)
			need(s.T, "useradd")
			return s.client.CtlAs(s.ctx, osUser(s.T, filepath.Join(s.world.Dir, "plain")), "tunnel", "add", "x.site.com", "tcp://127.0.0.1:1")
		}},
		{name: "database locked by another daemon", exit: exitDaemon, words: []string{"another sallyportd", pid, "hint:"}, meet: func(s *story) harness.Result {
			return s.world.RunDaemon(s.ctx, state, filepath.Join(s.world.Dir, "second.sock"))
		}},
		{name: "socket of another daemon", exit: exitDaemon, words: []string{"another daemon serves", "hint:"}, meet: func(s *story) harness.Result {
			return s.world.RunDaemon(s.ctx, filepath.Join(s.world.Dir, "second"), s.client.Socket)
		}},
		{name: "bad config", exit: exitUsage, meet: func(s *story) harness.Result {
			file := filepath.Join(s.edge.Dir, "bad.yaml")
			s.must(os.WriteFile(file, []byte("name: localhost\nsites:\n  - zone: site.com\nsession:\n  livetime: 1h\n"), 0o600))
			return s.edge.Serve(s.ctx, file)
		}, words: []string{"bad.yaml:5: session.livetime:", "did you mean lifetime"}},
		{name: "database locked by another edge", exit: exitDaemon, words: []string{"another sallyport-edge", "hint:"}, meet: func(s *story) harness.Result {
			return s.edge.Serve(s.ctx, s.edge.Config())
		}},
	}
	return rows
}
