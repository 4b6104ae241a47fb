//go:build linux

// Package durable does to a daemon's state what power cuts, disks and killers do,
// and looks whether what was acknowledged is there afterwards.
//
// Shapes: Play runs the plays, each of which gives one Row. The daemon is the real
// program on a state directory of its own; changes go through its local API.
//
// Concurrency: one daemon at a time but for the play of two; Play joins all.
package durable

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/api/client"
)

// patience bounds the wait for a daemon that should be there at once.
const patience = 10 * time.Second

// edgeName is that of an edge that nobody runs.
const edgeName = "edge.site.com"

// daemon is one process, and what it said.
type daemon struct {
	cmd    *exec.Cmd
	said   bytes.Buffer // read after done
	done   chan struct{}
	client *client.Client
}

// home is where a daemon's state and socket are.
type home string

func (h home) state() string  { return filepath.Join(string(h), "state") }
func (h home) socket() string { return filepath.Join(string(h), "d.sock") }

// begin starts a daemon and waits for nothing.
func begin(program string, h home, socket string) (*daemon, error) {
	c, err := client.New(client.Options{Socket: socket})
	if err != nil {
		return nil, err
	}
	args := []string{program, "run", "--state", h.state(), "--socket", socket}
	if os.Geteuid() == 0 {
		// The time until it is ready is judged, and other faults may be played beside it.
		args = append([]string{"nice", "-n", "-15"}, args...)
	}
	d := &daemon{cmd: exec.Command(args[0], args[1:]...), done: make(chan struct{}), client: c}
	d.cmd.Stdout, d.cmd.Stderr = &d.said, &d.said
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { // ends with the process
		d.cmd.Wait()
		close(d.done)
	}()
	return d, nil
}

// start starts a daemon and waits until it answers.
func start(ctx context.Context, program string, h home) (d *daemon, s api.Status, took time.Duration, err error) {
	began := time.Now()
	if d, err = begin(program, h, h.socket()); err != nil {
		return nil, s, 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		if s, err = d.client.Status(ctx); err == nil {
			return d, s, time.Since(began), nil
		}
		select {
		case <-d.done:
			return nil, s, 0, fmt.Errorf("the daemon ended: %s", d.said.String())
		case <-ctx.Done():
			d.kill()
			return nil, s, 0, fmt.Errorf("the daemon did not answer within %s: %w: %s", patience, err, d.said.String())
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// kill ends it as kill -9 does.
func (d *daemon) kill() {
	d.cmd.Process.Kill()
	<-d.done
	d.client.Close()
}

// stop asks it to end.
func (d *daemon) stop() error {
	d.cmd.Process.Signal(os.Interrupt)
	select {
	case <-d.done:
	case <-time.After(patience):
		d.kill()
		return errors.New("the daemon did not end when it was asked")
	}
	d.client.Close()
	if code := d.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("the daemon ended with code %d: %s", code, d.said.String())
	}
	return nil
}

// add adds a forward that binds nothing.
func (d *daemon) add(ctx context.Context, n int) (api.Forward, error) {
	return d.client.AddForward(ctx, api.ForwardInput{
		Hostname: fmt.Sprintf("app%d.site.com", n), Listen: fmt.Sprintf("localhost:%d", 1024+n%60000), Edge: edgeName, Paused: true,
	})
}

// furnish gives a new home an edge and n forwards.
func furnish(ctx context.Context, d *daemon, n int) error {
	if _, err := d.client.UseEdge(ctx, api.EdgeInput{Name: edgeName, Address: "127.0.0.1:1"}); err != nil {
		return err
	}
	for i := range n {
		if _, err := d.add(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

// settings are what the forwards of a daemon say.
func settings(forwards []api.Forward) map[string]string {
	m := make(map[string]string, len(forwards))
	for _, f := range forwards {
		m[f.ID] = value(f)
	}
	return m
}

func value(f api.Forward) string {
	return fmt.Sprint(f.Hostname, " ", f.Listen, " ", f.Edge, " ", f.Paused, " ", f.HTTP, " ", f.Owner)
}
