package carrier

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"
)

func TestPacer(t *testing.T) {
	t.Parallel()
	var p Pacer
	now := time.Now()
	for i := range 10 {
		if wait := p.Take(now, 100, 10); wait != 0 {
			t.Fatalf("number %d of the burst waits %v", i+1, wait)
		}
	}
	for _, want := range []time.Duration{10, 20, 30} {
		if wait := p.Take(now, 100, 10); wait.Round(time.Microsecond) != want*time.Millisecond {
			t.Errorf("beyond the burst: waits %v, want %v ms", wait, int(want))
		}
	}
	if wait := p.Take(now.Add(time.Minute), 100, 10); wait != 0 {
		t.Errorf("after a minute: waits %v", wait)
	}
}

// A client whose streams come to nothing, one after the other, has its next openings wait;
// those that are admitted do not count.
func TestRefusedStreamsTakeToll(t *testing.T) {
	t.Parallel()
	m := NewLine(Config{})
	open := func(n int, a Answer) {
		for range n {
			m.Knocked()
			m.Answered(a)
		}
	}
	open(10*refusedBurst, Admitted)
	open(refusedBurst, Refused)
	if wait := m.Toll(); wait != 0 {
		t.Errorf("within the burst the next waits %v", wait)
	}
	open(refusedBurst, Refused)
	if wait := m.Toll(); wait <= 0 || wait > refusedBurst*time.Second/refusedRate {
		t.Errorf("beyond it the next waits %v", wait)
	}
}

// A client may give up many streams, but not go on with that faster than any application.
func TestStreamsThatAreGivenUpAreBounded(t *testing.T) {
	t.Parallel()
	m := NewLine(Config{Road: noRoad{}, Log: slog.New(slog.DiscardHandler)})
	open := func(n int, a Answer) {
		for range n {
			m.Knocked()
			m.Answered(a)
			if a != Admitted {
				m.RefusedGone()
			}
		}
	}
	open(2*GivenUpBurst, Refused)
	open(GivenUpBurst, GivenUp)
	if err := context.Cause(m.ctx); err != nil {
		t.Fatalf("within the burst: %v", err)
	}
	open(GivenUpBurst/2, GivenUp)
	if err := context.Cause(m.ctx); !errors.Is(err, errGivenUp) {
		t.Errorf("beyond it: %v", err)
	}
}

// A client whose streams come to nothing waits before it opens the next, until one is
// admitted; those that go on elsewhere do not.
func TestVainStreamsMakeTheClientWait(t *testing.T) {
	t.Parallel()
	m := NewLine(Config{Road: noRoad{}, OpenCarrier: func(context.Context, Feed) (Channel, error) { return nil, nil }})
	answer := func(n int, a Answer) {
		t.Helper()
		for range n {
			if err := m.WaitSlot(t.Context(), false); err != nil {
				t.Fatal(err)
			}
			m.Answered(a)
		}
	}
	now, cancel := context.WithCancel(t.Context())
	cancel()
	answer(VainBurst, GivenUp)
	if wait := m.toll.wait(time.Now(), VainRate, VainBurst); wait != 0 {
		t.Errorf("within the burst the next waits %v", wait)
	}
	answer(MaxOpening, Refused)
	if err := m.WaitSlot(now, true); !errors.Is(err, context.Canceled) {
		t.Errorf("beyond it the next does not wait: %v", err)
	}
	answer(1, Admitted)
	if err := m.WaitSlot(t.Context(), true); err != nil || m.toll.used != 0 {
		t.Errorf("after one was admitted: %v, %v are counted", err, m.toll.used)
	}
}

// noRoad can only be closed.
type noRoad struct{ Road }

func (noRoad) Close() error { return nil }
