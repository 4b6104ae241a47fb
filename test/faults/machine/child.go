//go:build linux

package machine

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// roleEnv makes the program do what another OS user's orders say.
const roleEnv = "SALLYPORT_FAULTS_AS_USER"

// The manners in which a connection is used.
const (
	mannerClose = "send, close"
	mannerHalf  = "send, half-close"
	mannerFork  = "send, hand on to a child"
	mannerReset = "send, reset"
	mannerEcho  = "echo"
	mannerStay  = "ask the control API, stay"
	mannerPour  = "send the control API 64 MiB"
)

// order is some connections to make; tally is what came of them.
type order struct {
	Network, Address, Manner string
	Times, AtOnce            int
	// Say is what to send; "" sends a few bytes.
	Say string
	// Calls are to be made of the control API at Address, with these Headers; no
	// answer may tell of what is in Hide.
	Calls   []call
	Headers map[string]string
	Hide    []string
}

type tally struct {
	// Answered are the connections on which a byte came back.
	Tried, Answered int
	Median, P99     time.Duration
	Errors          string // an example
	// Answers are those of Calls that were made once.
	Answers []answer

	took []time.Duration
}

// sum makes the figures of the times.
func (t *tally) sum() {
	slices.Sort(t.took)
	if n := len(t.took); n > 0 {
		t.Median, t.P99 = t.took[n/2], t.took[n*99/100]
	}
}

// InChild carries out the orders of standard input and says true, if this process
// was started for that.
func InChild() bool {
	if os.Getenv(roleEnv) == "" {
		return false
	}
	in := json.NewDecoder(os.Stdin)
	out := json.NewEncoder(os.Stdout)
	for {
		var o order
		if in.Decode(&o) != nil {
			return true
		}
		out.Encode(o.play())
	}
}

func (o order) play() (t tally) {
	if len(o.Calls) > 0 {
		return o.calls()
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	work := make(chan struct{}, o.Times)
	for range o.Times {
		work <- struct{}{}
	}
	close(work)
	for range o.AtOnce {
		wg.Go(func() {
			for range work {
				began := time.Now()
				ok, err := o.once()
				d := time.Since(began)
				mu.Lock()
				t.Tried++
				if ok {
					t.Answered++
					t.took = append(t.took, d)
				} else if err != nil {
					t.Errors = err.Error()
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	t.sum()
	return t
}

// patience bounds one connection.
const patience = 10 * time.Second

func (o order) once() (answered bool, err error) {
	switch o.Manner {
	case mannerStay:
		return o.stay()
	case mannerPour:
		return o.pour()
	}
	c, err := net.DialTimeout(o.Network, o.Address, patience)
	if err != nil {
		return false, err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	say := o.Say
	if say == "" {
		say = "tell me"
	}
	if _, err := io.WriteString(c, say); err != nil {
		return false, err
	}
	switch o.Manner {
	case mannerClose:
		return false, nil
	case mannerReset:
		c.(*net.TCPConn).SetLinger(0)
		return false, nil
	case mannerHalf:
		c.(*net.TCPConn).CloseWrite()
	case mannerFork:
		return o.handOn(c)
	}
	buf := make([]byte, len(say))
	n, err := io.ReadAtLeast(c, buf, 1)
	return n > 0, err
}

// handOn lets a child read the answer.
func (o order) handOn(c net.Conn) (bool, error) {
	f, err := c.(*net.TCPConn).File()
	if err != nil {
		return false, err
	}
	c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "head", "-c", "1")
	cmd.Stdin = f
	out, err := cmd.Output()
	f.Close()
	return len(out) > 0, err
}

// actor is a process of an OS user.
type actor struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// as starts a process of a user; dir is one that this user can reach.
func as(uid, gid uint32, dir string) (*actor, error) {
	exe, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		return nil, err
	}
	bin := filepath.Join(dir, "as-user")
	if _, err := os.Stat(bin); err != nil {
		if err := errors.Join(os.WriteFile(bin, exe, 0o755), os.Chmod(bin, 0o755)); err != nil {
			return nil, err
		}
	}
	a := &actor{cmd: exec.Command(bin)}
	a.cmd.Dir, a.cmd.Env, a.cmd.Stderr = "/", []string{roleEnv + "=1", "PATH=" + os.Getenv("PATH")}, os.Stderr
	a.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: gid, NoSetGroups: true}, Pdeathsig: syscall.SIGKILL}
	if a.in, err = a.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := a.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	a.out = bufio.NewReader(out)
	return a, a.cmd.Start()
}

func (a *actor) does(o order) (t tally, err error) {
	b, err := json.Marshal(o)
	if err != nil {
		return t, err
	}
	if _, err := fmt.Fprintln(a.in, string(b)); err != nil {
		return t, err
	}
	line, err := a.out.ReadString('\n')
	if err != nil {
		return t, err
	}
	return t, json.NewDecoder(strings.NewReader(line)).Decode(&t)
}

func (a *actor) close() {
	a.in.Close()
	a.cmd.Wait()
}
