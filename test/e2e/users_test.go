//go:build linux

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/test/harness"
)

// osUser makes an OS user for the story and removes it afterwards.
func osUser(t *testing.T, home string) *harness.User {
	t.Helper()
	name := "sp" + strconv.Itoa(os.Getpid()%100000) + strings.ToLower(filepath.Base(home))
	if out, err := exec.Command("useradd", "--no-user-group", "--gid", "nogroup", "--home-dir", home, "--create-home", name).CombinedOutput(); err != nil {
		t.Fatalf("useradd: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("userdel", "-r", name).CombinedOutput(); err != nil && !strings.Contains(string(out), "mail spool") {
			t.Logf("userdel: %v: %s", err, out)
		}
	})
	u, err := user.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return &harness.User{Name: name, UID: uint32(uid), GID: uint32(gid), Home: home}
}

// TestTwoUsers: two OS users share the machine's daemon and see nothing of each
// other's forwards, logins and sessions, nor can they use each other's ports.
func TestTwoUsers(t *testing.T) {
	t.Parallel()
	needRoot(t)
	need(t, "useradd", "curl")
	s := begin(t, harness.EdgeOptions{})
	s.publish(serve(t, httpHello))
	var err error
	s.client, err = s.world.StartDaemon(s.ctx, "client", harness.DaemonOptions{})
	s.must(err)
	s.must(s.client.UseEdge(s.ctx, s.edge, true))
	one, two := osUser(t, filepath.Join(s.world.Dir, "one")), osUser(t, filepath.Join(s.world.Dir, "two"))

	addr := s.freeAddr()
	s.ok(s.client.CtlAs(s.ctx, one, "forward", "add", app, addr, "--http"))
	s.signInUnseen(one, two, addr)

	// The other sees nothing.
	var st api.Status
	s.must(s.client.JSONAs(s.ctx, two, &st, "status"))
	if len(st.Forwards)+len(st.Sessions)+len(st.Logins) != 0 {
		t.Errorf("the other OS user sees %+v", st)
	}
	s.refused(s.client.CtlAs(s.ctx, two, "whoami"), exitLogin)
	s.must(s.client.JSONAs(s.ctx, one, &st, "status"))
	if len(st.Forwards) != 1 || len(st.Sessions) != 1 {
		t.Errorf("the owner sees %+v", st)
	}
	// And changes nothing: not by name, not by id, not the machine's settings.
	s.refused(s.client.CtlAs(s.ctx, two, "forward", "rm", addr), exitConflict)
	s.refused(s.client.CtlAs(s.ctx, two, "forward", "rm", st.Forwards[0].ID), exitConflict)
	s.refused(s.client.CtlAs(s.ctx, two, "tunnel", "add", "x.site.com", "tcp://127.0.0.1:1"), exitPermission)
	s.refused(s.client.CtlAs(s.ctx, two, "edge", "use", "--machine", "evil.example.org"), exitPermission)

	// And the port belongs to the owner.
	if out, err := curlAs(one, addr); err != nil || out != "hello" {
		t.Errorf("the owner at the forward: %q, %v", out, err)
	}
	for i := range 20 {
		if out, err := curlAs(two, addr); err == nil {
			t.Fatalf("try %d: another OS user got %q", i, out)
		}
	}
	if out, err := curlAs(one, addr); err != nil || out != "hello" {
		t.Errorf("the owner afterwards: %q, %v", out, err)
	}
	s.socketOf(one, two)
	s.beyond(one)
}

