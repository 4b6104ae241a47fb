package harness

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// World is one directory and the processes that run in it.
type World struct {
	Dir      string
	Programs Programs

	mu        sync.Mutex
	processes []*Process
	commands  strings.Builder // what was typed, and what came
}

// NewWorld makes a world below dir, which is made if need be. Other OS users may
// be given folders in it, so it can be entered by all but listed by none.
func NewWorld(ctx context.Context, dir string) (*World, error) {
	programs, err := FindPrograms(ctx)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(dir, "logs"), 0o711); err != nil {
		return nil, err
	}
	return &World{Dir: dir, Programs: programs}, nil
}

// Close ends every process, the youngest first, and waits for all of them.
func (w *World) Close() error {
	w.mu.Lock()
	processes := slices.Clone(w.processes)
	w.processes = nil
	w.mu.Unlock()
	slices.Reverse(processes)
	var errs []error
	for _, p := range processes {
		errs = append(errs, p.Stop())
	}
	return errors.Join(errs...)
}

func (w *World) note(r Result) {
	w.mu.Lock()
	defer w.mu.Unlock()
	fmt.Fprintf(&w.commands, "$ %s\n%s%s[exit %d]\n", r.Command, r.Stdout, r.Stderr, r.Code)
}

// Logs gives the commands that were typed and the end of every log.
func (w *World) Logs() string {
	const tail = 6000 // bytes of each log
	w.mu.Lock()
	out := "=== commands\n" + end(w.commands.String(), 2*tail)
	w.mu.Unlock()
	files, _ := filepath.Glob(filepath.Join(w.Dir, "logs", "*.log"))
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		out += fmt.Sprintf("\n=== %s\n%s", filepath.Base(f), end(string(b), tail))
	}
	return out
}

func end(s string, n int) string {
	if len(s) > n {
		return "..." + s[len(s)-n:]
	}
	return s
}

// Poll calls f every 50 ms until it says true, and fails with what f last
// thought when ctx ends.
func Poll(ctx context.Context, what string, f func() (bool, error)) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := f()
		if ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("waiting for %s: %w", what, context.Cause(ctx)), err)
		case <-tick.C:
		}
	}
}

// FreePort finds a port that is free on 127.0.0.1 and ::1, want if that is.
func FreePort(want int) (int, error) {
	for try := range 50 {
		port := want
		if try > 0 || want == 0 {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return 0, err
			}
			port = l.Addr().(*net.TCPAddr).Port
			l.Close()
		}
		if free(fmt.Sprintf("127.0.0.1:%d", port)) && (free(fmt.Sprintf("[::1]:%d", port)) || !hasIPv6()) {
			return port, nil
		}
	}
	return 0, errors.New("no free port found")
}

func free(addr string) bool {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return false
	}
	l.Close()
	return true
}

func hasIPv6() bool { return free("[::1]:0") }

// StartService runs a program that prints "listening ADDR" first, and gives ADDR.
func (w *World) StartService(ctx context.Context, name, program string, args ...string) (string, error) {
	r, out := io.Pipe()
	p, err := w.start(command{name: name, path: program, args: args, dir: w.Dir, stdout: out})
	if err != nil {
		return "", err
	}
	first := make(chan string, 1)
	go func() { // ends with the program's output
		s := bufio.NewScanner(r)
		if s.Scan() {
			first <- s.Text()
		}
		io.Copy(io.Discard, r)
	}()
	select {
	case line := <-first:
		addr, ok := strings.CutPrefix(line, "listening ")
		if !ok {
			return "", fmt.Errorf("%s says %q", name, line)
		}
		return addr, nil
	case <-p.Done():
		return "", fmt.Errorf("%s ended at once", name)
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}
