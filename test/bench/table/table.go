//go:build linux

// Package table keeps the measurements of a benchmark and prints them: every
// figure, and the goals as ratios to the references of the same run.
//
// Units: GB is 10^9 bytes, KiB is 2^10; times are in microseconds, processor
// time in seconds per GB or microseconds per operation.
package table

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// Figures are the results of one measurement by name.
type Figures map[string]float64

// Results are all measurements: workload, path, figure, repetitions.
type Results map[string]map[string]map[string][]float64

// Add keeps one measurement of a path.
func (r Results) Add(workload, path string, f Figures) {
	if r[workload] == nil {
		r[workload] = map[string]map[string][]float64{}
	}
	if r[workload][path] == nil {
		r[workload][path] = map[string][]float64{}
	}
	for name, v := range f {
		r[workload][path][name] = append(r[workload][path][name], v)
	}
}

// Values are the repetitions of one figure.
func (r Results) Values(workload, path, figure string) []float64 { return r[workload][path][figure] }

// Median is that of the values, not ok without any.
func Median(v []float64) (m float64, ok bool) {
	if len(v) == 0 {
		return 0, false
	}
	s := slices.Sorted(slices.Values(v))
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2, true
	}
	return s[len(s)/2], true
}

// row is one line of goals.md section 1.
type row struct {
	what             string
	workload, figure string
	// against is the reference; "" means that the figure is absolute.
	against string
	// idle is another workload of the same path that is the reference instead.
	idle        string
	first, goal float64
	// less means that smaller is better.
	less bool
	unit string
}

// The roles of a path's processes, alike in references and in ours: the relay of
// a reference stands beside our edge.
const (
	RoleClient = "client"
	RoleEdge   = "edge"
	RoleHost   = "host"
)

// rows are the goals that one machine can show.
var rows = []row{
	{what: "bulk, 1 stream up, throughput", workload: "up1", figure: "rate", against: "R", first: 0.85, goal: 1.2, unit: "GB/s"},
	{what: "bulk, 1 stream down, throughput", workload: "down1", figure: "rate", against: "R", first: 0.85, goal: 1.2, unit: "GB/s"},
	{what: "bulk, 1 stream up, throughput", workload: "up1", figure: "rate", against: "E", first: 0.65, goal: 0.95, unit: "GB/s"},
	{what: "bulk, 1 stream down, throughput", workload: "down1", figure: "rate", against: "E", first: 0.65, goal: 0.95, unit: "GB/s"},
	{what: "bulk, 8 streams up, throughput", workload: "up8", figure: "rate", against: "R", first: 0.9, goal: 1.4, unit: "GB/s"},
	{what: "bulk, 8 streams down, throughput", workload: "down8", figure: "rate", against: "R", first: 0.9, goal: 1.4, unit: "GB/s"},
	{what: "CPU of all three, 1 stream up", workload: "up1", figure: "cpu", against: "R", first: 1, goal: 0.75, less: true, unit: "s/GB"},
	{what: "CPU of all three, 1 stream down", workload: "down1", figure: "cpu", against: "R", first: 1, goal: 0.75, less: true, unit: "s/GB"},
	{what: "CPU of all three, 8 streams up", workload: "up8", figure: "cpu", against: "R", first: 1, goal: 0.75, less: true, unit: "s/GB"},
	{what: "CPU of all three, 8 streams down", workload: "down8", figure: "cpu", against: "R", first: 1, goal: 0.75, less: true, unit: "s/GB"},
	{what: "CPU of the edge, 1 stream up", workload: "up1", figure: "cpu.edge", against: "R", first: 0.4, goal: 0.2, less: true, unit: "s/GB"},
	{what: "CPU of the edge, 1 stream down", workload: "down1", figure: "cpu.edge", against: "R", first: 0.4, goal: 0.2, less: true, unit: "s/GB"},
	{what: "ping-pong, p50", workload: "ping1", figure: "p50", against: "R", first: 1.6, goal: 1.15, less: true, unit: "us"},
	{what: "64 ping-pongs at once", workload: "ping64", figure: "ops", against: "R", first: 0.8, goal: 1.1, unit: "op/s"},
	{what: "ping-pong beside a bulk stream, p99", workload: "beside", figure: "p99", against: "R", first: 1.5, goal: 0.8, less: true, unit: "us"},
	{what: "new connections, 32 at once", workload: "conn32", figure: "rate", against: "R", first: 3, goal: 6, unit: "/s"},
	{what: "new connection, p50", workload: "conn1", figure: "p50", against: "R", first: 0.5, goal: 0.3, less: true, unit: "us"},
	{what: "slowest of 64 streams up / mean", workload: "up64", figure: "fair", first: 0.3, goal: 0.6},
	{what: "slowest of 64 streams down / mean", workload: "down64", figure: "fair", first: 0.3, goal: 0.6},
	{what: "memory of the edge per idle stream", workload: "idle", figure: RoleEdge, first: 2, goal: 1, less: true, unit: "KiB"},
	{what: "memory of the client daemon per idle stream", workload: "idle", figure: RoleClient, first: 24, goal: 12, less: true, unit: "KiB"},
	{what: "memory of the host daemon per idle stream", workload: "idle", figure: RoleHost, first: 24, goal: 12, less: true, unit: "KiB"},
	{what: "memory of the edge per idle link", workload: "links", figure: RoleEdge, first: 100, goal: 60, less: true, unit: "KiB"},
	{what: "WAN (50 ms, 0.1 % loss, 500 Mbit/s), 1 stream up", workload: "wan.up1", figure: "rate", against: "D", first: 0.5, goal: 0.98, unit: "GB/s"},
	{what: "WAN, 1 stream down", workload: "wan.down1", figure: "rate", against: "D", first: 0.5, goal: 0.98, unit: "GB/s"},
	{what: "WAN, 8 streams up", workload: "wan.up8", figure: "rate", against: "D", first: 0.5, goal: 0.9, unit: "GB/s"},
	{what: "WAN, 8 streams down", workload: "wan.down8", figure: "rate", against: "D", first: 0.5, goal: 0.9, unit: "GB/s"},
	{what: "WAN, ping-pong p99 beside a bulk stream / idle", workload: "wan.beside", figure: "p99", idle: "wan.ping", first: 2, goal: 1.1, less: true, unit: "us"},
	{what: "uplink of 2 Mbit/s, 80 uploads: streams that die", workload: "wan.slow", figure: "died", first: 0, goal: 0, less: true},
	{what: "uplink of 2 Mbit/s: a new connection answers within", workload: "wan.slow", figure: "answer", first: 5, goal: 1, less: true, unit: "s"},
	{what: "1,000 downloads whose readers vanish: memory back within", workload: "vanished", figure: "seconds", first: 5, goal: 1, less: true, unit: "s"},
	{what: "100 links back after an edge restart, p99", workload: "back", figure: "p99", first: 2, goal: 1, less: true, unit: "s"},
	{what: "policy decisions per core", workload: "policy", figure: "rate", first: 1e6, goal: 5e6, unit: "/s"},
	{what: "idle daemon, resident memory", workload: "rest", figure: "rss", first: 40, goal: 25, less: true, unit: "MiB"},
	{what: "idle daemon, CPU", workload: "rest", figure: "cpu%", first: 0.1, goal: 0.05, less: true, unit: "%"},
	{what: "daemon binary, stripped", workload: "size", figure: "sallyportd", first: 25, goal: 20, less: true, unit: "MB"},
}

