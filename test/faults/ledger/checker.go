package ledger

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// Faults are the bytes of one direction that are not as they were sent.
type Faults struct {
	// Lost were sent before one that came, and never came.
	Lost uint64
	// Doubled came more than once.
	Doubled uint64
	// Reordered came after one that was sent later.
	Reordered uint64
	// Crossed are of another stream, or of the other direction.
	Crossed uint64
	// Corrupt are of no stream.
	Corrupt uint64
}

// Total is the sum of them.
func (f Faults) Total() uint64 { return f.Lost + f.Doubled + f.Reordered + f.Crossed + f.Corrupt }

func (f Faults) add(g Faults) Faults {
	return Faults{f.Lost + g.Lost, f.Doubled + g.Doubled, f.Reordered + g.Reordered, f.Crossed + g.Crossed, f.Corrupt + g.Corrupt}
}

// window is how many bytes after a break are needed to find two whole words in
// a row, which say where they belong, with some corrupt ones before them.
const window = 8 * wordSize

// span is positions from (inclusive) to (exclusive).
type span struct{ from, to uint64 }

// checker compares what comes with what must come, and finds out where bytes
// belong that are out of place.
type checker struct {
	own    sequence
	seq    sequence // of the run that is being read
	run    span     // read of it so far
	came   []span   // of own: sorted, apart from each other
	top    uint64   // the highest position that came
	rest   []byte   // after a break: too few to say where they belong
	faults Faults
	buf    [4096]byte
}

func newChecker(own sequence) *checker { return &checker{own: own, seq: own} }

// write takes what came.
func (c *checker) write(p []byte) {
	if len(c.rest) > 0 {
		p = append(c.rest, p...)
		c.rest = nil
	}
	for len(p) > 0 {
		p = p[c.match(p):]
		if len(p) == 0 {
			return
		}
		if len(p) < window {
			c.rest = slices.Clone(p)
			return
		}
		p = p[c.relocate(p):]
	}
}

// match reads on in the run as long as the bytes are right.
func (c *checker) match(p []byte) (n int) {
	for n < len(p) {
		want := c.buf[:min(len(p)-n, len(c.buf))]
		c.seq.fill(want, c.run.to)
		k := common(want, p[n:])
		n += k
		c.run.to += uint64(k)
		if k < len(want) {
			break
		}
	}
	return n
}

func common(a, b []byte) (n int) {
	if b = b[:len(a)]; bytes.Equal(a, b) {
		return len(a)
	}
	for a[n] == b[n] {
		n++
	}
	return n
}

// relocate finds out where p belongs, whose first byte is not the one expected,
// begins a new run there, and returns how many bytes are corrupt before it.
func (c *checker) relocate(p []byte) int {
	for at := range len(p[:window]) - 2*wordSize + 1 {
		seq, number, ok := decode(c.own.seed, p[at:])
		if !ok {
			continue
		}
		start, bad := number*wordSize, at
		for bad > 0 && start > 0 && p[bad-1] == seq.byteAt(start-1) {
			bad, start = bad-1, start-1
		}
		c.faults.Corrupt += uint64(bad)
		if seq == c.seq && start == c.run.to+uint64(bad) {
			c.run.to = start // the corrupt ones stand where right ones were sent
			return bad
		}
		c.commit()
		c.seq, c.run = seq, span{start, start}
		return bad
	}
	c.faults.Corrupt++
	c.run.to++
	return 1
}

// decode says where two words in a row belong.
func decode(seed uint64, p []byte) (sequence, uint64, bool) {
	a, ka := origin(seed, binary.LittleEndian.Uint64(p))
	b, kb := origin(seed, binary.LittleEndian.Uint64(p[wordSize:]))
	return a, ka, a == b && kb == ka+1
}

func (s sequence) byteAt(at uint64) byte {
	var b [1]byte
	s.fill(b[:], at)
	return b[0]
}

// commit ends the run and counts what it brought.
func (c *checker) commit() {
	r := c.run
	n := r.to - r.from
	switch {
	case n == 0:
		return
	case c.seq != c.own:
		c.faults.Crossed += n
		return
	}
	again := uint64(0)
	for _, s := range c.came {
		if from, to := max(s.from, r.from), min(s.to, r.to); from < to {
			again += to - from
		}
	}
	c.faults.Doubled += again
	if below := min(r.to, c.top); below > r.from {
		c.faults.Reordered += below - r.from - again
	}
	c.top = max(c.top, r.to)
	c.came = merge(append(c.came, r))
}

// merge sorts spans and joins those that touch.
func merge(all []span) []span {
	slices.SortFunc(all, func(a, b span) int {
		if a.from < b.from {
			return -1
		}
		return 1
	})
	out := all[:1]
	for _, s := range all[1:] {
		if last := &out[len(out)-1]; s.from <= last.to {
			last.to = max(last.to, s.to)
		} else {
			out = append(out, s)
		}
	}
	return out
}

// end counts what is left, where the direction is over; received are the
// different bytes of its own that came.
func (c *checker) end() (received uint64, f Faults) {
	c.commit()
	c.run.from = c.run.to
	c.faults.Corrupt += uint64(len(c.rest))
	c.rest = nil
	for _, s := range c.came {
		received += s.to - s.from
	}
	f = c.faults
	f.Lost = c.top - received
	return received, f
}
