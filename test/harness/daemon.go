package harness

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/api"
)

// Daemon is a running sallyportd with a state directory and socket of its own.
type Daemon struct {
	Name   string
	Dir    string
	Socket string

	world   *World
	process *Process
	as      *User
	env     []string
	words   []string
	typeIn  string
}

// DaemonOptions shape a daemon.
type DaemonOptions struct {
	// As is the OS user to run as; nil means this one.
	As *User
	// Env is added to the daemon's environment.
	Env []string
	// Words are those after the program's name, before --state and --socket; nil
	// means run.
	Words []string
	// TypeIn is the folder where its commands are typed; "" means its own.
	TypeIn string
}

// StartDaemon runs sallyportd and waits until it answers.
func (w *World) StartDaemon(ctx context.Context, name string, o DaemonOptions) (*Daemon, error) {
	d := &Daemon{Name: name, Dir: filepath.Join(w.Dir, name), world: w, as: o.As, env: o.Env, words: o.Words}
	d.typeIn = cmp.Or(o.TypeIn, d.Dir)
	if d.words == nil {
		d.words = []string{"run"}
	}
	d.Socket = filepath.Join(d.Dir, "d.sock")
	mode := os.FileMode(0o700)
	if o.As == nil && os.Geteuid() == 0 {
		mode = 0o711 // other OS users may reach the socket, as in /run/sallyport
	}
	if err := os.MkdirAll(d.Dir, mode); err != nil {
		return nil, err
	}
	if o.As != nil {
		if err := os.Chown(d.Dir, int(o.As.UID), int(o.As.GID)); err != nil {
			return nil, err
		}
	}
	return d, d.Start(ctx)
}

// Start runs the daemon; after Kill or Stop it starts the same one again.
func (d *Daemon) Start(ctx context.Context) error {
	p, err := d.world.start(command{name: d.Name, path: d.world.Programs.Daemon, dir: d.Dir, as: d.as, env: d.env,
		args: append(slices.Clone(d.words), "--state", filepath.Join(d.Dir, "state"), "--socket", d.Socket)})
	if err != nil {
		return err
	}
	d.process = p
	return Poll(ctx, "the daemon "+d.Name+" to answer", func() (bool, error) {
		select {
		case <-p.Done():
			return false, fmt.Errorf("%s ended with code %d", d.Name, p.ExitCode())
		default:
		}
		if _, err := os.Stat(d.Socket); err != nil {
			return false, err
		}
		_, err := d.Status(ctx)
		return err == nil, err
	})
}

// Process is the running program.
func (d *Daemon) Process() *Process { return d.process }

// Ctl types a sallyport command to this daemon.
func (d *Daemon) Ctl(ctx context.Context, args ...string) Result {
	return d.world.run(ctx, d.ctl(d.as, "", args))
}

// CtlInput is Ctl with standard input.
func (d *Daemon) CtlInput(ctx context.Context, stdin string, args ...string) Result {
	return d.world.run(ctx, d.ctl(d.as, stdin, args))
}

// CtlAs types a command as another OS user.
func (d *Daemon) CtlAs(ctx context.Context, u *User, args ...string) Result {
	return d.world.run(ctx, d.ctl(u, "", args))
}

func (d *Daemon) ctl(as *User, stdin string, args []string) command {
	c := command{path: d.world.Programs.Ctl, dir: d.typeIn, as: as, stdin: strings.NewReader(stdin),
		args: append([]string{"--socket", d.Socket}, args...), env: noBrowser}
	if as != nil && as.Home != "" {
		c.dir = as.Home
	}
	return c
}

// noBrowser keeps ctl from opening a browser of the machine that runs the tests.
var noBrowser = []string{"BROWSER=true", "DISPLAY=", "WAYLAND_DISPLAY="}

