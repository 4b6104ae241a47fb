//go:build linux

package main

import (
	"context"
	"io"
	"os"
	"testing"
	"time"

	"github.com/sallyport/sallyport/test/bench/load"
	"github.com/sallyport/sallyport/test/bench/table"
)

// TestMain lets the test's own binary play the roles of the children.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && commands[os.Args[1]] != nil {
		if err := commands[os.Args[1]](context.Background(), os.Args[2:]); err != nil {
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// TestReferences runs every workload for a moment on D, R and E: all of them
// carry bytes, and the processes of R and E are charged for it.
func TestReferences(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var ch children
	defer ch.stop()
	_, addr, err := ch.start(ctx, "service")
	if err != nil {
		t.Fatal(err)
	}
	paths, err := references(ctx, &ch, t.TempDir(), addr)
	if err != nil {
		t.Fatal(err)
	}
	res := table.Results{}
	for _, p := range paths {
		for _, w := range load.Workloads() {
			w.For /= 20
			f, err := p.measure(ctx, w, p.procs)
			if err != nil {
				t.Fatal(err)
			}
			if f["gb"] == 0 && f["count"] == 0 {
				t.Errorf("%s on %s moved nothing: %v", w.Name, p.name, f)
			}
			res.Add(w.Name, p.name, f)
		}
	}
	for _, p := range []string{"R", "E"} {
		if v, ok := table.Median(res.Values("down8", p, "cpu")); !ok || v == 0 {
			t.Errorf("%s was charged no processor time for 8 downloads", p)
		}
	}
	order := []string{}
	for _, w := range load.Workloads() {
		order = append(order, w.Name)
	}
	table.PrintRaw(io.Discard, res, order, []string{"D", "R", "E"})
	// A path is the equal of itself: no row against R may be missed but those
	// whose goal is to be better.
	table.PrintRows(io.Discard, res, "R")
}

func TestQuantile(t *testing.T) {
	t.Parallel()
	var d []time.Duration
	for i := range 100 {
		d = append(d, time.Duration(100-i)*time.Microsecond)
	}
	if got := load.Quantile(d, 0.5); got != 51 {
		t.Errorf("p50 of 1..100 us: %v", got)
	}
	if got := load.Quantile(d, 0.99); got != 100 {
		t.Errorf("p99 of 1..100 us: %v", got)
	}
	if got := load.Quantile(nil, 0.5); got != 0 {
		t.Errorf("p50 of nothing: %v", got)
	}
}
