package envelope

import (
	"errors"
	"fmt"
)

// Windows.
const (
	// EarlyWindow is what a client may send before it has heard of a larger window.
	EarlyWindow = LeastWindow
	// LeastWindow is the window of a stream in a session that has very many, and what
	// each may keep for sending again whatever the others keep.
	LeastWindow = 4 << 10
	// FirstWindow is the window with which a stream begins elsewhere.
	FirstWindow = 64 << 10
	// MaxWindow is the most a window grows to.
	MaxWindow = 16 << 20
)

// Breaches of the sequence's rules.
var (
	ErrAck    = errors.New("acknowledgement of what was not sent")
	ErrLimit  = errors.New("data beyond the limit")
	ErrFin    = errors.New("data after the end")
	ErrEpoch  = errors.New("epoch is not larger than the last")
	ErrOffset = errors.New("offset out of what can be sent again")
	ErrID     = errors.New("attachment names another stream")
)

// Out is the sending half of a stream.
type Out struct {
	q      queue  // payload [acked, end), to be sent again
	acked  uint64 // positions that the peer's local socket accepted
	pos    uint64 // next payload position to go to the carrier
	end    uint64 // end of the payload taken in
	limit  uint64 // the peer's
	budget *Budget
	open   bool
	extra  int // what may be kept beyond LeastWindow, out of budget
	fin    bool
	finOut bool // FIN went to the carrier
	finAck bool
}

// Open lets sending begin, with a limit where the peer has not set one.
func (o *Out) Open(limit uint64) { o.open, o.limit = true, max(o.limit, limit) }

// Room is how many bytes may be taken in now, where want would be. It is bounded by
// the peer's limit and by what may be kept for sending again.
func (o *Out) Room(want int) int {
	if o.fin || !o.open {
		return 0
	}
	granted := int(min(o.limit-o.end, MaxPayload))
	kept := int(o.end - min(o.acked, o.end))
	for want = min(want, granted); LeastWindow+o.extra-kept < want && o.extra < MaxWindow; {
		more := max(o.extra, 4*LeastWindow)
		if !o.budget.reserve(more, ofGrowth) {
			break
		}
		o.extra += more
	}
	return max(0, min(granted, LeastWindow+o.extra-kept))
}

// Fresh says whether everything taken in went to the carrier: only then Put
// may be used.
func (o *Out) Fresh() bool { return o.pos == o.end }

// Put takes the payload of a fresh chunk into the sequence and gives the frame
// to write, with an acknowledgement in front where ack is not nil, and in front
// of all that Prefix bytes for the carrier. It is valid until Sent. The payload
// must fit Room, but that it may keep one chunk more than there is room for.
func (o *Out) Put(c *Chunk, ack *Acking) (frame []byte) {
	p := c.Payload()
	if len(p) >= len(c.buf)/2 { // else copied together: what is kept takes little more memory than its bytes
		o.q.push(c)
		o.q.n += len(p)
		c.pin()
	} else {
		o.keep(p)
	}
	o.end += uint64(len(p))
	o.pos = o.end
	return c.frame(ack)
}

// keep copies small payload together.
func (o *Out) keep(p []byte) {
	for len(p) > 0 {
		space := o.q.room(len(p))
		if space == nil {
			o.q.push(take(len(p)))
			space = o.q.room(len(p))
		}
		n := copy(space, p)
		o.q.tail.Grow(n)
		o.q.n += n
		p = p[n:]
	}
}

// Sent says that the frame of Put was written (or will never be), and frees
// the chunk where it is not kept.
func (o *Out) Sent(c *Chunk) {
	if c.pins == 0 { // copied
		c.Free()
		return
	}
	c.unpin()
	o.q.trim()
}

// CloseWrite puts FIN at the end of the sequence.
func (o *Out) CloseWrite() { o.fin = true }

// Closed says that CloseWrite was called.
func (o *Out) Closed() bool { return o.fin }

// FinDue says that FIN is the next thing to send.
func (o *Out) FinDue() bool { return o.fin && !o.finOut && o.pos == o.end }

// FinSent says that FIN went to the carrier.
func (o *Out) FinSent() { o.finOut = true }

// Ack takes the peer's acknowledgement. Older ones than the last are ignored.
func (o *Out) Ack(a Acking) error {
	top := o.end
	if o.finOut {
		top++
	}
	if a.Delivered > top {
		return fmt.Errorf("ack of %d, sent %d: %w", a.Delivered, top, ErrAck)
	}
	if a.Limit > a.Delivered && a.Limit-a.Delivered > MaxWindow {
		return fmt.Errorf("ack with a window of %d: %w", a.Limit-a.Delivered, ErrLimit)
	}
	if a.Delivered > o.acked {
		n := min(a.Delivered, o.end) - min(o.acked, o.end)
		o.q.discard(int(n))
		o.acked = a.Delivered
		o.pos = max(o.pos, min(o.acked, o.end))
		o.finAck = a.Delivered > o.end
	}
	o.limit = max(o.limit, a.Limit)
	if o.acked >= o.end {
		o.release()
	}
	return nil
}

// Done says that the peer acknowledged FIN, and with it everything.
func (o *Out) Done() bool { return o.finAck }

// Total is how many payload bytes were taken in.
func (o *Out) Total() uint64 { return o.end }

// Kept is how many bytes are kept for sending again.
func (o *Out) Kept() int { return o.q.n }

// Rewind goes back to what the peer received, on a new carrier.
func (o *Out) Rewind(received uint64, finSeen bool) error {
	if received < min(o.acked, o.end) || received > o.end || finSeen && (!o.fin || received != o.end) || o.finAck && !finSeen {
		return fmt.Errorf("attach at %d, can send %d to %d: %w", received, o.acked, o.end, ErrOffset)
	}
	o.pos = received
	o.finOut = finSeen
	return nil
}

// Again copies payload that must be sent again into p, and says how much.
func (o *Out) Again(p []byte) int {
	skip := int(o.pos - min(o.acked, o.end))
	total := 0
	for c := o.q.head; c != nil && total < len(p); c = c.next {
		have := c.Payload()
		if skip >= len(have) {
			skip -= len(have)
			continue
		}
		total += copy(p[total:], have[skip:])
		skip = 0
	}
	o.pos += uint64(total)
	return total
}

// Repeat puts up to most bytes that must be sent again into a chunk, and gives the
// frame to write as Put does, and how much payload it has.
func (o *Out) Repeat(c *Chunk, most int) (frame []byte, n int) {
	c.r, c.w = Headroom, Headroom
	n = o.Again(c.Space()[:most])
	c.Grow(n)
	return c.frame(nil), n
}

// Drop frees everything: the stream is over.
func (o *Out) Drop() {
	o.q.clear()
	o.release()
}

func (o *Out) release() {
	o.budget.release(o.extra)
	o.extra = 0
}
