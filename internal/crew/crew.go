// Package crew runs short jobs on goroutines that it keeps: a new one begins on a
// stack of 2 KiB, and a job that goes deep, as opening a connection does, has it
// copied into larger ones again each time.
//
// Concurrency: Go may be called from any goroutine, also from a job; Wait by one, and
// no Go after it.
package crew

import "sync"

// maxIdle is how many goroutines are kept for the next jobs: those of one connection
// after another. A stack is about 8 KiB.
const maxIdle = 4

// Crew owns its goroutines until Wait. The zero value is ready for use.
type Crew struct {
	wg sync.WaitGroup

	mu   sync.Mutex
	idle []chan func() // the last to rest is the first to work: its stack is warm
	over bool
}

// Go runs a job. It does not wait.
func (c *Crew) Go(job func()) {
	c.mu.Lock()
	n := len(c.idle)
	if n == 0 {
		c.wg.Go(func() { c.work(job) }) // ends when enough are idle, or with Wait
		c.mu.Unlock()
		return
	}
	next := c.idle[n-1]
	c.idle = c.idle[:n-1]
	c.mu.Unlock()
	next <- job
}

func (c *Crew) work(job func()) {
	next := make(chan func(), 1)
	for job != nil {
		job()
		if !c.rest(next) {
			return
		}
		job = <-next
	}
}

// rest offers a goroutine for the next job; false where it is not wanted.
func (c *Crew) rest(next chan func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over || len(c.idle) >= maxIdle {
		return false
	}
	c.idle = append(c.idle, next)
	return true
}

// Wait waits for all jobs, and ends the goroutines.
func (c *Crew) Wait() {
	c.mu.Lock()
	c.over = true
	for _, next := range c.idle {
		close(next)
	}
	c.idle = nil
	c.mu.Unlock()
	c.wg.Wait()
}
