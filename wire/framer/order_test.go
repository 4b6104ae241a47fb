package framer

import (
	"bytes"
	"math"
	"sync"
	"testing"
	"time"
)

// A stream that begins while many send bulk finds one frame in front of it.
func TestWhoSendsLittleOvertakes(t *testing.T) {
	t.Parallel()
	r := &recorder{gate: make(chan struct{})}
	f := newTest(r)
	f.rate.bits.Store(math.Float64bits(250e3))
	var wg sync.WaitGroup
	first := payload('1', 100)
	wg.Go(func() { f.Send(1, first, false) })
	await(t, func() bool { f.mu.Lock(); defer f.mu.Unlock(); return f.busy })
	for s := range uint32(20) { // small frames of bulk fill the queue, others wait
		wg.Go(func() { f.Send(3+2*s, payload('b', 15<<10), false) })
	}
	await(t, func() bool { return f.Waiting() == 20-maxQueue/(15<<10) })
	opening := payload('o', 40)
	want := append(onWire(1, payload('1', 100)), onWire(99, opening)...)
	if err := f.Send(99, opening, false); err != nil {
		t.Fatal(err)
	}
	close(r.gate)
	wg.Wait()
	if got, _ := r.all(); !bytes.HasPrefix(got, want) {
		t.Error("what opens waits behind bulk")
	}
}

func TestOvertakes(t *testing.T) {
	t.Parallel()
	const slow = 250e3
	for name, step := range map[string]struct {
		before []int // frames of the stream just now
		n      int
		rate   float64
		after  time.Duration
		want   bool
	}{
		"the first":                  {nil, 100, slow, 0, true},
		"a large one":                {nil, expressFrame + 1, slow, 0, false},
		"a small one after bulk":     {[]int{64 << 10}, 100, slow, 0, false},
		"a while after bulk":         {[]int{64 << 10}, 100, slow, 10 * time.Second, true},
		"many small ones":            {[]int{8 << 10, 8 << 10}, 100, slow, 0, false},
		"after bulk on a fast path":  {[]int{64 << 10}, 100, 0, 0, true},
		"bulk on a very fast path":   {[]int{64 << 10}, 100, 1e9, 10 * time.Millisecond, true},
		"a large one on a fast path": {nil, expressFrame + 1, 0, 0, false},
	} {
		var o order
		now := time.Minute
		for _, n := range step.before {
			o.overtakes(7, n, now, step.rate)
		}
		if got := o.overtakes(7, step.n, now+step.after, step.rate); got != step.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// While a frame of a stream is in the queue, no later one passes it.
func TestNobodyOvertakesItself(t *testing.T) {
	t.Parallel()
	for _, rate := range []float64{0, 1e9} {
		var o order
		o.queued(7, time.Minute)
		if o.overtakes(7, 100, time.Minute, rate) {
			t.Error("a frame overtakes one of its own stream")
		}
		o.round++ // the queue was taken
		if !o.overtakes(7, 100, time.Minute, rate) {
			t.Error("a stream does not overtake again")
		}
	}
}

func TestSharesAreForgotten(t *testing.T) {
	t.Parallel()
	var o order
	for s := range uint32(10_000) {
		o.overtakes(s+1, 100, time.Duration(s)*time.Second, 1e6)
	}
	if len(o.recent) > 200 {
		t.Errorf("%d shares are kept", len(o.recent))
	}
}

func TestRateOfACarrier(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	var r rateMeter
	if r.within(10, 1000) != 1000 {
		t.Error("a carrier that holds nobody up is slow")
	}
	at := time.Minute
	for range 10 { // 10 KB in 100 ms each
		r.wrote(10_000, at, at+100*ms)
		at += 100 * ms
	}
	if got := r.rate(); got < 99e3 || got > 101e3 {
		t.Errorf("rate %.0f, want 100,000", got)
	}
	if got := r.within(10, 1<<20); got < 9900 || got > 10_100 {
		t.Errorf("%d bytes in 100 ms", got)
	}
	if r.within(20_000, 1<<20) != 20_000 || r.within(10, 5000) != 5000 {
		t.Error("the bounds do not hold")
	}
	for range 10 { // quick writes, with pauses
		r.wrote(10_000, at, at+ms)
		at += 100 * ms
	}
	if r.rate() != 0 {
		t.Error("it holds nobody up any more, and is slow")
	}
}
