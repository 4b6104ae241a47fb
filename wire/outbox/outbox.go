// Package outbox is what waits to be written on a link: bounded, urgent first.
//
// Concurrency: all methods may be called from any goroutine; nothing blocks.
package outbox

import "sync"

// Queue holds frames. Its zero value is empty.
type Queue struct {
	mu     sync.Mutex
	urgent [][]byte
	queue  [][]byte
	queued int // bytes in both, and of what Take gave and is not written yet
}

// Put queues a frame; false where more than max bytes would wait.
func (q *Queue) Put(frame []byte, urgent bool, max int) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.queued+len(frame) > max {
		return false
	}
	if urgent {
		q.urgent = append(q.urgent, frame)
	} else {
		q.queue = append(q.queue, frame)
	}
	q.queued += len(frame)
	return true
}

// Take gives the writer everything that waits, as one buffer.
func (q *Queue) Take(buf []byte) []byte {
	q.mu.Lock()
	defer q.mu.Unlock()
	buf = buf[:0]
	for _, f := range q.urgent {
		buf = append(buf, f...)
	}
	for _, f := range q.queue {
		buf = append(buf, f...)
	}
	clear(q.urgent)
	clear(q.queue)
	q.urgent, q.queue = q.urgent[:0], q.queue[:0]
	return buf
}

// Wrote says that so many bytes of what Take gave are written.
func (q *Queue) Wrote(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.queued -= n
}
