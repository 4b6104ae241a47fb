package relay

import "sync"

// lane does jobs on at most limit goroutines, in their order where limit is 1.
// It holds no goroutine while there is nothing to do: an idle link is to cost
// little.
type lane struct {
	limit, max int
	wg         *sync.WaitGroup

	mu      sync.Mutex
	jobs    []func()
	running int
}

// put queues a job; false where too many wait.
func (l *lane) put(job func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.jobs) >= l.max {
		return false
	}
	l.jobs = append(l.jobs, job)
	if l.running < l.limit {
		l.running++
		l.wg.Go(l.work)
	}
	return true
}

func (l *lane) work() {
	for {
		l.mu.Lock()
		if len(l.jobs) == 0 {
			l.running--
			if l.running == 0 {
				l.jobs = nil
			}
			l.mu.Unlock()
			return
		}
		job := l.jobs[0]
		l.jobs[0] = nil
		l.jobs = l.jobs[1:]
		l.mu.Unlock()
		job()
	}
}
