package relay

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

func TestLaneKeepsOrder(t *testing.T) {
	t.Parallel()
	var wg sync.WaitGroup
	l := lane{limit: 1, max: 1000, wg: &wg}
	var got, want []int
	for i := range 1000 {
		want = append(want, i)
		if !l.put(func() { got = append(got, i) }) {
			t.Fatal("refused below its limit")
		}
	}
	wg.Wait()
	if !slices.Equal(got, want) {
		t.Error("out of order, or not all done")
	}
	if l.running != 0 || l.jobs != nil {
		t.Errorf("idle with %d goroutines and %d jobs", l.running, len(l.jobs))
	}
}

func TestLaneLimits(t *testing.T) {
	t.Parallel()
	var wg sync.WaitGroup
	l := lane{limit: 3, max: 5, wg: &wg}
	started, release := make(chan struct{}), make(chan struct{})
	var now, most atomic.Int32
	job := func() {
		n := now.Add(1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		started <- struct{}{}
		<-release
		now.Add(-1)
	}
	for range 3 {
		l.put(job)
		<-started
	}
	for i := range 5 {
		if !l.put(job) {
			t.Fatalf("job %d refused while there is room", i)
		}
	}
	if l.put(job) {
		t.Error("took more than its limit")
	}
	close(release)
	for range 5 {
		<-started
	}
	wg.Wait()
	if most.Load() != 3 {
		t.Errorf("%d at once, want 3", most.Load())
	}
}