// Foreground starts a sallyport command that stays, such as access tcp; its
// output is in the log of that name.
func (d *Daemon) Foreground(name string, args ...string) (*Process, error) {
	c := d.ctl(d.as, "", args)
	c.name = d.Name + "-" + name
	return d.world.start(c)
}

// Status is `sallyport status --json`.
func (d *Daemon) Status(ctx context.Context) (api.Status, error) {
	var s api.Status
	c := d.ctl(d.as, "", []string{"status", "--json"})
	c.quiet = true
	return s, decode(d.world.run(ctx, c), &s)
}

// decode reads the output of a command with --json into v.
func decode(r Result, v any) error {
	if err := r.Err(); err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(r.Stdout), v); err != nil {
		return fmt.Errorf("%s: %w in %q", r.Command, err, r.Stdout)
	}
	return nil
}

// JSON types a command with --json and reads its output into v.
func (d *Daemon) JSON(ctx context.Context, v any, args ...string) error {
	return decode(d.Ctl(ctx, append(args, "--json")...), v)
}

// Await waits until the status is as f wants it.
func (d *Daemon) Await(ctx context.Context, what string, f func(api.Status) bool) error {
	var last api.Status
	err := Poll(ctx, what, func() (bool, error) {
		s, err := d.Status(ctx)
		last = s
		return err == nil && f(s), err
	})
	if err != nil {
		b, _ := json.Marshal(last)
		err = errors.Join(err, fmt.Errorf("last status of %s: %s", d.Name, b))
	}
	return err
}

// UseEdge is `sallyport edge use`; machine makes it the one of tunnels.
func (d *Daemon) UseEdge(ctx context.Context, e *Edge, machine bool) error {
	args := []string{"edge", "use", e.Name(), "--ca", e.CA, "--address", fmt.Sprintf("127.0.0.1:%d", e.Port)}
	if machine {
		args = append(args, "--machine")
	}
	return d.Ctl(ctx, args...).Err()
}

// Join makes this daemon a host of the edge by a join token on standard input.
func (d *Daemon) Join(ctx context.Context, e *Edge, hostnames string) error {
	if err := d.UseEdge(ctx, e, true); err != nil {
		return err
	}
	token, err := e.JoinToken(ctx, hostnames)
	if err != nil {
		return err
	}
	return d.CtlInput(ctx, token+"\n", "tunnel", "join").Err()
}

// Publish joins the edge and publishes an origin, and waits until it is routed.
func (d *Daemon) Publish(ctx context.Context, e *Edge, hostname, origin string) error {
	if err := d.Join(ctx, e, "*."+e.Site); err != nil {
		return err
	}
	if err := d.AddTunnel(ctx, hostname, origin); err != nil {
		return err
	}
	return d.AwaitTunnel(ctx, hostname, api.TunnelPublished)
}

// AddTunnel is `sallyport tunnel add`.
func (d *Daemon) AddTunnel(ctx context.Context, hostname, origin string) error {
	return d.Ctl(ctx, "tunnel", "add", hostname, origin).Err()
}

// AwaitTunnel waits until a tunnel is in a state.
func (d *Daemon) AwaitTunnel(ctx context.Context, hostname string, want api.TunnelState) error {
	return d.Await(ctx, fmt.Sprintf("tunnel %s to be %s", hostname, want), func(s api.Status) bool {
		for _, t := range s.Tunnels {
			if t.Hostname == hostname && t.State == want {
				return true
			}
		}
		return false
	})
}

// JSONAs is JSON as another OS user.
func (d *Daemon) JSONAs(ctx context.Context, u *User, v any, args ...string) error {
	return decode(d.CtlAs(ctx, u, append(args, "--json")...), v)
}

// RunDaemon runs a sallyportd to its end, for one that must not start.
func (w *World) RunDaemon(ctx context.Context, state, socket string) Result {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	return w.run(ctx, command{path: w.Programs.Daemon, dir: w.Dir, args: []string{"run", "--state", state, "--socket", socket}})
}
