// Package queue does the jobs of one link in their turn.
package queue

import "sync"

// Queue does jobs on at most Limit goroutines, in their order where Limit is 1.
// It holds no goroutine while there is nothing to do: an idle link is to cost
// little.
type Queue struct {
	// Limit is how many run at once, Max how many may wait.
	Limit, Max int
	// Group begins the goroutines, and counts them.
	Group interface{ Go(func()) }

	mu      sync.Mutex
	jobs    []func()
	running int
}

// Put queues a job; false where too many wait.
func (q *Queue) Put(job func()) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.jobs) >= q.Max {
		return false
	}
	q.jobs = append(q.jobs, job)
	if q.running < q.Limit {
		q.running++
		q.Group.Go(q.work)
	}
	return true
}

func (q *Queue) work() {
	for {
		q.mu.Lock()
		if len(q.jobs) == 0 {
			q.running--
			if q.running == 0 {
				q.jobs = nil
			}
			q.mu.Unlock()
			return
		}
		job := q.jobs[0]
		q.jobs[0] = nil
		q.jobs = q.jobs[1:]
		q.mu.Unlock()
		job()
	}
}
