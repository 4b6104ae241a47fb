package harness

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// User is an OS user to run a program as.
type User struct {
	Name     string
	UID, GID uint32
	Home     string
}

// Process is one running program.
type Process struct {
	// Name is that of its log file.
	Name string
	cmd  *exec.Cmd
	log  *os.File
	done chan struct{}
	err  error // of Wait; read after done
}

// command is what to run, and how.
type command struct {
	name   string // of the log
	path   string
	args   []string
	dir    string
	env    []string // added to a small environment of its own
	as     *User
	stdin  io.Reader
	stdout io.Writer // beside the log
	quiet  bool      // polled: leave it out of Logs
}

// environment is what children see: no more than they need, so that nothing of
// the machine's user gets into a test.
func environment(home string, extra []string) []string {
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "LANG=C.UTF-8", "NO_COLOR=1"}
	for _, k := range []string{"GOCOVERDIR", "SYSTEMROOT", "TMPDIR", "TEMP", "GORACE", "GOMAXPROCS"} {
		if v, ok := os.LookupEnv(k); ok {
			env = append(env, k+"="+v)
		}
	}
	return append(env, extra...)
}

// forOthers copies a program, once, to where other OS users can reach it: the
// tree that it was built in may be one user's alone. cp writes it, since a
// program that this process has open for writing, in a child between fork and
// exec too, cannot be run.
func (w *World) forOthers(path string) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	dir := filepath.Join(w.Dir, "programs")
	to := filepath.Join(dir, filepath.Base(path))
	if path == to {
		return to, nil
	}
	if _, err := os.Stat(to); err == nil {
		return to, nil
	}
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return "", err
	}
	if out, err := exec.Command("cp", "--", path, to).CombinedOutput(); err != nil {
		return "", fmt.Errorf("copy %s for other users: %w: %s", path, err, out)
	}
	return to, nil
}

// start runs a program until Stop, Kill, its own end or the World's.
func (w *World) start(c command) (*Process, error) {
	if c.as != nil {
		var err error
		if c.path, err = w.forOthers(c.path); err != nil {
			return nil, err
		}
	}
	log, err := os.OpenFile(filepath.Join(w.Dir, "logs", c.name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(c.path, c.args...)
	cmd.Dir, cmd.Env, cmd.Stdin = c.dir, environment(c.dir, c.env), c.stdin
	cmd.Stdout, cmd.Stderr = log, log
	if c.stdout != nil {
		cmd.Stdout = io.MultiWriter(log, c.stdout)
		cmd.Stderr = cmd.Stdout
	}
	cmd.WaitDelay = 5 * time.Second
	prepare(cmd, c.as)
	fmt.Fprintf(log, "--- %s %s\n", filepath.Base(c.path), strings.Join(c.args, " "))
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", c.name, err), log.Close())
	}
	p := &Process{Name: c.name, cmd: cmd, log: log, done: make(chan struct{})}
	go p.reap(c.stdout) // ends with the process
	w.mu.Lock()
	defer w.mu.Unlock()
	w.processes = append(w.processes, p)
	return p, nil
}

func (p *Process) reap(out io.Writer) {
	p.err = p.cmd.Wait()
	p.log.Close()
	if c, ok := out.(io.Closer); ok {
		c.Close()
	}
	close(p.done)
}

// Log is what it, and those of its name before it, have printed so far.
func (p *Process) Log() (string, error) {
	b, err := os.ReadFile(p.log.Name())
	return string(b), err
}

// PID is the process's id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Kill ends it as kill -9 does, and waits.
func (p *Process) Kill() {
	p.cmd.Process.Kill()
	<-p.done
}

// Stop asks it to end (SIGINT, as Ctrl-C does), waits up to 10 s, then kills it
// and says so.
func (p *Process) Stop() error {
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		p.Kill() // ended already, or a system without signals
		return nil
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(10 * time.Second):
		p.Kill()
		return fmt.Errorf("%s did not end within 10 s of an interrupt", p.Name)
	}
}

// Signal sends a signal.
func (p *Process) Signal(s os.Signal) error { return p.cmd.Process.Signal(s) }

// ExitCode is that of a process that has ended, -1 before.
func (p *Process) ExitCode() int {
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	default:
		return -1
	}
}

// Result is what a finished command left.
type Result struct {
	Command        string
	Stdout, Stderr string
	Code           int
}

// Err is nil for exit code 0.
func (r Result) Err() error {
	if r.Code == 0 {
		return nil
	}
	return fmt.Errorf("%s: exit code %d: %s", r.Command, r.Code, strings.TrimSpace(r.Stderr+r.Stdout))
}

// run executes a command to its end. A command that does not end before ctx
// does is killed; its code is then -1.
func (w *World) run(ctx context.Context, c command) Result {
	if c.as != nil {
		var err error
		if c.path, err = w.forOthers(c.path); err != nil {
			return Result{Command: c.path, Code: -1, Stderr: err.Error()}
		}
	}
	var out, errOut strings.Builder
	cmd := exec.CommandContext(ctx, c.path, c.args...)
	cmd.Dir, cmd.Env, cmd.Stdin = c.dir, environment(c.dir, c.env), c.stdin
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, &errOut, 2*time.Second
	prepare(cmd, c.as)
	err := cmd.Run()
	r := Result{Command: filepath.Base(c.path) + " " + strings.Join(c.args, " "), Stdout: out.String(), Stderr: errOut.String()}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		r.Code, r.Stderr = -1, r.Stderr+"\n"+context.Cause(ctx).Error()
	case errors.As(err, &exit):
		r.Code = exit.ExitCode()
	case err != nil:
		r.Code, r.Stderr = -1, r.Stderr+"\n"+err.Error()
	}
	if !c.quiet {
		w.note(r)
	}
	return r
}
