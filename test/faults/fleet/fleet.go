//go:build linux

// Package fleet drives the program daemon/internal/link/fleet: many links to one
// edge by the daemon's own code, and when each came back after the edge was away.
//
// Concurrency: Start starts the program and a reader of what it prints; Close
// ends and joins both.
package fleet

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/sallyport/sallyport/test/harness"
)

// Fleet is the running program.
type Fleet struct {
	n     int
	cmd   *exec.Cmd
	stdin io.WriteCloser
	read  sync.WaitGroup

	mu      sync.Mutex
	changed chan struct{}
	online  map[int]time.Time // since when
	// enrolled is since when all are.
	enrolled time.Time
}

// Program is the path of the program: beside the others, where `make bench` and
// `make faults` put it.
func Program(p harness.Programs) (string, error) {
	file := filepath.Join(filepath.Dir(p.Edge), "fleet")
	if _, err := os.Stat(file); err != nil {
		return "", fmt.Errorf("program fleet: %w (go build -o bin/fleet ./daemon/internal/link/fleet)", err)
	}
	return file, nil
}

// lasting is how long links must have held for their loss to count as a first
// one (rule 9: the first wait is short), and a moment more.
const lasting = 6 * time.Second

// Start enrols n links at an edge and waits until all of them have held a while.
func Start(ctx context.Context, program string, e *harness.Edge, n int) (*Fleet, error) {
	token, err := e.JoinToken(ctx, "*."+e.Site, "--uses", fmt.Sprint(n))
	if err != nil {
		return nil, err
	}
	f := &Fleet{n: n, changed: make(chan struct{}), online: map[int]time.Time{}}
	// A thousand daemons have processors of their own elsewhere: here they get what the
	// edge and those beside leave.
	f.cmd = exec.Command("nice", "-n", "19", program, "-edge", e.Host, "-port", fmt.Sprint(e.Port), "-address", e.Address(), "-ca", e.CA, "-n", fmt.Sprint(n))
	f.cmd.Stderr = os.Stderr
	f.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := f.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if f.stdin, err = f.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := f.cmd.Start(); err != nil {
		return nil, err
	}
	f.read.Go(func() { f.follow(out) }) // ends with the program
	if _, err := fmt.Fprintln(f.stdin, token); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if err := f.await(ctx, func() bool { return !f.enrolled.IsZero() && time.Since(f.enrolled) > lasting }); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (f *Fleet) follow(out io.Reader) {
	s := bufio.NewScanner(out)
	for s.Scan() {
		var state string
		var number int
		var at int64
		if _, err := fmt.Sscan(s.Text(), &state, &number, &at); err != nil {
			continue
		}
		f.mu.Lock()
		switch state {
		case "online":
			f.online[number] = time.Unix(0, at)
		case "enrolled":
			f.enrolled = time.Now()
		default:
			delete(f.online, number)
		}
		close(f.changed)
		f.changed = make(chan struct{})
		f.mu.Unlock()
	}
}

// Await waits until every link is online since a time or later, and gives how
// long after it each came, the fastest first.
func (f *Fleet) Await(ctx context.Context, since time.Time) (took []time.Duration, err error) {
	err = f.await(ctx, func() bool {
		took = nil
		for _, at := range f.online {
			if !at.Before(since) {
				took = append(took, at.Sub(since))
			}
		}
		return len(took) == f.n
	})
	slices.Sort(took)
	if err != nil {
		return took, fmt.Errorf("%d of %d links are online: %w", len(took), f.n, err)
	}
	return took, nil
}

// await waits until ok says so, which is asked under the lock.
func (f *Fleet) await(ctx context.Context, ok func() bool) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		f.mu.Lock()
		changed, done := f.changed, ok()
		f.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-changed:
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Restart kills the edge, starts it again, and gives how long after its first
// listening each link was back, the fastest first.
func (f *Fleet) Restart(ctx context.Context, e *harness.Edge) ([]time.Duration, error) {
	e.Process().Kill()
	killed := time.Now()
	listening := make(chan time.Time, 1)
	go func() { listening <- firstListening(ctx, e.Address()) }() // ends with it, or ctx
	if err := e.Start(ctx); err != nil {
		return nil, err
	}
	since := <-listening
	if since.IsZero() || since.Before(killed) {
		return nil, errors.New("the edge does not listen")
	}
	return f.Await(ctx, since)
}

func firstListening(ctx context.Context, addr string) time.Time {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			return time.Now()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return time.Time{}
		}
	}
}

// PID is the program's process.
func (f *Fleet) PID() int { return f.cmd.Process.Pid }

// Close ends the program.
func (f *Fleet) Close() error {
	f.stdin.Close()
	stop := time.AfterFunc(10*time.Second, func() { f.cmd.Process.Kill() })
	defer stop.Stop()
	f.read.Wait()
	return f.cmd.Wait()
}
