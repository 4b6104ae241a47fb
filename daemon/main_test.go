//go:build !windows

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/api/client"
)

const (
	patience = 20 * time.Second
	roleEnv  = "SALLYPORT_DAEMON_TEST"
)

// TestMain lets the test binary be the program.
func TestMain(m *testing.M) {
	// The probe is run by the daemon, without the mark in the environment.
	if os.Getenv(roleEnv) != "" || (len(os.Args) > 1 && os.Args[1] == probeCommand) {
		main()
	}
	os.Exit(m.Run())
}

func program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	must(t, err)
	cmd := exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), roleEnv+"=1")
	return cmd
}

// ask runs the program to its end.
func ask(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := program(t, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	timer := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	defer timer.Stop()
	cmd.Run()
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// daemon is a running program.
type daemon struct {
	*client.Client
	cmd    *exec.Cmd
	dir    string
	log    *bytes.Buffer
	exited chan struct{} // closed at its end
}

// newDir is short: sockets are in it.
func newDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sp")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// start runs the daemon on a directory until it answers.
func start(t *testing.T, dir string) *daemon {
	t.Helper()
	d := &daemon{
		cmd: program(t, "run", "--state", filepath.Join(dir, "state"), "--socket", filepath.Join(dir, "d.sock")),
		dir: dir, log: &bytes.Buffer{}, exited: make(chan struct{}),
	}
	d.cmd.Stderr = d.log
	var err error
	d.Client, err = client.New(client.Options{Socket: filepath.Join(dir, "d.sock")})
	must(t, err)
	must(t, d.cmd.Start())
	go func() {
		d.cmd.Wait()
		close(d.exited)
	}()
	t.Cleanup(func() { d.cmd.Process.Kill(); <-d.exited })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := d.Version(ctx); err == nil {
			return d
		}
		select {
		case <-tick.C:
		case <-d.exited:
			t.Fatalf("the daemon ended: %s", d.log)
		case <-ctx.Done():
			t.Fatalf("the daemon does not answer: %s", d.log)
		}
	}
}

// stop ends it as a service manager does, and gives its exit code.
func (d *daemon) stop(t *testing.T, s syscall.Signal) int {
	t.Helper()
	must(t, d.cmd.Process.Signal(s))
	select {
	case <-d.exited:
	case <-time.After(patience):
		t.Fatal("the daemon does not end")
	}
	return d.cmd.ProcessState.ExitCode()
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args           string
		code           int
		stdout, stderr string
	}{
		{"", 2, "", "Usage:"},
		{"version", 0, "sallyportd ", ""},
		{"help", 0, "Usage:", ""},
		{"walk", 2, "", `unknown command "walk"`},
		{"run --stat x", 2, "", "flag provided but not defined: -stat"},
		{"run extra", 2, "", `unexpected argument "extra"`},
		{"run --log-level loud", 2, "", `log level "loud"`},
		{"run --log-format xml", 2, "", `log format "xml"`},
		{"run -h", 0, "", "-socket"},
		{"run --state /dev/null", 1, "", "state directory"},
	} {
		code, stdout, stderr := ask(t, strings.Fields(tt.args)...)
		if code != tt.code || !strings.Contains(stdout, tt.stdout) || !strings.Contains(stderr, tt.stderr) || (tt.stderr == "" && stderr != "") {
			t.Errorf("%q: %d\n%s\n%s", tt.args, code, stdout, stderr)
		}
	}
}

func TestStopsInOrderAndComesBack(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		d := start(t, dir)
		if _, err := d.UseEdge(t.Context(), api.EdgeInput{Name: fmt.Sprintf("e%d.site.com", s), Address: "127.0.0.1:1"}); err != nil {
			t.Fatal(err)
		}
		if code := d.stop(t, s); code != 0 {
			t.Errorf("%v: exit code %d: %s", s, code, d.log)
		}
		if _, err := os.Lstat(filepath.Join(dir, "d.sock")); err == nil {
			t.Errorf("%v: the socket is still there", s)
		}
	}
	edges, err := start(t, dir).Edges(t.Context())
	if err != nil || len(edges) != 2 {
		t.Errorf("%v, %v; want both edges", edges, err)
	}
}

func TestSecondDaemonSaysWhy(t *testing.T) {
	t.Parallel()
	d := start(t, newDir(t))
	state, socket := filepath.Join(d.dir, "state"), filepath.Join(d.dir, "d.sock")
	code, _, stderr := ask(t, "run", "--state", state, "--socket", filepath.Join(d.dir, "e.sock"))
	want := fmt.Sprintf("another sallyportd (pid %d) uses this state directory: %s", d.cmd.Process.Pid, state)
	if code != exitDaemon || !strings.Contains(stderr, want) || !strings.Contains(stderr, "hint:") {
		t.Errorf("same state: %d %s", code, stderr)
	}
	code, _, stderr = ask(t, "run", "--state", filepath.Join(d.dir, "other"), "--socket", socket)
	if code != exitDaemon || !strings.Contains(stderr, "another daemon serves this socket") || !strings.Contains(stderr, "hint:") {
		t.Errorf("same socket: %d %s", code, stderr)
	}
	if _, err := d.Status(t.Context()); err != nil {
		t.Errorf("the first does not answer any more: %v", err)
	}
}

