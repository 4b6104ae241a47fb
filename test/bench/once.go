//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport/sallyport/test/bench/load"
	"github.com/sallyport/sallyport/test/bench/table"
	"github.com/sallyport/sallyport/test/faults/fleet"
	"github.com/sallyport/sallyport/test/harness"
)

// linksBack kills an edge with n links and says when they were back after it
// listened again, in seconds.
func (b build) linksBack(ctx context.Context, n int) (table.Figures, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	w, stop, err := b.world(ctx)
	if err != nil {
		return nil, err
	}
	defer stop()
	program, err := fleet.Program(w.Programs)
	if err != nil {
		return nil, err
	}
	edge, err := w.StartEdge(ctx, harness.EdgeOptions{Env: b.env})
	if err != nil {
		return nil, err
	}
	f, err := fleet.Start(ctx, program, edge, n)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	took, err := f.Restart(ctx, edge)
	if err != nil {
		return nil, err
	}
	return table.Figures{"p50": load.Quantile(took, 0.5) / 1e6, "p99": load.Quantile(took, 0.99) / 1e6}, nil
}

// vanished opens n downloads, reads a little of each, lets what is between fill
// up, and resets them; it says how much memory that took, and how long until it
// was given back but for a tenth.
func (p path) vanished(ctx context.Context, n int) (table.Figures, error) {
	before := p.settledTotal(ctx)
	conns, err := load.Stalled(ctx, p.addr, n)
	if err != nil {
		load.CloseAll(conns)
		return nil, err
	}
	full := p.settledTotal(ctx)
	for _, c := range conns {
		c.SetLinger(0)
	}
	began := time.Now()
	load.CloseAll(conns)
	f := table.Figures{"grown": (full - before) / (1 << 20)}
	limit := before + (full-before)/10
	for {
		now := p.totalMemory()
		f["seconds"] = time.Since(began).Seconds()
		f["left"] = (now - before) / (1 << 20)
		if now <= limit || f["seconds"] > 30 {
			for role, b := range p.rss() {
				f["left."+role] = b / (1 << 20)
			}
			f["left.kernel"] = kernelTCP() / (1 << 20)
			return f, nil
		}
		if err := load.Wait(ctx, 20*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// settledTotal is totalMemory at rest.
func (p path) settledTotal(ctx context.Context) float64 {
	p.settle(ctx)
	return p.totalMemory()
}

// totalMemory is what the processes hold, and the kernel for TCP, in bytes.
func (p path) totalMemory() float64 {
	sum := kernelTCP()
	for _, b := range p.rss() {
		sum += b
	}
	return sum
}

// kernelTCP is the memory of all TCP sockets here, in bytes.
func kernelTCP() float64 {
	b, err := os.ReadFile("/proc/net/sockstat")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) > 2 && f[0] == "TCP:" && f[len(f)-2] == "mem" {
			pages, _ := strconv.ParseFloat(f[len(f)-1], 64)
			return pages * float64(os.Getpagesize())
		}
	}
	return 0
}

// policyRate runs the policy's own benchmark on one core.
func policyRate(ctx context.Context) (table.Figures, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	program := filepath.Join(filepath.Dir(self), "policy.test")
	if _, err := os.Stat(program); err != nil {
		fmt.Fprintln(os.Stderr, "policy decisions are left out:", err)
		return nil, nil
	}
	out, err := exec.CommandContext(ctx, program, "-test.run", "^$", "-test.bench", "^BenchmarkDecide$", "-test.cpu", "1", "-test.benchtime", "2s").Output()
	if err != nil {
		return nil, fmt.Errorf("policy decisions: %w", err)
	}
	for s := bufio.NewScanner(strings.NewReader(string(out))); s.Scan(); {
		f := strings.Fields(s.Text())
		if len(f) > 3 && strings.HasPrefix(f[0], "BenchmarkDecide") && f[3] == "ns/op" {
			ns, err := strconv.ParseFloat(f[2], 64)
			return table.Figures{"rate": 1e9 / ns}, err
		}
	}
	return nil, errors.New("policy decisions: the benchmark prints no figure")
}
