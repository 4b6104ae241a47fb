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
		watch(ctx, nil, now, time.Millisecond, func(what string) { told <- what })
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
		watch(ctx, events, time.Now, time.Hour, func(what string) { told <- what })
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
