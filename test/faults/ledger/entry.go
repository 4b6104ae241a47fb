package ledger

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
)

// End is how one direction ended, as its reader saw it.
type End string

const (
	// EndOpen: it has not ended.
	EndOpen End = "open"
	// EndFIN: an orderly end.
	EndFIN End = "fin"
	// EndReset: an error, which is what the loss of a carrier must look like.
	EndReset End = "reset"
	// EndTimeout: the reader gave up waiting.
	EndTimeout End = "timeout"
)

// Entry is what one end saw of one direction.
type Entry struct {
	Stream    uint32
	Kind      Kind
	Direction Direction
	// Sent is how many bytes the plan has in this direction, Received how many
	// different ones of them came.
	Sent, Received uint64
	Faults         Faults
	End            End
	// WantReset: the plan ends this direction with a reset.
	WantReset bool
	// Err is what the reader's last Read returned, and At when.
	Err error
	At  time.Time
}

// Whole says that everything came, each byte once and in order, and then the
// end that the plan has.
func (e Entry) Whole() bool {
	if e.Faults.Total() > 0 {
		return false
	}
	if e.WantReset {
		return e.End == EndReset
	}
	return e.End == EndFIN && e.Received == e.Sent
}

// Lied says that an end looked whole and was not: EOF with bytes missing, or
// where a reset was due.
func (e Entry) Lied() bool {
	return e.End == EndFIN && (e.WantReset || e.Received != e.Sent)
}

// String is for failures.
func (e Entry) String() string {
	return fmt.Sprintf("stream %d %s %s: %d of %d bytes, %s at %s (%v), %+v", e.Stream, e.Kind, e.Direction, e.Received, e.Sent, e.End,
		e.At.UTC().Format("15:04:05.000"), e.Err, e.Faults)
}

// Tally sums entries up.
type Tally struct {
	Streams  int
	Survived int // both directions whole at both ends
	Reset    int // ended by a reset that the plan has not
	// Lied counts directions that ended with an EOF that was none.
	Lied int
	// NoEnd counts directions that came whole and whose end did not.
	NoEnd int
	// Open counts directions that had not ended when the reader gave up.
	Open   int
	Faults Faults
	// Bytes came in their place.
	Bytes uint64
	// Last is when the last direction ended.
	Last time.Time
	// Examples are entries that are not whole, at most ten.
	Examples []Entry
}

// Sum makes a tally of entries of both ends.
func Sum(entries ...[]Entry) Tally {
	var t Tally
	type state struct {
		bad   bool
		reset bool
	}
	streams := map[uint32]*state{}
	all := slices.Concat(entries...)
	slices.SortFunc(all, func(a, b Entry) int { return cmp.Compare(a.Stream, b.Stream) })
	for _, e := range all {
		s := streams[e.Stream]
		if s == nil {
			s = &state{}
			streams[e.Stream] = s
		}
		t.add(e)
		if e.Whole() {
			continue
		}
		s.bad = true
		s.reset = s.reset || e.End == EndReset
		if len(t.Examples) < 10 {
			t.Examples = append(t.Examples, e)
		}
	}
	t.Streams = len(streams)
	for _, s := range streams {
		switch {
		case !s.bad:
			t.Survived++
		case s.reset:
			t.Reset++
		}
	}
	return t
}

func (t *Tally) add(e Entry) {
	t.Bytes += e.Received
	t.Faults = t.Faults.add(e.Faults)
	if e.Lied() {
		t.Lied++
	}
	if e.End == EndOpen || e.End == EndTimeout {
		t.Open++
		if e.Received == e.Sent && !e.WantReset {
			t.NoEnd++
		}
	}
	if e.At.After(t.Last) {
		t.Last = e.At
	}
}

// Broken says that bytes or ends are wrong, whatever became of the carrier.
func (t Tally) Broken() error {
	var errs []error
	if t.Faults.Total() > 0 {
		errs = append(errs, fmt.Errorf("bytes: %+v", t.Faults))
	}
	if t.Lied > 0 {
		errs = append(errs, fmt.Errorf("%d directions ended with an EOF that was none", t.Lied))
	}
	if t.NoEnd > 0 {
		errs = append(errs, fmt.Errorf("%d half-closes lost", t.NoEnd))
	}
	if t.Open > 0 {
		errs = append(errs, fmt.Errorf("%d directions never ended", t.Open))
	}
	if len(errs) > 0 {
		for _, e := range t.Examples {
			errs = append(errs, errors.New(e.String()))
		}
	}
	return errors.Join(errs...)
}

// book keeps the entries of one end.
type book struct {
	mu      sync.Mutex
	entries []*Entry
	known   map[uint32]bool // streams that have begun
}

func (b *book) begin(stream uint32) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.known == nil {
		b.known = map[uint32]bool{}
	}
	b.known[stream] = true
}

func (b *book) knows(stream uint32) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.known[stream]
}

func (b *book) open(e Entry) *Entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	e.End = EndOpen
	b.entries = append(b.entries, &e)
	return &e
}

func (b *book) note(e *Entry, received uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e.Received, e.At = received, time.Now()
}

func (b *book) close(e *Entry, received uint64, f Faults, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e.Received, e.Faults, e.Err, e.At = received, f, err, time.Now()
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, io.EOF):
		e.End = EndFIN
	case errors.As(err, &timeout) && timeout.Timeout():
		e.End = EndTimeout
	default:
		e.End = EndReset
	}
}

// forget drops what has ended.
func (b *book) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.entries = slices.DeleteFunc(b.entries, func(e *Entry) bool { return e.End != EndOpen })
}

func (b *book) list() []Entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make([]Entry, len(b.entries))
	for i, e := range b.entries {
		out[i] = *e
	}
	return out
}
