//go:build linux

package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/sallyport/sallyport/test/bench/load"
	"github.com/sallyport/sallyport/test/bench/table"
)

// path is one way to the service.
type path struct {
	name  string
	addr  string
	procs []process
	logs  func() string // nil: there are none
}

// reference starts R (kind "r") or E ("e") in front of the service.
func reference(ctx context.Context, ch *children, name, kind, identity, service string) (path, error) {
	p := path{name: name}
	next := service
	for _, role := range []struct{ command, as string }{{"host", table.RoleHost}, {"relay", table.RoleEdge}, {"client", table.RoleClient}} {
		proc, addr, err := ch.start(ctx, role.command, "-kind", kind, "-identity", identity, "-next", next)
		if err != nil {
			return p, fmt.Errorf("reference %s: %w", name, err)
		}
		proc.role = role.as
		p.procs, next = append(p.procs, proc), addr
	}
	p.addr = next
	return p, nil
}

func references(ctx context.Context, ch *children, dir, service string) ([]path, error) {
	id := filepath.Join(dir, "reference.pem")
	if err := writeIdentity(id); err != nil {
		return nil, err
	}
	out := []path{{name: "D", addr: service}}
	for _, k := range []struct{ name, kind string }{{"R", "r"}, {"E", "e"}} {
		p, err := reference(ctx, ch, k.name, k.kind, id, service)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// measure runs a workload on a path and adds what it cost its processes, and
// how much of the machine was busy with something else.
func (p path) measure(ctx context.Context, w load.Workload, own []process) (table.Figures, error) {
	before := make([]time.Duration, len(p.procs))
	for i, proc := range p.procs {
		before[i] = proc.cpu()
	}
	busy, mine, began := machineBusy(), total(own), time.Now()
	f, err := w.Run(ctx, p.addr, w.For)
	if err != nil {
		return nil, fmt.Errorf("%s on %s: %w", w.Name, p.name, err)
	}
	var sum time.Duration
	per := func(d time.Duration) float64 {
		if gb := f["gb"]; gb > 0 {
			return d.Seconds() / gb
		}
		return float64(d.Microseconds()) / f["count"]
	}
	for i, proc := range p.procs {
		d := proc.cpu() - before[i]
		sum += d
		f["cpu."+proc.role] = per(d)
	}
	if len(p.procs) > 0 {
		f["cpu"] = per(sum)
	}
	other := machineBusy() - busy - (total(own) - mine)
	f["foreign"] = max(0, other.Seconds()/time.Since(began).Seconds())
	return f, nil
}

func total(procs []process) (d time.Duration) {
	for _, p := range procs {
		d += p.cpu()
	}
	return d
}
