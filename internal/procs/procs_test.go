package procs

import (
	"context"
	"runtime"
	"testing"
	"time"
)

func TestLook(t *testing.T) {
	t.Parallel()
	var g governor
	const us = time.Microsecond
	for i, step := range []struct {
		load float64
		turn time.Duration
		want change
	}{
		{0.1, 20 * us, none}, {0.1, 20 * us, none}, {0.1, 110 * us, none}, // not short: begin again
		{0.1, 20 * us, none}, {0.1, 90 * us, none}, {0.01, time.Second, none}, {0.1, 20 * us, one},
		{0.01, time.Second, none}, {0.5, 20 * us, none}, {0.5, 240 * us, none}, {0.2, 260 * us, all},
		{0.2, 20 * us, none}, {0.2, 20 * us, none}, {0.9, 20 * us, none}, {0.2, 20 * us, none},
		{0.2, 20 * us, none}, {0.2, 20 * us, one}, {0.9, 20 * us, all},
	} {
		if got := g.look(step.load, step.turn); got != step.want {
			t.Errorf("step %d, load %.2f, turns of %v: change %d, want %d", i, step.load, step.turn, got, step.want)
		}
	}
	if got := g.reset(); got != none {
		t.Errorf("reset with all processors: change %d", got)
	}
	for range calm {
		g.look(0.1, 20*us)
	}
	if got := g.reset(); got != all || g != (governor{}) {
		t.Errorf("reset with one processor: change %d, left %+v", got, g)
	}
}

// Not parallel: it is about the whole process.
func TestRunPutsEverythingBack(t *testing.T) {
	t.Setenv("GOMAXPROCS", "")
	before := runtime.GOMAXPROCS(0)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	Run(ctx)
	if got := runtime.GOMAXPROCS(0); got != before {
		t.Errorf("after Run: %d processors, before %d", got, before)
	}
}

// Not parallel: it is about the whole process.
func TestRelease(t *testing.T) {
	var r releaser
	load := make([][]byte, 100)
	for i := range load {
		load[i] = make([]byte, 1<<20)
	}
	before, _ := heap()
	runtime.KeepAlive(load) // up to here
	r.look()
	if r.released != 0 {
		t.Error("released while the load was going on")
	}
	r.look()
	after, _ := heap()
	if after > before-64<<20 {
		t.Errorf("of %d bytes %d are still held", before, after)
	}
	if r.released == 0 {
		t.Error("nothing was released")
	}
	last := r.released
	r.look()
	if r.released != last {
		t.Error("released again, and nothing was allocated")
	}
}

// Not parallel: it is about the whole process.
func TestStirWakesOnce(t *testing.T) {
	Stir()
	if len(begins) != 0 {
		t.Error("woken while the load is looked at")
	}
	rests.Store(true)
	Stir()
	Stir()
	if len(begins) != 1 || rests.Load() {
		t.Errorf("woken %d times, rests %v", len(begins), rests.Load())
	}
	<-begins
}
