package framer

import (
	"math"
	"sync/atomic"
	"time"
)

const (
	// rateWindow is over how long the rate of a carrier is measured.
	rateWindow = 250 * time.Millisecond
	// frameTime is how long a carrier may be held by one frame.
	frameTime = 100 * time.Millisecond
	// minFrame is the smallest frame for it: below, headers would be what is sent.
	minFrame = 4 << 10
)

// rateMeter measures what a carrier takes while it holds up its writer. One
// writer at a time uses it; rate may be read by all.
type rateMeter struct {
	since time.Duration // begin of the window
	spent time.Duration // in writes
	bytes int
	bits  atomic.Uint64 // of a float64, bytes a second; 0: nothing holds up
}

// wrote counts a write of n bytes from begin to end.
func (r *rateMeter) wrote(n int, begin, end time.Duration) {
	if begin-r.since > 4*rateWindow { // nothing was to be sent for a while
		r.since, r.spent, r.bytes = begin, 0, 0
	}
	r.spent += end - begin
	r.bytes += n
	whole := end - r.since
	if whole < rateWindow {
		return
	}
	var rate float64
	if r.spent > whole/2 {
		rate = float64(r.bytes) / whole.Seconds()
	}
	r.bits.Store(math.Float64bits(rate))
	r.since, r.spent, r.bytes = end, 0, 0
}

// rate is in bytes a second, 0 where the carrier holds nobody up.
func (r *rateMeter) rate() float64 { return math.Float64frombits(r.bits.Load()) }

// within is how much goes in frameTime: at least least, at most most.
func (r *rateMeter) within(least, most int) int {
	rate := r.rate()
	if rate == 0 {
		return most
	}
	return min(max(int(rate*frameTime.Seconds()), least), most)
}
