//go:build linux

package wan

import (
	"container/heap"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"sync"
	"syscall"
	"time"
)

// packet is one on its way.
type packet struct {
	due    time.Time
	number uint64 // of those due at the same time, the older goes first
	buf    []byte
}

// onWay is a heap of packets, the next that is due first.
type onWay []packet

func (q onWay) Len() int { return len(q) }
func (q onWay) Less(i, j int) bool {
	if q[i].due.Equal(q[j].due) {
		return q[i].number < q[j].number
	}
	return q[i].due.Before(q[j].due)
}
func (q onWay) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *onWay) Push(x any)   { *q = append(*q, x.(packet)) }
func (q *onWay) Pop() any {
	old := *q
	p := old[len(old)-1]
	old[len(old)-1] = packet{}
	*q = old[:len(old)-1]
	return p
}

// pipe is one direction.
type pipe struct {
	from, to *os.File
	woken    chan struct{} // one slot: the first of the queue has changed

	mu     sync.Mutex
	path   Path
	chance *rand.Rand
	queue  onWay
	spare  [][]byte
	// free is when the wire has sent all that was taken; last is the time that
	// the youngest in order is due, which jitter does not pass.
	free, last time.Time
	counts     Counts
	number     uint64
}

func newPipe(from, to *os.File, seed uint64) *pipe {
	return &pipe{from: from, to: to, woken: make(chan struct{}, 1), chance: rand.New(rand.NewPCG(seed, 0x5a11))}
}

func (p *pipe) set(path Path) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.path, p.free = path, time.Time{}
}

func (p *pipe) counted() Counts {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counts
}

// take reads what the kernel sends, until the device is closed.
func (p *pipe) take(ctx context.Context) error {
	raw, err := p.from.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Read(func(fd uintptr) bool {
		for ctx.Err() == nil {
			buf := p.buffer()
			n, err := syscall.Read(int(fd), buf)
			switch {
			case errors.Is(err, syscall.EAGAIN):
				p.giveBack(buf)
				return false // until there is more
			case errors.Is(err, syscall.EINTR), errors.Is(err, syscall.EIO): // EIO: it is down
				p.giveBack(buf)
				if errors.Is(err, syscall.EIO) {
					return false
				}
			case err != nil:
				failed = err
				return true
			default:
				p.accept(buf[:n], time.Now())
			}
		}
		return true
	})
	if ctx.Err() != nil || errors.Is(err, os.ErrClosed) {
		return nil
	}
	return errors.Join(failed, err)
}

// accept decides what becomes of a packet.
func (p *pipe) accept(buf []byte, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	path := &p.path
	if path.Hole || path.Largest > 0 && len(buf) > path.Largest {
		p.drop(&p.counts.Swallowed, buf)
		return
	}
	if path.Loss > 0 && p.chance.Float64() < path.Loss {
		p.drop(&p.counts.Lost, buf)
		return
	}
	sent := now
	if path.Rate > 0 {
		begin := now
		if p.free.After(begin) {
			begin = p.free
		}
		limit := path.Queue
		if limit == 0 {
			limit = DefaultQueue
		}
		if begin.Sub(now).Seconds()*float64(path.Rate)/8 > float64(limit) {
			p.drop(&p.counts.Overflowed, buf)
			return
		}
		sent = begin.Add(time.Duration(float64(len(buf)*8) / float64(path.Rate) * float64(time.Second)))
		p.free = sent
	}
	due := sent.Add(path.Delay)
	if path.Jitter > 0 {
		due = due.Add(time.Duration(p.chance.Int64N(int64(path.Jitter))))
	}
	if due.Before(p.last) {
		due = p.last
	}
	if path.Reorder > 0 && p.chance.Float64() < path.Reorder {
		due = due.Add(path.LateBy) // and p.last stays: younger ones pass it
	} else {
		p.last = due
	}
	p.number++
	p.counts.Carried++
	heap.Push(&p.queue, packet{due, p.number, buf})
	if p.queue[0].number == p.number {
		select {
		case p.woken <- struct{}{}:
		default:
		}
	}
}

func (p *pipe) drop(count *uint64, buf []byte) {
	*count++
	p.spare = append(p.spare, buf[:cap(buf)])
}

// give writes packets when they are due, until ctx ends.
func (p *pipe) give(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		p.mu.Lock()
		wait := time.Duration(-1)
		if len(p.queue) > 0 {
			wait = max(time.Until(p.queue[0].due), 0)
		}
		p.mu.Unlock()
		if wait == 0 {
			if !p.send(ctx) {
				return
			}
			continue
		}
		var due <-chan time.Time
		if wait > 0 {
			timer.Reset(wait)
			due = timer.C
		}
		select {
		case <-due:
		case <-p.woken:
		case <-ctx.Done():
			return
		}
	}
}

// send writes all that is due now.
func (p *pipe) send(ctx context.Context) bool {
	now := time.Now()
	for ctx.Err() == nil {
		p.mu.Lock()
		if len(p.queue) == 0 || p.queue[0].due.After(now) {
			p.mu.Unlock()
			return true
		}
		next := heap.Pop(&p.queue).(packet)
		p.mu.Unlock()
		// A device that is down or too busy loses what it is given, as others do.
		if _, err := p.to.Write(next.buf); errors.Is(err, os.ErrClosed) {
			return false
		}
		p.giveBack(next.buf)
	}
	return false
}

func (p *pipe) buffer() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.spare); n > 0 {
		b := p.spare[n-1]
		p.spare = p.spare[:n-1]
		return b
	}
	return make([]byte, MTU)
}

func (p *pipe) giveBack(buf []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.spare = append(p.spare, buf[:cap(buf)])
}
