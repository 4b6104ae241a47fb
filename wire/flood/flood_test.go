package flood

import (
	"testing"
	"time"
)

func TestMeter(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name        string
		stream      bool
		rate, burst int
	}{{"of streams", true, StreamRate, StreamBurst}, {"others", false, OtherRate, OtherBurst}} {
		var m Meter
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		for i := range tt.burst {
			if !m.Take(tt.stream, now) {
				t.Fatalf("%s: message %d refused", tt.name, i)
			}
		}
		if m.Take(tt.stream, now) {
			t.Errorf("%s: took more than the burst", tt.name)
		}
		if !m.Take(!tt.stream, now) {
			t.Errorf("%s: counted in both", tt.name)
		}
		now = now.Add(time.Second)
		for i := range tt.rate - 1 {
			if !m.Take(tt.stream, now) {
				t.Fatalf("%s: message %d of the next second refused", tt.name, i)
			}
		}
		if m.Take(tt.stream, now) { // the one refused above counts as well
			t.Errorf("%s: took more than the rate", tt.name)
		}
	}
}
