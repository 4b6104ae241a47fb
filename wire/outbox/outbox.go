// Package outbox is what waits to be written on a link: bounded, urgent first.
//
// Concurrency: all methods may be called from any goroutine; nothing blocks.
package outbox

import (
	"sync"
	"sync/atomic"
	"time"
)

// Queue holds frames.
type Queue struct {
	// Due has one slot: there is something to write.
	Due   chan struct{}
	waits atomic.Bool // Soon is under way

	mu     sync.Mutex
	urgent [][]byte
	queue  [][]byte
	queued int // bytes in both, and of what Take gave and is not written yet
}

// New makes an empty one.
func New() *Queue { return &Queue{Due: make(chan struct{}, 1)} }

// Now has what is queued written.
func (q *Queue) Now() {
	select {
	case q.Due <- struct{}{}:
	default:
	}
}

// Soon has it written with what comes next, or after a while.
func (q *Queue) Soon(wait time.Duration) {
	if !q.waits.Swap(true) {
		time.AfterFunc(wait, func() {
			q.waits.Store(false)
			q.Now()
		})
	}
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
