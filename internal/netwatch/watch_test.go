package netwatch

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSlept(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name             string
		wall, mono, tick time.Duration
		want             bool
	}{
		{"in time", time.Second, time.Second, time.Second, false},
		{"a little late", 3 * time.Second, 3 * time.Second, time.Second, false},
		{"asleep, the monotonic clock stood", time.Hour, time.Second, time.Second, true},
		{"asleep, or stopped, and both clocks went on", 30 * time.Second, 30 * time.Second, time.Second, true},
		{"the clock was set back", -time.Hour, time.Second, time.Second, true},
	} {
		if got := slept(test.wall, test.mono, test.tick); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

// A gap between two looks at the clock is told once.
func TestWakeIsTold(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var looks atomic.Int64
	now := func() time.Time {
		if looks.Add(1) > 3 {
			return time.Now().Add(time.Hour)
		}
		return time.Now()
	}
	told, done := make(chan string, 8), make(chan struct{})
	go func() {
		defer close(done)
		watch(ctx, sources{now: now, rarely: time.Millisecond}, func(what string) { told <- what })
	}()
	if got := <-told; got != Wake {
		t.Errorf("told %q", got)
	}
	cancel()
	<-done
	if len(told) != 0 {
		t.Errorf("told again: %q", <-told)
	}
}

// A burst is one change.
func TestBurstIsOneChange(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	events, told, done := make(chan struct{}, 1), make(chan string, 8), make(chan struct{})
	go func() {
		defer close(done)
		watch(ctx, sources{network: events, now: time.Now, rarely: time.Hour}, func(what string) { told <- what })
	}()
	events <- struct{}{}
	events <- struct{}{} // while the first is waited out
	if got := <-told; got != Network {
		t.Errorf("told %q", got)
	}
	cancel()
	<-done
	if len(told) != 0 {
		t.Error("told twice")
	}
}

// The system's word of a leap has the clocks looked at; where there is none,
// they are looked at often.
func TestLeapIsLookedAt(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		from func(leaps, deaf chan struct{}) sources
		tell func(leaps, deaf chan struct{})
	}{
		{"told", func(leaps, deaf chan struct{}) sources {
			return sources{leaps: leaps, deaf: deaf, tick: time.Minute, rarely: time.Minute}
		}, func(leaps, _ chan struct{}) { leaps <- struct{}{} }},
		{"deaf", func(leaps, deaf chan struct{}) sources {
			return sources{leaps: leaps, deaf: deaf, tick: time.Millisecond, rarely: time.Minute}
		}, func(_, deaf chan struct{}) { close(deaf) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			leaps, deaf := make(chan struct{}), make(chan struct{})
			from := test.from(leaps, deaf)
			var looks atomic.Int64
			from.now = func() time.Time {
				if looks.Add(1) > 1 {
					return time.Now().Add(time.Hour)
				}
				return time.Now()
			}
			told, done := make(chan string, 8), make(chan struct{})
			go func() {
				defer close(done)
				watch(ctx, from, func(what string) { told <- what })
			}()
			test.tell(leaps, deaf)
			if got := <-told; got != Wake {
				t.Errorf("told %q", got)
			}
			cancel()
			<-done
		})
	}
}
