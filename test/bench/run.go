//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/test/bench/load"
	"github.com/sallyport/sallyport/test/bench/table"
)

// options are those of `bench run`.
type options struct {
	quick   bool
	reps    int
	only    []string
	entries []path
	builds  []build
	service string
	json    string
	alone   bool
}

func parseRun(args []string) (options, error) {
	var o options
	fs := flag.NewFlagSet("run", flag.ContinueOnError)
	fs.BoolVar(&o.quick, "quick", false, "short measurements, three repetitions: two minutes")
	fs.IntVar(&o.reps, "reps", 0, "repetitions (default 7, quick 3)")
	fs.StringVar(&o.service, "service", "127.0.0.1:0", "where the benchmark's service listens")
	fs.StringVar(&o.json, "json", "", "also write every figure to this file")
	fs.BoolVar(&o.alone, "references-only", false, "leave Sallyport out")
	fs.Func("only", "workloads to run, comma separated", func(s string) error {
		o.only = strings.Split(s, ",")
		return nil
	})
	fs.Func("entry", "NAME=HOST:PORT of another entry that leads to the benchmark's service", func(s string) error {
		name, addr, ok := strings.Cut(s, "=")
		if !ok {
			return fmt.Errorf("want NAME=HOST:PORT")
		}
		o.entries = append(o.entries, path{name: name, addr: addr})
		return nil
	})
	fs.Func("build", "NAME=DIR[,KEY=VALUE]... programs of another build, measured beside these", func(s string) error {
		b, err := parseBuild(s)
		o.builds = append(o.builds, b)
		return err
	})
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if o.reps == 0 {
		o.reps = 7
		if o.quick {
			o.reps = 3
		}
	}
	return o, nil
}

func run(ctx context.Context, args []string) error {
	o, err := parseRun(args)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "sallyport-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var ch children
	defer ch.stop()
	service, addr, err := ch.start(ctx, "service", "-listen", o.service)
	if err != nil {
		return err
	}
	fmt.Println("service at", addr)
	paths, err := references(ctx, &ch, dir, addr)
	if err != nil {
		return err
	}
	b := &bench{options: o, results: table.Results{}, own: []process{{"self", os.Getpid()}, service}}
	builds := o.builds
	if !o.alone {
		builds = append([]build{{name: oursName}}, builds...)
	}
	if o.only != nil && !slices.ContainsFunc(o.only, func(s string) bool { return s != "wan" }) {
		b.paths = []path{{name: "D"}}
		for _, build := range builds {
			b.paths = append(b.paths, path{name: build.name})
		}
		return errors.Join(b.wanRows(ctx, builds), b.print())
	}
	for _, build := range builds {
		p, stop, err := sallyport(ctx, build, addr, b.results, o)
		if err != nil {
			return err
		}
		defer stop()
		paths = append(paths, p)
	}
	b.paths = append(paths, o.entries...)
	for _, p := range b.paths {
		b.own = append(b.own, p.procs...)
	}
	// What was measured before a path failed is printed all the same.
	return errors.Join(b.all(ctx), b.wanRows(ctx, builds), b.print())
}

// bench is one run over all paths.
type bench struct {
	options
	paths   []path
	results table.Results
	own     []process
}

// all measures idle memory while the processes are fresh, then every workload,
// path by path, the order rotated at each repetition.
func (b *bench) all(ctx context.Context) error {
	if err := b.memory(ctx); err != nil {
		return err
	}
	for rep := range b.reps {
		for i, w := range load.Workloads() {
			if !b.wants(w.Name) {
				continue
			}
			if b.quick {
				w.For = w.For * 35 / 100
			}
			for k := range b.paths {
				p := b.paths[(k+rep+i)%len(b.paths)]
				f, err := p.measure(ctx, w, b.own)
				if err != nil && p.logs != nil {
					fmt.Fprintln(os.Stderr, p.logs())
				}
				if err != nil {
					return err
				}
				b.results.Add(w.Name, p.name, f)
			}
			fmt.Fprintf(os.Stderr, "\r%d/%d %-8s", rep+1, b.reps, w.Name)
		}
	}
	fmt.Fprintln(os.Stderr)
	return nil
}

// memory is measured once, in processes that have done nothing else: what one
// has used and given back would hide what it uses next.
func (b *bench) memory(ctx context.Context) error {
	for _, p := range b.paths {
		if len(p.procs) == 0 {
			continue
		}
		if b.wants("idle") {
			f, err := p.idleStreams(ctx, 1000)
			if err != nil {
				return fmt.Errorf("idle streams on %s: %w", p.name, err)
			}
			b.results.Add("idle", p.name, f)
		}
		if b.wants("vanished") && p.logs != nil {
			f, err := p.vanished(ctx, 1000)
			if err != nil {
				return fmt.Errorf("vanished readers on %s: %w", p.name, err)
			}
			b.results.Add("vanished", p.name, f)
		}
	}
	return nil
}

func (o options) wants(name string) bool {
	return len(o.only) == 0 || slices.Contains(o.only, name)
}

func (b *bench) print() error {
	names := make([]string, len(b.paths))
	for i, p := range b.paths {
		names[i] = p.name
	}
	order := []string{"idle", "vanished", "links", "back", "policy", "rest", "size"}
	var foreign []float64
	for _, w := range load.Workloads() {
		order = append(order, w.Name)
		for _, p := range names {
			foreign = append(foreign, b.results.Values(w.Name, p, "foreign")...)
		}
	}
	for _, w := range load.WAN() {
		order = append(order, w.Name)
	}
	fmt.Printf("\n%s, %d repetitions, medians [smallest-largest]\n", time.Now().UTC().Format(time.DateTime), b.reps)
	table.PrintRaw(os.Stdout, b.results, order, names)
	missed := 0
	for _, p := range names {
		if p != "D" && p != "R" && p != "E" {
			missed += table.PrintRows(os.Stdout, b.results, p)
		}
	}
	if m, ok := table.Median(foreign); ok {
		fmt.Printf("\nprocessors busy with something else: %.2f at the median, %.2f at most\n", m, slices.Max(foreign))
	}
	fmt.Printf("rows that miss their first column: %d\n", missed)
	if b.json == "" {
		return nil
	}
	out, err := json.MarshalIndent(b.results, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(b.json, out, 0o644)
}
