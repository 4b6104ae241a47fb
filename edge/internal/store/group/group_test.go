package group_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/sallyport/sallyport/edge/internal/store/group"
)

// TestBatches: those who come while one is being committed share the next commit.
func TestBatches(t *testing.T) {
	t.Parallel()
	inside, release := make(chan struct{}), make(chan struct{})
	var batches [][]int
	g := group.New(func(batch []*group.Work[int]) {
		var got []int
		for _, w := range batch {
			got = append(got, w.What)
		}
		batches = append(batches, got)
		if len(batches) == 1 {
			close(inside)
			<-release
		}
		for _, w := range batch {
			w.Done(nil)
		}
	})
	var wg sync.WaitGroup
	wg.Go(func() { g.Do(t.Context(), 0) })
	<-inside
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := g.Do(cancelled, 99); !errors.Is(err, context.Canceled) {
		t.Fatalf("withdrawn: %v", err)
	}
	for range 50 {
		wg.Go(func() {
			if err := g.Do(t.Context(), 1); err != nil {
				t.Error(err)
			}
		})
	}
	close(release)
	wg.Wait()
	sum := 0
	for _, b := range batches {
		for _, n := range b {
			if n == 99 {
				t.Error("a withdrawn work was committed")
			}
			sum += n
		}
	}
	if sum != 50 {
		t.Errorf("%d of 50 works committed", sum)
	}
}

// TestWithdrawWhileLeading: nobody is left waiting when callers give up at any moment.
func TestWithdrawWhileLeading(t *testing.T) {
	t.Parallel()
	g := group.New(func(batch []*group.Work[int]) {
		for _, w := range batch {
			w.Done(nil)
		}
	})
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			for range 200 {
				ctx, cancel := context.WithCancel(t.Context())
				if i%2 == 0 {
					cancel()
				}
				if err := g.Do(ctx, 1); err != nil && !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
				cancel()
			}
		})
	}
	wg.Wait()
	if err := g.Do(t.Context(), 1); err != nil {
		t.Error(err)
	}
}
