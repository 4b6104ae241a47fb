// Package quota counts how often somebody does something, by key, in bounded
// memory: token buckets.
//
// Units and limits: a bucket holds burst tokens and gets one back every period.
// At most max buckets are kept; when one more is needed, those that are full
// again go first, then any: a flood of keys costs their memory, never more.
//
// Concurrency: all methods may be called at any time.
package quota

import (
	"sync"
	"time"
)

// Buckets holds one bucket for each key that was seen lately.
type Buckets[K comparable] struct {
	every time.Duration
	burst float64
	max   int

	mu sync.Mutex
	m  map[K]bucket // guarded by mu
}

type bucket struct {
	tokens float64
	at     time.Time
}

// New makes buckets of burst tokens that get one back every period; all three
// must be above zero.
func New[K comparable](every time.Duration, burst, max int) *Buckets[K] {
	return &Buckets[K]{every: every, burst: float64(burst), max: max, m: map[K]bucket{}}
}

// Has says whether k has a token, and takes none.
func (b *Buckets[K]) Has(k K, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.tokensLocked(k, now) >= 1
}

// Take takes a token of k, or says that there is none.
func (b *Buckets[K]) Take(k K, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	tokens := b.tokensLocked(k, now)
	if tokens < 1 {
		return false
	}
	if _, known := b.m[k]; !known && len(b.m) >= b.max {
		b.makeRoomLocked(now)
	}
	b.m[k] = bucket{tokens: tokens - 1, at: now}
	return true
}

// Owe takes a token of k whether it has one or not: what was done already is paid
// for later. What is owed is burst at most ten times.
func (b *Buckets[K]) Owe(k K, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	tokens := b.tokensLocked(k, now)
	if _, known := b.m[k]; !known && len(b.m) >= b.max {
		b.makeRoomLocked(now)
	}
	b.m[k] = bucket{tokens: max(tokens-1, -10*b.burst), at: now}
}

// Give returns one token that was taken of k.
func (b *Buckets[K]) Give(k K, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	old, known := b.m[k]
	if !known {
		return // full
	}
	if now.Before(old.at) {
		now = old.at
	}
	b.m[k] = bucket{tokens: min(b.burst, b.tokensLocked(k, now)+1), at: now}
}

// Forget gives k all its tokens back.
func (b *Buckets[K]) Forget(k K) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.m, k)
}

func (b *Buckets[K]) tokensLocked(k K, now time.Time) float64 {
	old, known := b.m[k]
	if !known {
		return b.burst
	}
	back := float64(max(0, now.Sub(old.at))) / float64(b.every)
	return min(b.burst, old.tokens+back)
}

func (b *Buckets[K]) makeRoomLocked(now time.Time) {
	for k := range b.m {
		if b.tokensLocked(k, now) >= b.burst {
			delete(b.m, k)
		}
	}
	for k := range b.m {
		if len(b.m) < b.max {
			return
		}
		delete(b.m, k)
	}
}
