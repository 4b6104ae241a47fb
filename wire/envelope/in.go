package envelope

import (
	"fmt"
	"time"
)

// In is the receiving half of a stream.
type In struct {
	q         queue  // payload [delivered, received)
	received  uint64 // payload bytes that came
	delivered uint64 // payload bytes that the local socket accepted
	told      uint64 // positions acknowledged so far
	limit     uint64 // as the peer knows it
	window    int
	grown     time.Time // when the window was last looked at
	grownAt   uint64    // delivered then
	budget    *Budget
	detached  bool // a reader that is gone may still write to the tail
	fin       bool // the peer's FIN came
	finTaken  bool // and was delivered
}

// Early reserves the window that a client has before the Verdict (host); false
// where the session has too many streams.
func (i *In) Early() bool { return i.widen(EarlyWindow, ofAll) }

// Open reserves the window with which receiving begins: a smaller one where the
// session has many streams; false where it has too many.
func (i *In) Open() bool {
	for _, first := range firstWindows {
		if i.widen(first.size, first.of) {
			return true
		}
	}
	return false
}

// widen makes the window at least as large as size, if the budget has that.
func (i *In) widen(size int, of share) bool {
	if i.window >= size {
		return true
	}
	if !i.budget.reserve(size-i.window, of) {
		return false
	}
	i.window = size
	i.limit = max(i.limit, i.delivered+uint64(size))
	return true
}

// Check says whether n bytes of a DATA frame, all that is still to come of it, are
// within the rules.
func (i *In) Check(n int) error {
	if i.fin {
		return ErrFin
	}
	if i.received+uint64(n) > i.limit {
		return fmt.Errorf("%d bytes at %d, limit %d: %w", n, i.received, i.limit, ErrLimit)
	}
	return nil
}

// Begin gives room for up to n bytes of a frame that Check let pass, maybe
// less than n; Commit ends it. In between the owner's lock need not be held.
func (i *In) Begin(n int) (*Chunk, []byte) {
	space := i.q.room(n)
	if space == nil || i.detached {
		i.detached = false
		i.q.push(take(min(n, i.most())))
		space = i.q.tail.Space()
	}
	i.q.tail.pin()
	return i.q.tail, space[:min(n, len(space))]
}

// most is how large a chunk may be: a window that is full takes little more memory
// than its bytes.
func (i *In) most() int {
	switch {
	case i.window < 4*mediumChunk:
		return smallChunk
	case i.window < 4*largeChunk:
		return mediumChunk
	}
	return largeChunk
}

// Commit says that n bytes were put into the room of Begin.
func (i *In) Commit(c *Chunk, n int) {
	if !c.dropped {
		c.Grow(n)
		i.q.n += n
		i.received += uint64(n)
	}
	c.unpin()
	i.q.trim()
}

// Put takes payload that Check let pass; whole is how much that was.
func (i *In) Put(p []byte, whole int) {
	for len(p) > 0 {
		c, space := i.Begin(whole)
		n := copy(space, p)
		i.Commit(c, n)
		p, whole = p[n:], whole-n
	}
}

// Fin takes the peer's FIN.
func (i *In) Fin() error {
	if i.fin {
		return ErrFin
	}
	i.fin = true
	return nil
}

// Len is how many bytes wait for the local socket.
func (i *In) Len() int { return i.q.n }

// Ended says that all payload was delivered and FIN came.
func (i *In) Ended() bool { return i.fin && i.q.n == 0 }

// FinSeen says that the peer's FIN came.
func (i *In) FinSeen() bool { return i.fin }

// Next gives the next bytes to deliver, nil where there are none; Take ends it.
// In between the owner's lock need not be held.
func (i *In) Next() (*Chunk, []byte) {
	for c := i.q.head; c != nil; c = c.next {
		if c.r < c.w {
			c.pin()
			return c, c.buf[c.r:c.w]
		}
	}
	return nil, nil
}

// Take says that n of the bytes of Next were delivered.
func (i *In) Take(c *Chunk, n int) {
	if !c.dropped {
		c.r += n
		i.q.n -= n
		i.delivered += uint64(n)
	}
	c.unpin()
	i.q.trim()
}

// Read delivers into p.
func (i *In) Read(p []byte) (n int) {
	for n < len(p) {
		c, b := i.Next()
		if c == nil {
			break
		}
		k := copy(p[n:], b)
		i.Take(c, k)
		n += k
	}
	return n
}

// TakeFin says that the end was delivered.
func (i *In) TakeFin() { i.finTaken = true }

// Pending says that there is something to acknowledge, Due that it should not
// wait: a quarter of the window, or the end.
func (i *In) Pending() bool { return i.position() != i.told }

// Due is explained at Pending.
func (i *In) Due() bool {
	return i.position()-i.told >= uint64(i.window/4) || i.finTaken && i.Pending()
}

func (i *In) position() uint64 {
	if i.finTaken {
		return i.delivered + 1
	}
	return i.delivered
}

// Ack gives the acknowledgement to send and takes it as told. The window
// doubles where half of it was delivered within four round trips: then it is
// the window that holds the peer back, not the local socket. rtt 0 is unknown.
func (i *In) Ack(now time.Time, rtt time.Duration) Acking {
	if half := uint64(i.window / 2); i.delivered-i.grownAt >= half {
		quick := rtt > 0 && !i.grown.IsZero() && now.Sub(i.grown) < 4*rtt
		if quick && i.window < MaxWindow {
			i.widen(2*i.window, ofGrowth)
		}
		i.grown, i.grownAt = now, i.delivered
	}
	i.told = i.position()
	i.limit = max(i.limit, i.delivered+uint64(i.window))
	return Acking{Delivered: i.told, Limit: i.limit}
}

// Detach says that what comes next is of another carrier: the room that Begin gave
// to the reader of the last one is not given again.
func (i *In) Detach() { i.detached = i.q.tail != nil }

// Last is the newest acknowledgement once more.
func (i *In) Last() Acking { return Acking{Delivered: i.position(), Limit: i.limit} }

// Done says that the end was delivered and acknowledged.
func (i *In) Done() bool { return i.finTaken && i.told == i.delivered+1 }

// Total is how many payload bytes came.
func (i *In) Total() uint64 { return i.received }

// Delivered is how many payload bytes the local socket accepted.
func (i *In) Delivered() uint64 { return i.delivered }

// Window is the present window.
func (i *In) Window() int { return i.window }

// Drop frees everything: the stream is over.
func (i *In) Drop() {
	i.q.clear()
	i.budget.release(i.window)
	i.window = 0
}
