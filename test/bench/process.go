//go:build linux

package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// clockTick is the unit of CPU times in /proc: 10 ms on every Linux that Go runs on.
const clockTick = 10 * time.Millisecond

// process is one process of a path.
type process struct {
	role string
	pid  int
}

// cpu is the user and system time of a process so far.
func (p process) cpu() time.Duration {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid))
	if err != nil {
		return 0
	}
	// The second field is the name in parentheses and may hold anything.
	rest := string(b[strings.LastIndexByte(string(b), ')')+1:])
	f := strings.Fields(rest)
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(f[11], 10, 64)
	system, _ := strconv.ParseInt(f[12], 10, 64)
	return time.Duration(user+system) * clockTick
}

// rss is the resident memory of a process in bytes.
func (p process) rss() float64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.pid))
	if err != nil {
		return 0
	}
	f := strings.Fields(string(b))
	pages, _ := strconv.ParseFloat(f[1], 64)
	return pages * float64(os.Getpagesize())
}

// machineBusy is the time all processors were not idle.
func machineBusy() time.Duration {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(b), "\n")
	var busy int64
	for i, s := range strings.Fields(line)[1:9] {
		if v, err := strconv.ParseInt(s, 10, 64); err == nil && i != 3 && i != 4 { // idle, iowait
			busy += v
		}
	}
	return time.Duration(busy) * clockTick
}

// children starts this binary in other roles and ends them all.
type children struct{ started []*exec.Cmd }

// start runs a role and returns its process and the address it listens on.
func (ch *children) start(ctx context.Context, role string, args ...string) (process, string, error) {
	self, err := os.Executable()
	if err != nil {
		return process{}, "", err
	}
	cmd := exec.CommandContext(ctx, self, append([]string{role}, args...)...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return process{}, "", err
	}
	if err := cmd.Start(); err != nil {
		return process{}, "", err
	}
	ch.started = append(ch.started, cmd)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return process{}, "", fmt.Errorf("%s: no address: %w", role, err)
	}
	addr, ok := strings.CutPrefix(strings.TrimSpace(line), "listening ")
	if !ok {
		return process{}, "", fmt.Errorf("%s says %q", role, line)
	}
	return process{role, cmd.Process.Pid}, addr, nil
}

// stop ends every child and waits for it.
func (ch *children) stop() {
	for _, c := range ch.started {
		c.Process.Kill()
		c.Wait()
	}
	ch.started = nil
}