// socketOf: a forward on a Unix socket is its owner's by the mode of the file.
func (s *story) socketOf(one, two *harness.User) {
	s.Helper()
	s.must(os.Chmod(one.Home, 0o755)) // so that the file alone decides
	path := filepath.Join(one.Home, "s")
	s.ok(s.client.CtlAs(s.ctx, one, "forward", "add", app, "--unix", path))
	info, err := os.Stat(path)
	s.must(err)
	if st, ok := info.Sys().(*syscall.Stat_t); info.Mode() != os.ModeSocket|0o600 || !ok || st.Uid != one.UID {
		s.Errorf("the socket is %s, of %+v", info.Mode(), info.Sys())
	}
	if out, err := curlAs(one, "x", "--unix-socket", path); err != nil || out != "hello" {
		s.Errorf("the owner at the socket: %q, %v", out, err)
	}
	if out, err := curlAs(two, "x", "--unix-socket", path); err == nil {
		s.Errorf("another OS user at the socket got %q", out)
	}
	s.refused(s.client.CtlAs(s.ctx, two, "forward", "add", app, "--unix", filepath.Join(one.Home, "t")), exitPermission)
	s.ok(s.client.CtlAs(s.ctx, one, "forward", "rm", "unix:"+path))
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		s.Errorf("the socket afterwards: %v", err)
	}
}

// beyond: other machines can reach a forward only where an administrator says so.
func (s *story) beyond(one *harness.User) {
	s.Helper()
	every := "0.0.0.0:" + s.freePort()
	s.refused(s.client.CtlAs(s.ctx, one, "forward", "add", app, every, "--http"), exitPermission, "only administrators")
	s.ok(s.client.Ctl(s.ctx, "forward", "add", app, every, "--http"))
	s.ok(s.client.Ctl(s.ctx, "forward", "rm", every))
}

// signInUnseen signs one in as alice; while the browser is open, and in all that
// the daemon tells two from before to after, there is no word of it.
func (s *story) signInUnseen(one, two *harness.User, addr string) {
	s.Helper()
	anything := func(api.Status) bool { return true }
	events, err := s.client.Events(two)
	s.must(err)
	s.must(events.Await(s.ctx, 20*time.Second, "the first event", anything))

	var secrets []string
	hidden := func(where, text string) {
		for _, secret := range secrets {
			if strings.Contains(text, secret) {
				s.Errorf("%s of another OS user shows %q: %s", where, secret, text)
			}
		}
	}
	r := s.client.Walk(s.ctx, harness.Login{Mode: harness.Loopback, As: one, Browser: func(ctx context.Context, url string) (string, error) {
		var st api.Status
		if err := s.client.JSONAs(ctx, one, &st, "status"); err != nil {
			return "", err
		}
		if len(st.Logins) != 1 || len(st.Forwards) != 1 || st.Logins[0].URL != url || st.Logins[0].CompareCode == "" {
			return "", fmt.Errorf("the owner does not see the login at %s in %+v", url, st)
		}
		l, f := st.Logins[0], st.Forwards[0]
		secrets = []string{l.ID, l.URL, l.CompareCode, f.ID, f.Hostname, f.Listen, one.Name, alice, string(api.LoginBrowser)}
		for _, args := range [][]string{{"status", "--json"}, {"status"}, {"forward", "list", "--json"}} {
			hidden(strings.Join(args, " "), s.ok(s.client.CtlAs(ctx, two, args...)).Stdout)
		}
		return s.edge.Approve(s.people[alice])(ctx, url)
	}})
	s.ok(r)
	s.must(s.client.JSONAs(s.ctx, one, new(api.Status), "status")) // the login is over for everybody

	// Something of two's own comes last: all before it has been told by then.
	own := s.freeAddr()
	s.ok(s.client.CtlAs(s.ctx, two, "forward", "add", "own.site.com", own, "--paused"))
	s.must(events.Await(s.ctx, 20*time.Second, "the own forward", func(st api.Status) bool { return forwardOf(st, own) != nil }))
	hidden("events", events.Text())
	if len(secrets) == 0 {
		s.Error("nothing was looked for")
	}
	s.ok(s.client.CtlAs(s.ctx, two, "forward", "rm", own))
	s.must(events.Stop()) // before two is removed
}

func curlAs(u *harness.User, addr string, more ...string) (string, error) {
	cmd := exec.Command("curl", append(more, "-sS", "--max-time", "10", "--noproxy", "*", "http://"+addr+"/")...)
	cmd.SysProcAttr = credential(u)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("curl: %w: %s", err, out)
	}
	return string(out), nil
}
