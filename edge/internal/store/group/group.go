// Package group lets callers who wait for the same slow thing, such as an
// fsync, share it.
//
// Concurrency: no goroutine of its own. The first caller commits what is queued
// and then hands over to the first that came meanwhile; the others wait.
package group

import (
	"context"
	"slices"
	"sync"
)

// Group collects works of type T and commits them in batches, one batch at a
// time, in the order in which they came.
type Group[T any] struct {
	commit func(batch []*Work[T])

	mu      sync.Mutex // guards what follows
	queue   []*Work[T]
	leading bool // somebody commits, or has been asked to
}

// Work is one thing to commit.
type Work[T any] struct {
	// What is what the caller of Do gave.
	What T
	done chan error    // one slot: the outcome
	turn chan struct{} // one slot: commit all that is queued
}

// Done tells the outcome to the caller; commit calls it once for each work.
func (w *Work[T]) Done(err error) { w.done <- err }

// New returns a group whose batches are committed by commit, which must call
// Done on every work that it is given.
func New[T any](commit func(batch []*Work[T])) *Group[T] {
	return &Group[T]{commit: commit}
}

// Do queues a work and returns its outcome. Where ctx ends before the work is
// taken, it is never done; one that has been taken is waited for, so that the
// outcome is always known.
func (g *Group[T]) Do(ctx context.Context, what T) error {
	w := &Work[T]{What: what, done: make(chan error, 1), turn: make(chan struct{}, 1)}
	g.mu.Lock()
	g.queue = append(g.queue, w)
	if !g.leading {
		g.leading = true
		w.turn <- struct{}{}
	}
	g.mu.Unlock()
	select {
	case err := <-w.done:
		return err
	case <-w.turn:
		g.lead()
		return <-w.done
	case <-ctx.Done():
		if g.withdraw(w) {
			return ctx.Err()
		}
		return <-w.done
	}
}

func (g *Group[T]) lead() {
	g.mu.Lock()
	batch := g.queue
	g.queue = nil
	g.mu.Unlock()
	g.commit(batch)
	g.mu.Lock()
	g.handOverLocked()
	g.mu.Unlock()
}

// withdraw takes w out of the queue, and hands the lead on where w had it; it is
// false when w is being committed already.
func (g *Group[T]) withdraw(w *Work[T]) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.Index(g.queue, w)
	if i < 0 {
		return false
	}
	g.queue = slices.Delete(g.queue, i, i+1)
	select {
	case <-w.turn:
		g.handOverLocked()
	default:
	}
	return true
}

func (g *Group[T]) handOverLocked() {
	if len(g.queue) == 0 {
		g.leading = false
		return
	}
	g.queue[0].turn <- struct{}{}
}
