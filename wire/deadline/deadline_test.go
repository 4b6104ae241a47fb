package deadline

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestDeadline(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		set  []time.Duration // from now; 0: never
		want bool            // after three seconds
	}{
		{"never set", nil, false},
		{"past", []time.Duration{-time.Second}, true},
		{"soon", []time.Duration{time.Second}, true},
		{"later", []time.Duration{time.Minute}, false},
		{"moved away", []time.Duration{time.Second, time.Minute}, false},
		{"moved nearer", []time.Duration{time.Minute, time.Second}, true},
		{"taken off", []time.Duration{time.Second, 0}, false},
		{"taken off after it passed", []time.Duration{-time.Second, 0}, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex
			cond := sync.NewCond(&mu)
			var d Deadline
			mu.Lock()
			for _, wait := range test.set {
				at := time.Time{}
				if wait != 0 {
					at = time.Now().Add(wait)
				}
				d.Set(cond, at)
			}
			mu.Unlock()
			time.Sleep(3 * time.Second) // of the bubble
			mu.Lock()
			defer mu.Unlock()
			if d.Expired() != test.want {
				t.Errorf("%s: expired %v, want %v", test.name, d.Expired(), test.want)
			}
			d.Stop()
		})
	}
}

func TestDeadlineWakes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		cond := sync.NewCond(&mu)
		var d Deadline
		mu.Lock()
		defer mu.Unlock()
		begin := time.Now()
		d.Set(cond, begin.Add(time.Second))
		for !d.Expired() {
			cond.Wait()
		}
		if got := time.Since(begin); got != time.Second {
			t.Errorf("woken after %v", got)
		}
	})
}
