//go:build linux

package packages

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// machine is a Debian in a container over a tree that stays as it was: with
// systemd as its first process, or bare.
type machine struct {
	*testing.T
	ctx  context.Context
	dir  string // of the overlay
	root string
	up   *exec.Cmd
	end  []string // what ends it at once, said in it
	gone chan error
}

// newMachine lays a fresh layer over the tree. It does not boot.
func newMachine(t *testing.T, base string) *machine {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 8*time.Minute) // it ends after the test
	dir, err := os.MkdirTemp(scratch, "sallyport-machine-")
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{T: t, ctx: ctx, dir: dir, root: filepath.Join(dir, "root")}
	for _, d := range []string{"upper", "work", "root"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	m.host("mount", "-t", "overlay", "overlay", "-o", "lowerdir="+base+",upperdir="+dir+"/upper,workdir="+dir+"/work", m.root)
	t.Cleanup(func() {
		defer cancel()
		m.off()
		if out, err := exec.Command("umount", m.root).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
			return
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	m.write("/etc/machine-id", "")
	return m
}

// host runs a command of this system, not of the machine.
func (m *machine) host(name string, args ...string) {
	m.Helper()
	if out, err := exec.CommandContext(m.ctx, name, args...).CombinedOutput(); err != nil {
		m.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
}

func (m *machine) write(path, text string) {
	m.Helper()
	if err := os.WriteFile(filepath.Join(m.root, path), []byte(text), 0o644); err != nil {
		m.Fatal(err)
	}
}

// boot starts it and returns when systemd has started what it is to start.
func (m *machine) boot() {
	m.Helper()
	m.launch([]string{"--boot"})
	m.end = []string{"systemctl", "poweroff", "--force", "--force"}
	m.until("boot", func() bool {
		out, _ := m.try("systemctl", "is-system-running")
		return out == "running" || out == "degraded"
	})
}

// bare starts it without systemd: a stub is its first process, and what sleeps
// its second.
func (m *machine) bare() {
	m.Helper()
	m.launch([]string{"--as-pid2"}, "sleep", "infinity")
	m.end = []string{"pkill", "-9", "-x", "sleep"}
	m.until("start", func() bool { _, err := m.try("pgrep", "-x", "sleep"); return err == nil })
}

func (m *machine) launch(flags []string, command ...string) {
	m.Helper()
	console, err := os.OpenFile(filepath.Join(m.dir, "console"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		m.Fatal(err)
	}
	defer console.Close()
	args := append([]string{"--quiet", "--directory", m.root, "--register=no", "--keep-unit", "--private-network", "--machine", filepath.Base(m.dir)}, flags...)
	m.up = exec.Command("systemd-nspawn", append(args, command...)...)
	m.up.Stdout, m.up.Stderr = console, console
	if err := m.up.Start(); err != nil {
		m.Fatal(err)
	}
	m.gone = make(chan error, 1)
	go func(cmd *exec.Cmd, gone chan<- error) { gone <- cmd.Wait() }(m.up, m.gone) // ends with the machine
}

// pid is that of the machine's first process, as seen from outside.
func (m *machine) pid() string {
	out, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", m.up.Process.Pid, m.up.Process.Pid))
	if err != nil {
		return ""
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	return first
}

func (m *machine) command(ctx context.Context, args ...string) (*exec.Cmd, error) {
	pid := m.pid()
	if pid == "" {
		return nil, errors.New("the machine is off")
	}
	enter := []string{"--target", pid, "--all", "--", "env", "-i", "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"}
	return exec.CommandContext(ctx, "nsenter", append(enter, args...)...), nil
}

// try runs a command in the machine, and gives what it printed.
func (m *machine) try(args ...string) (string, error) {
	cmd, err := m.command(m.ctx, args...)
	if err != nil {
		return "", err
	}
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		return strings.TrimSpace(out.String()), fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, complaint.Bytes())
	}
	return strings.TrimSpace(out.String()), nil
}

// run is try that has to succeed.
func (m *machine) run(args ...string) string {
	m.Helper()
	out, err := m.try(args...)
	if err != nil {
		m.Fatalf("%v\n%s\n%s", err, out, m.journal())
	}
	return out
}

// sh runs a line of shell in the machine.
func (m *machine) sh(line string) string {
	m.Helper()
	return m.run("sh", "-c", line)
}

func (m *machine) journal() string {
	out, _ := m.try("sh", "-c", "journalctl --no-pager --quiet -u sallyportd -u sallyport-edge -n 40; tail -n 20 /var/log/sallyport*/*")
	return out
}

// until waits for something to come true.
func (m *machine) until(what string, f func() bool) time.Duration {
	m.Helper()
	started := time.Now()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(time.Minute)
	for !f() {
		select {
		case <-tick.C:
		case <-limit:
			m.Fatalf("%s: not within a minute\n%s", what, m.journal())
		}
	}
	return time.Since(started)
}

// reboot asks systemd for one; nspawn ends then, and is started again.
func (m *machine) reboot() {
	m.Helper()
	m.try("systemctl", "reboot", "--no-wall") // the machine may go before it answers
	m.await()
	m.boot()
}

func (m *machine) await() {
	m.Helper()
	select {
	case <-m.gone:
	case <-time.After(time.Minute):
		m.Fatal("the machine does not end")
	}
}

// off ends it, by force if need be.
func (m *machine) off() {
	if m.up == nil {
		return
	}
	m.try(m.end...) // it goes before it answers
	select {
	case <-m.gone:
	case <-time.After(20 * time.Second):
		m.up.Process.Kill()
		<-m.gone
	}
	m.up = nil
}

// mainPID is that of a service.
func (m *machine) mainPID(unit string) int {
	m.Helper()
	pid, err := strconv.Atoi(m.run("systemctl", "show", "-P", "MainPID", unit))
	if err != nil {
		m.Fatal(err)
	}
	return pid
}
