//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/test/harness"

	"github.com/sallyport/sallyport/test/bench/load"
	"github.com/sallyport/sallyport/test/bench/table"
)

const (
	oursName = "sallyport"
	hostname = "bench.site.com"
	person   = "bench@site.com"
)

// build is a set of programs to measure.
type build struct {
	name string
	dir  string // "": those of harness.FindPrograms
	env  []string
}

// parseBuild reads NAME=DIR[,KEY=VALUE]...
func parseBuild(s string) (build, error) {
	name, rest, ok := strings.Cut(s, "=")
	if !ok || name == "" {
		return build{}, errors.New("want NAME=DIR[,KEY=VALUE], with any number of KEY=VALUE")
	}
	parts := strings.Split(rest, ",")
	return build{name: name, dir: parts[0], env: parts[1:]}, nil
}

// world is a place for the processes of a build; stop ends them.
func (b build) world(ctx context.Context) (w *harness.World, stop func(), err error) {
	dir, err := os.MkdirTemp("", "sp-bench-")
	if err != nil {
		return nil, nil, err
	}
	if w, err = harness.NewWorld(ctx, dir); err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	if b.dir != "" {
		in := func(name string) string { return filepath.Join(b.dir, name) }
		w.Programs = harness.Programs{Daemon: in("sallyportd"), Ctl: in("sallyport"), Edge: in("sallyport-edge")}
	}
	return w, func() {
		if err := errors.Join(w.Close(), os.RemoveAll(dir)); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
	}, nil
}

// sallyport starts edge, host daemon and client daemon in front of the service,
// signs in, and adds what is measured once before any load: sizes, links that
// rest, a daemon at rest.
func sallyport(ctx context.Context, b build, service string, res table.Results, o options) (path, func(), error) {
	if o.wants("links") {
		f, err := b.idleLinks(ctx, 300)
		if err != nil {
			return path{}, nil, fmt.Errorf("idle links: %w", err)
		}
		res.Add("links", b.name, f)
	}
	if o.wants("back") {
		f, err := b.linksBack(ctx, 100)
		if err != nil {
			return path{}, nil, fmt.Errorf("links back after a restart: %w", err)
		}
		res.Add("back", b.name, f)
	}
	if o.wants("policy") {
		f, err := policyRate(ctx)
		if err != nil {
			return path{}, nil, err
		}
		res.Add("policy", b.name, f)
	}
	w, stop, err := b.world(ctx)
	if err != nil {
		return path{}, nil, err
	}
	p, err := b.stage(ctx, w, service, onLoopback())
	if err == nil {
		err = p.once(ctx, w, res, o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, w.Logs())
		stop()
		return p, nil, err
	}
	return p, stop, nil
}

// place is where the programs of a path stand.
type place struct {
	edge harness.EdgeOptions
	// address is the edge's as the client dials it; "" is loopback.
	address string
	mode    harness.LoginMode
	// near runs what starts the client.
	near func(func() error) error
}

// onLoopback is everything on one machine.
func onLoopback() place {
	return place{address: "127.0.0.1", mode: harness.Loopback, near: func(f func() error) error { return f() }}
}

func (b build) stage(ctx context.Context, w *harness.World, service string, at place) (path, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	p := path{name: b.name, logs: w.Logs}
	at.edge.Env = b.env
	edge, err := w.StartEdge(ctx, at.edge)
	if err != nil {
		return p, err
	}
	who, err := edge.AddPerson(ctx, person)
	if err != nil {
		return p, err
	}
	if err := edge.AddApp(ctx, hostname, "--allow", "domain:site.com"); err != nil {
		return p, err
	}
	host, err := w.StartDaemon(ctx, "host", harness.DaemonOptions{Env: b.env})
	if err != nil {
		return p, err
	}
	if err := host.Publish(ctx, edge, hostname, "tcp://"+service); err != nil {
		return p, err
	}
	var client *harness.Daemon
	if err := at.near(func() (err error) {
		client, err = w.StartDaemon(ctx, "client", harness.DaemonOptions{Env: b.env})
		return err
	}); err != nil {
		return p, err
	}
	if p.addr, err = forward(ctx, edge, client, at); err != nil {
		return p, err
	}
	if err := client.SignIn(ctx, edge, who, at.mode); err != nil {
		return p, err
	}
	p.procs = []process{{table.RoleClient, client.Process().PID()}, {table.RoleEdge, edge.Process().PID()}, {table.RoleHost, host.Process().PID()}}
	return p, client.Await(ctx, "the forward to be ready", func(s api.Status) bool {
		return len(s.Forwards) == 1 && s.Forwards[0].State == api.ForwardReady
	})
}

// forward makes the client's way to the service, and says where it begins.
func forward(ctx context.Context, edge *harness.Edge, client *harness.Daemon, at place) (string, error) {
	address := fmt.Sprintf("%s:%d", at.address, edge.Port)
	if err := client.Ctl(ctx, "edge", "use", edge.Name(), "--ca", edge.CA, "--address", address).Err(); err != nil {
		return "", err
	}
	port, err := harness.FreePort(0)
	if err != nil {
		return "", err
	}
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	return addr, client.Ctl(ctx, "forward", "add", hostname, addr).Err()
}

// once adds what needs no repetition.
func (p path) once(ctx context.Context, w *harness.World, res table.Results, o options) error {
	sizes := table.Figures{}
	for _, file := range []string{w.Programs.Daemon, w.Programs.Ctl, w.Programs.Edge} {
		info, err := os.Stat(file)
		if err != nil {
			return err
		}
		sizes[filepath.Base(file)] = float64(info.Size()) / 1e6
	}
	res.Add("size", p.name, sizes)
	if o.wants("rest") {
		// A minute, so that one tick of 10 ms is less than the goal.
		rest := time.Minute
		if o.quick {
			rest = 10 * time.Second
		}
		before := p.procs[0].cpu()
		if err := load.Wait(ctx, rest); err != nil {
			return err
		}
		res.Add("rest", p.name, table.Figures{
			"rss":  p.procs[0].rss() / (1 << 20),
			"cpu%": 100 * (p.procs[0].cpu() - before).Seconds() / rest.Seconds(),
		})
	}
	return nil
}
