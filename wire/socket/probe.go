package socket

import (
	"io"
	"sync"
	"syscall"
	"time"
)

// probeAfter is how often a Probe asks.
const probeAfter = 200 * time.Millisecond

// Probe asks a socket now and then whether it was reset, while nobody reads it.
// It belongs to one waiter on a condition.
type Probe struct {
	raw   syscall.RawConn
	mu    *sync.Mutex
	cond  *sync.Cond
	timer *time.Timer
	due   bool // guarded by mu
}

// NewProbe makes a probe of r, which wakes cond when it is time to ask. Of
// anything but a socket it never says that it is broken.
func NewProbe(r io.Reader, mu *sync.Mutex, cond *sync.Cond) *Probe {
	return &Probe{raw: Conn(r), mu: mu, cond: cond}
}

// BrokenLocked asks, if it is time, and otherwise arranges to be called again. It
// is called with mu held, each time before waiting on cond.
func (p *Probe) BrokenLocked() bool {
	if p.raw == nil {
		return false
	}
	if p.timer == nil {
		p.timer = time.AfterFunc(probeAfter, p.wake)
		return false
	}
	if !p.due {
		return false
	}
	p.due = false
	p.timer.Reset(probeAfter)
	return Broken(p.raw)
}

func (p *Probe) wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.due = true
	p.cond.Broadcast()
}

// Stop ends the waking.
func (p *Probe) Stop() {
	if p.timer != nil {
		p.timer.Stop()
	}
}
