// Package deadline is a point in time after which waiting on a condition ends.
package deadline

import (
	"net"
	"sync"
	"time"
)

// Pair is the deadlines of a connection whose readers and writers wait on two
// conditions of one mutex. Methods named Locked are called with it held.
type Pair struct {
	reading, writing *sync.Cond
	read, write      Deadline
	stopped          bool
}

// Init says what the deadlines end the waiting for.
func (p *Pair) Init(reading, writing *sync.Cond) { p.reading, p.writing = reading, writing }

// Set moves the deadlines of reading, of writing, or both to t (the zero time:
// never). Once they are stopped it is net.ErrClosed.
func (p *Pair) Set(t time.Time, reading, writing bool) error {
	p.reading.L.Lock()
	defer p.reading.L.Unlock()
	if p.stopped {
		return net.ErrClosed
	}
	if reading {
		p.read.Set(p.reading, t)
	}
	if writing {
		p.write.Set(p.writing, t)
	}
	return nil
}

// ReadLocked says whether the deadline of reading has passed, WriteLocked that of
// writing.
func (p *Pair) ReadLocked() bool { return p.read.expired }

// WriteLocked is explained at ReadLocked.
func (p *Pair) WriteLocked() bool { return p.write.expired }

// StopLocked takes both off for ever; what has passed stays so.
func (p *Pair) StopLocked() {
	p.stopped = true
	p.read.Stop()
	p.write.Stop()
}

// Deadline is guarded by the mutex of the condition given to Set. The zero value
// never expires.
type Deadline struct {
	timer   *time.Timer
	round   int // tells a timer that was replaced
	expired bool
}

// Set moves the deadline to t (the zero time: never) and wakes cond when it has
// passed. It is called with cond's mutex held.
func (d *Deadline) Set(cond *sync.Cond, t time.Time) {
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
		cond.L.Lock()
		defer cond.L.Unlock()
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
