package envelope

import "sync"

// Sizes of chunks: small ones for what is typed or asked, medium ones for a TLS
// record, large ones for bulk.
const (
	smallChunk  = 4 << 10
	mediumChunk = 16 << 10
	largeChunk  = 64 << 10
)

var pools = [...]sync.Pool{
	{New: func() any { return &Chunk{buf: make([]byte, smallChunk)} }},
	{New: func() any { return &Chunk{buf: make([]byte, mediumChunk)} }},
	{New: func() any { return &Chunk{buf: make([]byte, largeChunk)} }},
}

// take gives an empty chunk of at least n bytes, or the largest, without Headroom: its
// bytes are never sent from there.
func take(n int) *Chunk {
	c := pools[class(n)].Get().(*Chunk)
	c.r, c.w = 0, 0
	return c
}

// class is which pool has chunks of n bytes.
func class(n int) int {
	switch {
	case n <= smallChunk:
		return 0
	case n <= mediumChunk:
		return 1
	}
	return 2
}

// Chunk is a pooled buffer: Headroom, then payload. Whoever touches its payload
// without the owner's lock holds a pin.
type Chunk struct {
	buf     []byte
	r, w    int // payload is buf[r:w]
	next    *Chunk
	pins    int
	dropped bool // to be freed with the last pin
}

// NewChunk takes a chunk with room for n bytes of payload, or for MaxPayload
// where n is more.
func NewChunk(n int) *Chunk {
	c := take(Headroom + n)
	c.r, c.w = Headroom, Headroom
	return c
}

// Free gives the chunk back. Nobody may use it afterwards.
func (c *Chunk) Free() {
	c.next, c.pins, c.dropped = nil, 0, false
	pools[class(len(c.buf))].Put(c)
}

// Space is where further payload goes.
func (c *Chunk) Space() []byte { return c.buf[c.w:] }

// Grow says that n bytes were put into Space.
func (c *Chunk) Grow(n int) { c.w += n }

// Payload is what was put in and not taken out.
func (c *Chunk) Payload() []byte { return c.buf[c.r:c.w] }

// frame gives Prefix bytes of room and a DATA frame of the payload, with an ACK
// in front of it where ack is not nil, all built in the headroom. It is valid
// until the chunk is freed.
func (c *Chunk) frame(ack *Acking) []byte {
	start := c.r - HeaderSize
	AppendData(c.buf[start:start], c.w-c.r)
	if ack != nil {
		start -= AckSize
		AppendAck(c.buf[start:start], *ack)
	}
	return c.buf[start-Prefix : c.w]
}

func (c *Chunk) pin() { c.pins++ }

// unpin frees the chunk where it was dropped meanwhile.
func (c *Chunk) unpin() {
	c.pins--
	if c.pins == 0 && c.dropped {
		c.Free()
	}
}

// drop frees the chunk now, or with its last pin.
func (c *Chunk) drop() {
	c.next = nil
	if c.pins == 0 {
		c.Free()
		return
	}
	c.dropped = true
}

// queue is a sequence of bytes in chunks.
type queue struct {
	head, tail *Chunk
	n          int
}

func (q *queue) push(c *Chunk) {
	if q.tail == nil {
		q.head = c
	} else {
		q.tail.next = c
	}
	q.tail = c
}

// room is the tail chunk's space, nil where a new chunk is better: frames do
// not get split for a few bytes.
func (q *queue) room(n int) []byte {
	const enough = 2 << 10
	if q.tail == nil {
		return nil
	}
	space := q.tail.Space()
	if len(space) < min(n, enough) {
		return nil
	}
	return space
}

// trim frees chunks at the head that are used up and not pinned.
func (q *queue) trim() {
	for c := q.head; c != nil && c.r == c.w && c.pins == 0; c = q.head {
		q.head = c.next
		if q.head == nil {
			q.tail = nil
		}
		c.Free()
	}
}

// discard takes n bytes off the head.
func (q *queue) discard(n int) {
	q.n -= n
	for c := q.head; n > 0; c = c.next {
		k := min(n, c.w-c.r)
		c.r += k
		n -= k
	}
	q.trim()
}

// clear drops everything.
func (q *queue) clear() {
	for c := q.head; c != nil; {
		next := c.next
		c.drop()
		c = next
	}
	*q = queue{}
}
