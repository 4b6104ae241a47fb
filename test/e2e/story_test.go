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
	"github.com/sallyport/sallyport/internal/needs"
	"github.com/sallyport/sallyport/test/harness"
)

// The cast of every story.
const (
	app   = "tcp.site.com"
	alice = "alice@site.com"
	mary  = "mary@elsewhere.org" // allowed nowhere
)

// story is one world with its cast, and words to tell it in. Each word fails
// the story when what it says does not come true.
type story struct {
	*testing.T
	ctx    context.Context
	world  *harness.World
	edge   *harness.Edge
	host   *harness.Daemon
	client *harness.Daemon
	people map[string]harness.Person
	number int // of the part that it is told in, where it has parts
}

// begin makes a world with an edge on which alice and mary have an account.
func begin(t *testing.T, o harness.EdgeOptions) *story {
	t.Helper()
	s := empty(t)
	var err error
	s.edge, err = s.world.StartEdge(s.ctx, o)
	s.must(err)
	for _, email := range []string{alice, mary} {
		s.addPerson(email)
	}
	return s
}

// empty makes a world without anybody in it.
func empty(t *testing.T) *story {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	// Short, for the paths of Unix sockets, and open to other OS users.
	dir, err := os.MkdirTemp("", "sp-e2e-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	w, err := harness.NewWorld(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	s := &story{T: t, ctx: ctx, world: w, people: map[string]harness.Person{}}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		cancel()
		if t.Failed() {
			t.Log(w.Logs())
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return s
}

// publish starts the host, which joins by a token and publishes an origin, and
// the app that admits domain:site.com.
func (s *story) publish(origin string) {
	s.Helper()
	s.allow(app, "domain:site.com")
	s.startHost()
	s.must(s.host.Publish(s.ctx, s.edge, app, "tcp://"+origin))
}

// standard is the cast on the stage: an echo service published, a client that
// knows the edge.
func standard(t *testing.T) *story {
	t.Helper()
	s := begin(t, harness.EdgeOptions{})
	s.publish(serve(t, echo))
	s.startClient()
	return s
}

func (s *story) startHost() {
	s.Helper()
	var err error
	s.host, err = s.world.StartDaemon(s.ctx, "host", harness.DaemonOptions{})
	s.must(err)
}

func (s *story) startClient() {
	s.Helper()
	var err error
	s.client, err = s.world.StartDaemon(s.ctx, "client", harness.DaemonOptions{})
	s.must(err)
	s.must(s.client.UseEdge(s.ctx, s.edge, false))
}

func (s *story) addPerson(email string, groups ...string) {
	s.Helper()
	p, err := s.edge.AddPerson(s.ctx, email, groups...)
	s.must(err)
	s.people[email] = p
}

func (s *story) allow(hostname string, selectors ...string) {
	s.Helper()
	var rules []string
	for _, x := range selectors {
		rules = append(rules, "--allow", x)
	}
	s.must(s.edge.AddApp(s.ctx, hostname, rules...))
}

// signIn walks the login of the client in a mode, without a browser.
func (s *story) signIn(email string, mode harness.LoginMode) {
	s.Helper()
	s.must(s.client.SignIn(s.ctx, s.edge, s.people[email], mode))
}

// forward adds a kept forward on a free port and gives its address. The flags
// are those of forward add.
func (s *story) forward(hostname string, flags ...string) string {
	s.Helper()
	addr := s.freeAddr()
	s.ok(s.client.Ctl(s.ctx, append([]string{"forward", "add", hostname, addr}, flags...)...))
	s.must(s.client.Await(s.ctx, "forward to listen", func(st api.Status) bool {
		f := forwardOf(st, addr)
		return f != nil && f.State != api.ForwardStarting && f.State != api.ForwardError
	}))
	return addr
}

func (s *story) freeAddr() string {
	s.Helper()
	port, err := harness.FreePort(0)
	s.must(err)
	return fmt.Sprintf("localhost:%d", port)
}

func forwardOf(st api.Status, listen string) *api.Forward {
	for i, f := range st.Forwards {
		if f.Listen == listen {
			return &st.Forwards[i]
		}
	}
	return nil
}

func (s *story) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// ok wants exit code 0.
func (s *story) ok(r harness.Result) harness.Result {
	s.Helper()
	s.must(r.Err())
	return r
}

// refused wants an exit code and words in what was said on standard error.
func (s *story) refused(r harness.Result, code int, words ...string) {
	s.Helper()
	if r.Code != code {
		s.Errorf("%s: exit code %d, want %d\n%s%s", r.Command, r.Code, code, r.Stdout, r.Stderr)
	}
	for _, w := range words {
		if !strings.Contains(strings.ToLower(r.Stderr), strings.ToLower(w)) {
			s.Errorf("%s: %q is not in %q", r.Command, w, r.Stderr)
		}
	}
}

// within runs f with a deadline of its own.
func (s *story) within(d time.Duration, f func(ctx context.Context)) {
	s.Helper()
	ctx, cancel := context.WithTimeoutCause(s.ctx, d, fmt.Errorf("took more than %s", d))
	defer cancel()
	f(ctx)
}

// need skips the story where a program is missing.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := lookPath(p); err != nil {
			needs.Missing(t, p)
		}
	}
}

// needRoot skips the story where it may not become another OS user.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("skipped: needs root, to act as other OS users")
	}
}

var errShort = errors.New("fewer bytes than expected")
