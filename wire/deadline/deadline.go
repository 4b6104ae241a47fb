// Package deadline is a point in time after which waiting on a condition ends.
package deadline

import (
	"sync"
	"time"
)

// Deadline is guarded by the mutex given to Set. The zero value never expires.
type Deadline struct {
	timer   *time.Timer
	round   int // tells a timer that was replaced
	expired bool
}

// Set moves the deadline to t (the zero time: never) and wakes cond when it has
// passed. It is called with mu held.
func (d *Deadline) Set(mu *sync.Mutex, cond *sync.Cond, t time.Time) {
	d.Stop()
	d.expired = false
	if t.IsZero() {
		return
	}
	wait := time.Until(t)
	if wait <= 0 {
		d.expired = true
		cond.Broadcast()
		return
	}
	round := d.round
	d.timer = time.AfterFunc(wait, func() {
		mu.Lock()
		defer mu.Unlock()
		if d.round == round {
			d.expired = true
			cond.Broadcast()
		}
	})
}

// Expired says whether the deadline has passed.
func (d *Deadline) Expired() bool { return d.expired }

// Stop takes the deadline off; one that has passed stays so.
func (d *Deadline) Stop() {
	d.round++
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}