// PrintRows writes the goals for one path as ratios, and counts those whose
// first column is missed.
func PrintRows(w io.Writer, r Results, path string) (missed int) {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintf(t, "\n%s\t%s\treference\tratio\tfirst\tgoal\t\n", path, "measured")
	for _, g := range rows {
		v, ok := Median(r.Values(g.workload, path, g.figure))
		if !ok {
			continue
		}
		ratio, ref := v, "-"
		if workload, with, name := g.reference(path); with != "" {
			b, ok := Median(r.Values(workload, with, g.figure))
			if !ok || b == 0 {
				continue
			}
			ratio, ref = v/b, fmt.Sprintf("%s %s", name, number(b))
		}
		mark := g.mark(ratio)
		if mark == "missed" {
			missed++
		}
		fmt.Fprintf(t, "%s\t%s %s\t%s\t%.2f\t%g\t%g\t%s\n", g.what, number(v), g.unit, ref, ratio, g.first, g.goal, mark)
	}
	t.Flush()
	return missed
}

// reference is what a row is divided by: workload, path, and its name in the
// table; no path where the figure is absolute.
func (g row) reference(path string) (workload, with, name string) {
	if g.idle != "" {
		return g.idle, path, "idle"
	}
	return g.workload, g.against, g.against
}

func (g row) mark(ratio float64) string {
	reached := func(want float64) bool {
		if g.less {
			return ratio <= want
		}
		return ratio >= want
	}
	switch {
	case reached(g.goal):
		return "goal"
	case reached(g.first):
		return "first"
	}
	return "missed"
}

// PrintRaw writes every figure of every path: median, smallest and largest.
func PrintRaw(w io.Writer, r Results, order, paths []string) {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintf(t, "\nmeasurement\t%s\n", strings.Join(paths, "\t"))
	for _, name := range order {
		var figs []string
		for _, p := range paths {
			for f := range r[name][p] {
				if !slices.Contains(figs, f) {
					figs = append(figs, f)
				}
			}
		}
		slices.Sort(figs)
		for _, f := range figs {
			fmt.Fprintf(t, "%s %s", name, f)
			for _, p := range paths {
				v := r.Values(name, p, f)
				if m, ok := Median(v); ok {
					fmt.Fprintf(t, "\t%s [%s-%s]", number(m), number(slices.Min(v)), number(slices.Max(v)))
				} else {
					fmt.Fprint(t, "\t-")
				}
			}
			fmt.Fprintln(t)
		}
	}
	t.Flush()
}

func number(v float64) string {
	switch {
	case v >= 1000:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.3g", v)
}
