//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/test/harness"

	"github.com/sallyport/sallyport/test/bench/table"
)

const (
	oursName = "sallyport"
	hostname = "bench.site.com"
	person   = "bench@site.com"
)

// sallyport starts edge, host daemon and client daemon in front of the service,
// signs in, and adds what is measured once before any load: sizes, a daemon at rest.
func sallyport(ctx context.Context, service string, res table.Results, o options) (ours, func(), error) {
	dir, err := os.MkdirTemp("", "sp-bench-")
	if err != nil {
		return ours{}, nil, err
	}
	w, err := harness.NewWorld(ctx, dir)
	if err != nil {
		return ours{}, nil, errors.Join(err, os.RemoveAll(dir))
	}
	stop := func() {
		if err := errors.Join(w.Close(), os.RemoveAll(dir)); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
	}
	p, err := stage(ctx, w, service, res, o)
	if err != nil {
		fmt.Fprintln(os.Stderr, w.Logs())
		stop()
		return p, nil, err
	}
	return p, stop, nil
}

// ours is Sallyport as a path, with the edge at hand.
type ours struct {
	path
	edge *harness.Edge
}

func stage(ctx context.Context, w *harness.World, service string, res table.Results, o options) (ours, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	p := ours{path: path{name: oursName}}
	edge, err := w.StartEdge(ctx, harness.EdgeOptions{})
	if err != nil {
		return p, err
	}
	p.edge = edge
	who, err := edge.AddPerson(ctx, person)
	if err != nil {
		return p, err
	}
	if err := edge.AddApp(ctx, hostname, "--allow", "domain:site.com"); err != nil {
		return p, err
	}
	host, err := w.StartDaemon(ctx, "host", harness.DaemonOptions{})
	if err != nil {
		return p, err
	}
	if err := host.Publish(ctx, edge, hostname, "tcp://"+service); err != nil {
		return p, err
	}
	client, err := w.StartDaemon(ctx, "client", harness.DaemonOptions{})
	if err != nil {
		return p, err
	}
	if err := client.UseEdge(ctx, edge, false); err != nil {
		return p, err
	}
	port, err := harness.FreePort(0)
	if err != nil {
		return p, err
	}
	p.addr = fmt.Sprintf("127.0.0.1:%d", port)
	if err := client.Ctl(ctx, "forward", "add", hostname, p.addr).Err(); err != nil {
		return p, err
	}
	if err := client.SignIn(ctx, edge, who, harness.Loopback); err != nil {
		return p, err
	}
	err = client.Await(ctx, "the forward to be ready", func(s api.Status) bool {
		return len(s.Forwards) == 1 && s.Forwards[0].State == api.ForwardReady
	})
	if err != nil {
		return p, err
	}
	p.procs = []process{{table.RoleClient, client.Process().PID()}, {table.RoleEdge, edge.Process().PID()}, {table.RoleHost, host.Process().PID()}}
	return p, p.once(ctx, w, res, o)
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
	res.Add("size", oursName, sizes)
	if o.wants("rest") {
		// A minute, so that one tick of 10 ms is less than the goal.
		rest := time.Minute
		if o.quick {
			rest = 10 * time.Second
		}
		before := p.procs[0].cpu()
		if err := wait(ctx, rest); err != nil {
			return err
		}
		res.Add("rest", oursName, table.Figures{
			"rss":  p.procs[0].rss() / (1 << 20),
			"cpu%": 100 * (p.procs[0].cpu() - before).Seconds() / rest.Seconds(),
		})
	}
	return nil
}
