// Package backoff says how long to wait before the next try.
//
// The first wait after a loss is short and random, so that the clients of a
// restarted server come back at once but not in the same instant; later waits
// are uniform below a bound that doubles ("full jitter").
//
// Source: rule 9 of docs/protocol.md.
package backoff

import (
	"math/rand/v2"
	"time"
)

// Defaults of a Backoff's zero fields.
const (
	DefaultFirst = 500 * time.Millisecond
	DefaultMin   = time.Second
	DefaultMax   = 30 * time.Second
)

// Backoff gives the waits between tries. The zero value is ready for use. It is
// not safe for concurrent use.
type Backoff struct {
	// First bounds the first wait; zero means DefaultFirst.
	First time.Duration
	// Min bounds the second wait, and doubles up to Max; zero means the defaults.
	Min, Max time.Duration
	// Rand gives numbers in [0, 1); nil means math/rand.
	Rand func() float64

	tries int
}

// Next returns how long to wait before the next try.
func (b *Backoff) Next() time.Duration {
	bound := b.bound()
	b.tries++
	random := b.Rand
	if random == nil {
		random = rand.Float64
	}
	return time.Duration(random() * float64(bound))
}

// Reset makes the next wait a first one. Call it after a success that lasted.
func (b *Backoff) Reset() { b.tries = 0 }

func (b *Backoff) bound() time.Duration {
	first, low, high := b.First, b.Min, b.Max
	if first <= 0 {
		first = DefaultFirst
	}
	if low <= 0 {
		low = DefaultMin
	}
	if high <= 0 {
		high = DefaultMax
	}
	if b.tries == 0 {
		return first
	}
	for range b.tries - 1 {
		if low >= high {
			break
		}
		low *= 2
	}
	return min(low, high)
}
