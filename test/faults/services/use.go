//go:build linux

package services

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Use is one use of all services at once.
type Use struct {
	// PostgreSQL and SSH are the forwards to them.
	PostgreSQL, SSH string
	// Lasts is how long pgbench and the session take, Copy the bytes of the copy.
	Lasts time.Duration
	Copy  int64
	// Inside runs what starts a client, where the forwards are.
	Inside func(func() error) error
	// Begun is called once, when every client has its connections or is over. A
	// connection that is still opening has no promise to outlive what carries it.
	Begun func()
}

// Wrong is in the error of a client that thought all went well and was wrong.
const Wrong = "not as it was sent"

// Outcome is what a client thought of it.
type Outcome struct {
	Name string
	Err  error // nil: all went well, and all that came is right
}

// Run plays it to its end, which ctx bounds.
func (s *Servers) Run(ctx context.Context, u Use) []Outcome {
	out := []Outcome{{Name: "pgbench"}, {Name: "ssh"}, {Name: fmt.Sprintf("scp %.1f GB", float64(u.Copy)/1e9)}}
	var wg, begun sync.WaitGroup
	for i, f := range []func(context.Context, Use) error{s.pgbench, s.session, s.copy} {
		begun.Add(1)
		own := u
		own.Begun = sync.OnceFunc(begun.Done)
		wg.Go(func() {
			defer own.Begun()
			out[i].Err = f(ctx, own)
		})
	}
	begun.Wait()
	u.Begun()
	wg.Wait()
	return out
}

// output is what a client wrote; with sign in it the client has begun.
type output struct {
	strings.Builder
	sign  string
	begun func()
}

func (o *output) Write(b []byte) (int, error) {
	n, err := o.Builder.Write(b)
	if strings.Contains(o.String(), o.sign) {
		o.begun()
	}
	return n, err
}

// client runs a program to its end. It has begun when it writes sign.
func (u Use) client(ctx context.Context, sign, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	out := output{sign: sign, begun: u.Begun}
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, &out, 2*time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	err := u.Inside(cmd.Start)
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		err = fmt.Errorf("%w: %s", errors.Join(err, ctx.Err()), last(out.String()))
	}
	return out.String(), err
}

// last is the last line.
func last(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}

func (s *Servers) pgbench(ctx context.Context, u Use) error {
	host, port, err := net.SplitHostPort(u.PostgreSQL)
	if err != nil {
		return err
	}
	out, err := u.client(ctx, "progress:", "pgbench", "-h", host, "-p", port, "-U", "postgres", "-n", "-c", "8", "-j", "2", "-P", "1",
		"-T", fmt.Sprint(int(u.Lasts.Seconds())), "postgres")
	if err == nil && !strings.Contains(out, "number of failed transactions: 0 (") {
		err = errors.New(last(out))
	}
	return err
}

func (s *Servers) ssh(addr string) (port string, options []string, err error) {
	_, port, err = net.SplitHostPort(addr)
	return port, []string{"-i", filepath.Join(s.dir, "user"), "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
		"-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=" + filepath.Join(s.dir, "known"), "-F", "none"}, err
}

// session counts slowly on the other side, and misses no number.
func (s *Servers) session(ctx context.Context, u Use) error {
	port, options, err := s.ssh(u.SSH)
	if err != nil {
		return err
	}
	n := int(u.Lasts / (100 * time.Millisecond))
	out, err := u.client(ctx, "begun\n", "ssh", append(append([]string{"-p", port}, options...), "root@127.0.0.1",
		fmt.Sprintf("echo begun; for i in $(seq %d); do echo $i; sleep 0.1; done; echo over", n))...)
	if err != nil {
		return err
	}
	var want strings.Builder
	for i := range n {
		fmt.Fprintln(&want, i+1)
	}
	want.WriteString("over\n")
	if !strings.HasSuffix(out, want.String()) {
		return fmt.Errorf("what the session counted is %s", Wrong)
	}
	return nil
}

// copy sends a file and compares what came.
func (s *Servers) copy(ctx context.Context, u Use) error {
	port, options, err := s.ssh(u.SSH)
	if err != nil {
		return err
	}
	to := filepath.Join(s.dir, "to")
	from, want, err := s.file(u.Copy)
	if err != nil {
		return err
	}
	defer os.Remove(to)
	if _, err := u.client(ctx, "Entering interactive session", "scp", append(append([]string{"-v", "-P", port}, options...), from, "root@127.0.0.1:"+to)...); err != nil {
		return err
	}
	f, err := os.Open(to)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	if n, err := io.Copy(h, f); err != nil || n != u.Copy || [32]byte(h.Sum(nil)) != want {
		return fmt.Errorf("the copy of %d bytes is %s: %d came (%v)", u.Copy, Wrong, n, err)
	}
	return nil
}

// file gives one of a size that chance filled, made at its first use, which takes
// seconds of a processor and a disk that others are measured on.
func (s *Servers) file(size int64) (name string, sum [32]byte, err error) {
	name = filepath.Join(s.dir, fmt.Sprintf("from-%d", size))
	if sum, made := s.made[size]; made {
		return name, sum, nil
	}
	f, err := os.Create(name)
	if err != nil {
		return name, sum, err
	}
	defer f.Close()
	h := sha256.New()
	if _, err = io.CopyN(io.MultiWriter(f, h), rand.NewChaCha8([32]byte{1}), size); err == nil {
		sum = [32]byte(h.Sum(nil))
		s.made[size] = sum
	}
	return name, sum, err
}
