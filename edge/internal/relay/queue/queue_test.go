package queue

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

func TestQueueKeepsOrder(t *testing.T) {
	t.Parallel()
	var wg sync.WaitGroup
	l := Queue{Limit: 1, Max: 1000, Group: &wg}
	var got, want []int
	for i := range 1000 {
		want = append(want, i)
		if !l.Put(func() { got = append(got, i) }) {
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

func TestQueueLimits(t *testing.T) {
	t.Parallel()
	var wg sync.WaitGroup
	l := Queue{Limit: 3, Max: 5, Group: &wg}
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
		l.Put(job)
		<-started
	}
	for i := range 5 {
		if !l.Put(job) {
			t.Fatalf("job %d refused while there is room", i)
		}
	}
	if l.Put(job) {
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
