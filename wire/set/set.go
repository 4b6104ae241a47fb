// Package set is a set of things for all goroutines.
package set

import (
	"maps"
	"slices"
	"sync"
)

// Set holds each thing once. Its zero value is empty; all methods may be called from
// any goroutine.
type Set[T comparable] struct {
	mu  sync.Mutex
	all map[T]struct{}
}

// Add puts a thing in.
func (s *Set[T]) Add(x T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = make(map[T]struct{})
	}
	s.all[x] = struct{}{}
}

// Delete takes a thing out, where it is in.
func (s *Set[T]) Delete(x T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, x)
}

// All are the things in it, in no order.
func (s *Set[T]) All() []T {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.all))
}
