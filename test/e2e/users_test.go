//go:build linux

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

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
	s.ok(s.client.CtlAs(s.ctx, one, "forward", "add", app, addr))
	s.must(s.client.SignInAs(s.ctx, one, s.edge, s.people[alice], harness.Loopback))

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
}

func curlAs(u *harness.User, addr string) (string, error) {
	cmd := exec.Command("curl", "-sS", "--max-time", "10", "--noproxy", "*", "http://"+addr+"/")
	cmd.SysProcAttr = credential(u)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("curl: %w: %s", err, out)
	}
	return string(out), nil
}
