package backoff

import (
	"testing"
	"time"
)

func TestBounds(t *testing.T) {
	t.Parallel()
	almost := func() float64 { return 1 }
	tests := []struct {
		name string
		b    Backoff
		want []time.Duration
	}{
		{"defaults", Backoff{Rand: almost}, []time.Duration{
			500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second,
			16 * time.Second, 30 * time.Second, 30 * time.Second,
		}},
		{"own", Backoff{First: 1, Min: 10, Max: 25, Rand: almost}, []time.Duration{1, 10, 20, 25, 25}},
		{"zero of the range", Backoff{Rand: func() float64 { return 0 }}, []time.Duration{0, 0, 0}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for i, want := range tt.want {
				if got := tt.b.Next(); got != want {
					t.Errorf("wait %d: %v, want %v", i, got, want)
				}
			}
			tt.b.Reset()
			if got := tt.b.Next(); got != tt.want[0] {
				t.Errorf("after Reset: %v, want %v", got, tt.want[0])
			}
		})
	}
}

func TestSpread(t *testing.T) {
	t.Parallel()
	var low, high int
	for range 1000 {
		var b Backoff
		switch d := b.Next(); {
		case d < 0 || d >= DefaultFirst:
			t.Fatalf("first wait %v out of [0, %v)", d, DefaultFirst)
		case d < DefaultFirst/2:
			low++
		default:
			high++
		}
	}
	if low < 300 || high < 300 {
		t.Errorf("first waits are not uniform: %d below the middle, %d above", low, high)
	}
}

func TestManyTriesDoNotOverflow(t *testing.T) {
	t.Parallel()
	b := Backoff{Rand: func() float64 { return 1 }}
	for range 10_000 {
		if d := b.Next(); d < 0 || d > DefaultMax {
			t.Fatalf("wait %v", d)
		}
	}
}
