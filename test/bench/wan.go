//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/sallyport/sallyport/test/bench/load"
	"github.com/sallyport/sallyport/test/bench/table"
	"github.com/sallyport/sallyport/test/faults/wan"
	"github.com/sallyport/sallyport/test/harness"
)

// The networks of the WAN rows.
var (
	// lossy is 50 ms there and back, 0.1 % loss each way, 500 Mbit/s.
	lossy = wan.Both(wan.Path{Delay: 25 * time.Millisecond, Loss: 0.001, Rate: 500_000_000})
	// slow is an uplink of 2 Mbit/s with a router's queue of a quarter of a
	// second, 40 ms there and back.
	slow = [2]wan.Path{
		{Delay: 20 * time.Millisecond, Rate: 2_000_000, Queue: 64 << 10},
		{Delay: 20 * time.Millisecond, Rate: 20_000_000, Queue: 256 << 10},
	}
)

// wanRows starts the child in a namespace of its own and adds what it measured.
func (b *bench) wanRows(ctx context.Context, builds []build) error {
	if !b.wants("wan") {
		return nil
	}
	if err := wan.Available(); err != nil {
		fmt.Fprintln(os.Stderr, "the WAN rows are left out:", err)
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	args := []string{"wan", "-reps", fmt.Sprint(min(b.reps, 5))}
	if b.quick {
		args = append(args, "-quick")
	}
	for _, x := range builds {
		args = append(args, "-build", strings.Join(append([]string{x.name + "=" + x.dir}, x.env...), ","))
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Stderr = os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Cloneflags: syscall.CLONE_NEWNET}
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("WAN rows: %w", err)
	}
	var more table.Results
	if err := json.Unmarshal(out, &more); err != nil {
		return fmt.Errorf("WAN rows: %w", err)
	}
	for workload, paths := range more {
		b.results[workload] = paths
	}
	return nil
}

// runWAN is the child: it is the far side of the network.
func runWAN(ctx context.Context, args []string) error {
	var builds []build
	fs := flag.NewFlagSet("wan", flag.ContinueOnError)
	reps, quick := fs.Int("reps", 5, "repetitions"), fs.Bool("quick", false, "short measurements")
	fs.Func("build", "NAME=DIR[,KEY=VALUE]...", func(s string) error {
		b, err := parseBuild(s)
		builds = append(builds, b)
		return err
	})
	if err := fs.Parse(args); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	n, near, err := network()
	if err != nil {
		return err
	}
	ran := make(chan error, 1)
	go func() { ran <- n.Run(ctx) }() // ends with ctx
	defer func() { cancel(); <-ran }()
	var ch children
	defer ch.stop()
	paths, stop, err := wanPaths(ctx, &ch, near, builds)
	defer stop()
	if err != nil {
		return err
	}
	res := table.Results{}
	for rep := range *reps {
		for i, w := range load.WAN() {
			if w.Name == load.Slow && rep > 0 {
				continue
			}
			n.Set(lossy)
			if w.Name == load.Slow {
				n.Set(slow)
			}
			if *quick {
				w.For = w.For * 4 / 10
			}
			for k := range paths {
				p := paths[(k+rep+i)%len(paths)]
				f, err := remote(ctx, near, w, p.addr)
				if err != nil && p.logs != nil {
					fmt.Fprintln(os.Stderr, p.logs())
				}
				if err != nil {
					return fmt.Errorf("%s on %s: %w", w.Name, p.name, err)
				}
				if w.Name == load.Slow && len(p.procs) > 0 {
					f["rss"] = p.procs[0].rss() / (1 << 20)
				}
				res.Add(w.Name, p.name, f)
			}
			fmt.Fprintf(os.Stderr, "\r%d/%d %-10s", rep+1, *reps, w.Name)
		}
	}
	fmt.Fprintln(os.Stderr)
	return json.NewEncoder(os.Stdout).Encode(res)
}

// network makes the near side and joins it with this one.
func network() (*wan.Network, *wan.Namespace, error) {
	if err := wan.LoopbackUp(); err != nil {
		return nil, nil, err
	}
	far, err := wan.Here()
	if err != nil {
		return nil, nil, err
	}
	near, err := wan.NewNamespace()
	if err != nil {
		return nil, nil, err
	}
	n, err := wan.Join(near, far, uint64(os.Getpid()))
	return n, near, err
}

// wanPaths are D, a plain connection to a service on the far side, and each build.
func wanPaths(ctx context.Context, ch *children, near *wan.Namespace, builds []build) (paths []path, stop func(), err error) {
	var stops []func()
	stop = func() {
		for _, f := range stops {
			f()
		}
	}
	_, plain, err := ch.start(ctx, "service", "-listen", wan.Far.String()+":0")
	if err != nil {
		return nil, stop, err
	}
	_, service, err := ch.start(ctx, "service")
	if err != nil {
		return nil, stop, err
	}
	paths = []path{{name: "D", addr: plain}}
	for _, b := range builds {
		w, end, err := b.world(ctx)
		if err != nil {
			return nil, stop, err
		}
		stops = append(stops, end)
		p, err := b.stage(ctx, w, service, overWAN(near))
		if err != nil {
			return nil, stop, errors.Join(err, errors.New(w.Logs()))
		}
		paths = append(paths, p)
	}
	return paths, stop, nil
}

// overWAN places edge and host on the far side, and the client on the near one.
func overWAN(near *wan.Namespace) place {
	return place{
		edge: harness.EdgeOptions{Host: "edge.site.com", Change: func(yaml string) string {
			return strings.Replace(yaml, "127.0.0.1:", "0.0.0.0:", 1)
		}},
		address: wan.Far.String(), mode: harness.TypedCode, near: near.Do,
	}
}

// remote plays a workload on the near side.
func remote(ctx context.Context, near *wan.Namespace, w load.Workload, addr string) (f table.Figures, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, "load", "-name", w.Name, "-addr", addr, "-for", w.For.String())
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var out strings.Builder
	cmd.Stdout = &out
	if err := near.Do(cmd.Start); err != nil {
		return nil, err
	}
	if err := cmd.Wait(); err != nil {
		return nil, err
	}
	return f, json.Unmarshal([]byte(out.String()), &f)
}

// runLoad is the child that plays one workload.
func runLoad(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("load", flag.ContinueOnError)
	name, addr, d := fs.String("name", "", "workload"), fs.String("addr", "", "where to connect to"), fs.Duration("for", 0, "how long")
	if err := fs.Parse(args); err != nil {
		return err
	}
	for _, w := range load.WAN() {
		if w.Name == *name {
			f, err := w.Run(ctx, *addr, *d)
			if err != nil {
				return err
			}
			return json.NewEncoder(os.Stdout).Encode(f)
		}
	}
	return fmt.Errorf("no workload %q", *name)
}