func TestSharedStateDirectoryIsRefused(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	must(t, os.Chmod(dir, 0o777|os.ModeSticky))
	code, _, stderr := ask(t, "run", "--state", dir, "--socket", filepath.Join(newDir(t), "d.sock"))
	if code != 1 || !strings.Contains(stderr, "not private") || !strings.Contains(stderr, "hint:") {
		t.Errorf("%d %s", code, stderr)
	}
}

// A log within the state directory is not opened before that is seen to be ours.
func TestLogInASharedDirectoryIsNotOpened(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	must(t, os.Chmod(dir, 0o777|os.ModeSticky))
	log := filepath.Join(dir, "log", "sallyportd.log")
	code, _, stderr := ask(t, "run", "--state", dir, "--socket", filepath.Join(newDir(t), "d.sock"), "--log-file", log)
	if code != exitFailed || !strings.Contains(stderr, "not private") {
		t.Errorf("%d %s", code, stderr)
	}
	if _, err := os.Stat(filepath.Dir(log)); err == nil {
		t.Error("the log was opened")
	}
}

// TestKilledDaemonKeepsWhatItAnswered kills the daemon right after its answers.
func TestKilledDaemonKeepsWhatItAnswered(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	const rounds = 10
	for i := range rounds {
		d := start(t, dir)
		if _, err := d.UseEdge(t.Context(), api.EdgeInput{Name: fmt.Sprintf("e%d.site.com", i), Address: "127.0.0.1:1"}); err != nil {
			t.Fatal(err)
		}
		d.stop(t, syscall.SIGKILL)
	}
	s, err := start(t, dir).Status(t.Context())
	if err != nil || len(s.Edges) != rounds || len(s.Problems) != 0 {
		t.Errorf("%d edges, problems %v, %v; want %d edges", len(s.Edges), s.Problems, err, rounds)
	}
}

// TestDamagedDatabase truncates the database under pages that are in use: what
// reads it dies, and the daemon starts with the backup.
func TestDamagedDatabase(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	d := start(t, dir)
	if _, err := d.UseEdge(t.Context(), api.EdgeInput{Name: "e.site.com", Address: "127.0.0.1:1"}); err != nil {
		t.Fatal(err)
	}
	d.stop(t, syscall.SIGTERM)
	must(t, os.Truncate(filepath.Join(dir, "state", "state.db"), 8192))
	s, err := start(t, dir).Status(t.Context())
	must(t, err)
	if len(s.Edges) != 1 || len(s.Problems) != 2 {
		t.Errorf("edges %v, problems %v", s.Edges, s.Problems)
	}
}

func TestFilesAreOursAlone(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	start(t, dir)
	entries, err := os.ReadDir(filepath.Join(dir, "state"))
	must(t, err)
	for _, e := range entries {
		if info, err := e.Info(); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v", e.Name(), info.Mode(), err)
		}
	}
}

// TestForwardIsBoundAtStart: before anybody has signed in, or the edge was heard of.
func TestForwardIsBoundAtStart(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	d := start(t, dir)
	_, err := d.UseEdge(t.Context(), api.EdgeInput{Name: "e.site.com", Address: "127.0.0.1:1"})
	must(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	address := l.Addr().String()
	l.Close()
	f, err := d.AddForward(t.Context(), api.ForwardInput{Hostname: "a.site.com", Listen: address})
	must(t, err)
	if f.State != api.ForwardLoginNeeded {
		t.Errorf("forward %+v", f)
	}
	d.stop(t, syscall.SIGTERM)
	if c, err := net.Dial("tcp", address); err == nil {
		c.Close()
		t.Error("the port is open without a daemon")
	}
	d = start(t, dir)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for ev, err := range d.Watch(ctx) {
		must(t, err)
		if ev.Status != nil && ev.Status.Forwards[0].State == api.ForwardLoginNeeded {
			break
		}
	}
	c, err := net.Dial("tcp", address)
	must(t, err)
	defer c.Close()
	// The connection is held until the daemon ends, which is a reset.
	d.stop(t, syscall.SIGTERM)
	c.SetReadDeadline(time.Now().Add(patience))
	if _, err := c.Read(make([]byte, 1)); err == nil || err == io.EOF {
		t.Errorf("a held connection ended with %v, want a reset", err)
	}
}
