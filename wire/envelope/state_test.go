package envelope

import (
	"bytes"
	"errors"
	"maps"
	"math/rand/v2"
	"testing"
	"time"
)

// side is one end of a stream in a test, without a carrier.
type side struct {
	State
	source  []byte // to be sent
	sunk    []byte // what came
	pending []byte // frames on the way to the other end
}

func newPair(seed uint64, size int) (a, b *side) {
	r := rand.New(rand.NewPCG(seed, 1))
	budget := newBudget(SessionBuffers, nil)
	for _, s := range []**side{&a, &b} {
		*s = &side{source: make([]byte, r.IntN(size+1))}
		for i := range (*s).source {
			(*s).source[i] = byte(r.Uint32())
		}
		(*s).Init(Opening{ID: [16]byte{1}}, budget)
		(*s).Out.Open(FirstWindow)
		(*s).In.Open()
	}
	return a, b
}

// step does one thing that an end could do now.
func (s *side) step(t *testing.T, r *rand.Rand) {
	t.Helper()
	switch r.IntN(5) {
	case 0, 1:
		s.sendSome(r)
	case 2, 3: // the local socket takes some
		p := make([]byte, 1+r.IntN(100_000))
		n := s.In.Read(p)
		s.sunk = append(s.sunk, p[:n]...)
		if s.In.Ended() {
			s.In.TakeFin()
		}
	case 4:
		if s.In.Pending() {
			s.pending = AppendAck(s.pending, s.In.Ack(time.Now(), time.Second))
		}
	}
}

// sendSome sends again what must be, then something new, then the end.
func (s *side) sendSome(r *rand.Rand) {
	if !s.Out.Fresh() {
		p := make([]byte, 1+r.IntN(MaxPayload))
		n := s.Out.Again(p)
		s.pending = append(AppendData(s.pending, n), p[:n]...)
		return
	}
	if n := min(s.Out.Room(MaxPayload), len(s.source), 1+r.IntN(MaxPayload)); n > 0 {
		c := NewChunk(n)
		n = copy(c.Space(), s.source[:n])
		c.Grow(n)
		s.source = s.source[n:]
		var ack *Acking
		if s.In.Pending() {
			a := s.In.Ack(time.Now(), time.Second)
			ack = &a
		}
		s.pending = append(s.pending, s.Out.Put(c, ack)[Prefix:]...)
		s.Out.Sent(c)
	}
	if len(s.source) == 0 {
		s.Out.CloseWrite()
	}
	if s.Out.FinDue() {
		s.pending = AppendFin(s.pending)
		s.Out.FinSent()
	}
}

// receive takes frames of the other end, the last one perhaps only in part.
func (s *side) receive(t *testing.T, b []byte) {
	t.Helper()
	for len(b) >= HeaderSize {
		kind, n, err := ParseHeader([HeaderSize]byte(b))
		if err != nil {
			t.Fatal(err)
		}
		b = b[HeaderSize:]
		whole := len(b) >= n
		body := b[:min(n, len(b))]
		b = b[len(body):]
		switch {
		case kind == Data:
			if err := s.In.Check(n); err != nil {
				t.Fatal(err)
			}
			for len(body) > 0 {
				c, space := s.In.Begin(len(body))
				k := copy(space, body)
				s.In.Commit(c, k)
				body = body[k:]
			}
		case !whole:
			return
		case kind == Ack:
			a, _ := ParseAck(body)
			if err := s.Out.Ack(a); err != nil {
				t.Fatal(err)
			}
		case kind == Fin:
			if err := s.In.Fin(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// Streams over carriers that are cut at any byte and replaced: nothing is lost,
// doubled or out of order, and both directions end in order. The local sockets
// take what they like.
func TestStreamSurvivesItsCarriers(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		a, b := newPair(seed, 600_000)
		wantA, wantB := bytes.Clone(a.source), bytes.Clone(b.source)
		r := rand.New(rand.NewPCG(seed, 2))
		for round := 0; !a.Over() || !b.Over(); round++ {
			if round > 1_000_000 {
				t.Fatalf("seed %d: no end", seed)
			}
			for _, x := range []struct{ from, to *side }{{a, b}, {b, a}} {
				x.from.step(t, r)
				if r.IntN(3) == 0 {
					x.to.receive(t, x.from.pending)
					x.from.pending = nil
				}
			}
			if r.IntN(200) == 0 {
				cutAndAttach(t, r, a, b)
			}
		}
		if !bytes.Equal(b.sunk, wantA) || !bytes.Equal(a.sunk, wantB) {
			t.Fatalf("seed %d: %d of %d and %d of %d bytes", seed, len(b.sunk), len(wantA), len(a.sunk), len(wantB))
		}
		if a.Out.Kept()+b.Out.Kept()+a.In.Len()+b.In.Len() != 0 {
			t.Fatalf("seed %d: bytes remain", seed)
		}
		a.Drop()
		b.Drop()
	}
}

// cutAndAttach loses what is on the way, except for a first part of it, and
// attaches both ends to a new carrier. a is the client.
func cutAndAttach(t *testing.T, r *rand.Rand, a, b *side) {
	t.Helper()
	if a.Over() || b.Over() {
		return // over is over: an end that has nothing to say is not asked
	}
	a.receive(t, b.pending[:r.IntN(len(b.pending)+1)])
	b.receive(t, a.pending[:r.IntN(len(a.pending)+1)])
	a.pending, b.pending = nil, nil
	a.Epoch++
	hello := a.Attachment(a.Epoch)
	reply := b.Attachment(a.Epoch)
	if err := b.Attach(hello, false); err != nil {
		t.Fatal(err)
	}
	if err := a.Attach(reply, true); err != nil {
		t.Fatal(err)
	}
	// What was told may be lost with the carrier: it is told again.
	for _, s := range []*side{a, b} {
		s.pending = AppendAck(s.pending, s.In.Ack(time.Now(), time.Second))
	}
}

func TestAttachIsChecked(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		a    Attachment
		want error
	}{
		{"as sent", Attachment{ID: [16]byte{1}, Epoch: 4, Received: 100}, nil},
		{"part received", Attachment{ID: [16]byte{1}, Epoch: 9, Received: 40}, nil},
		{"another stream", Attachment{ID: [16]byte{2}, Epoch: 4, Received: 100}, ErrID},
		{"an old epoch", Attachment{ID: [16]byte{1}, Epoch: 3, Received: 100}, ErrEpoch},
		{"more than was sent", Attachment{ID: [16]byte{1}, Epoch: 4, Received: 101}, ErrOffset},
		{"less than was delivered", Attachment{ID: [16]byte{1}, Epoch: 4, Received: 39}, ErrOffset},
		{"an end that was not sent", Attachment{ID: [16]byte{1}, Epoch: 4, Received: 100, FinSeen: true}, ErrOffset},
	} {
		var s State
		s.Init(Opening{ID: [16]byte{1}}, nil)
		s.Epoch = 3
		s.Out.Open(FirstWindow)
		c := NewChunk(100)
		c.Grow(100)
		s.Out.Put(c, nil)
		s.Out.Sent(c)
		if err := s.Out.Ack(Acking{Delivered: 40, Limit: FirstWindow}); err != nil {
			t.Fatal(err)
		}
		if err := s.Attach(test.a, false); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
}

func TestAckIsChecked(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		ack  Acking
		want error
	}{
		{"of what was sent", Acking{100, 100 + FirstWindow}, nil},
		{"an old one", Acking{0, 1}, nil},
		{"of more", Acking{101, 101}, ErrAck},
		{"with too large a window", Acking{0, MaxWindow + 1}, ErrLimit},
		{"with a limit about to overflow", Acking{1, 1<<64 - 1}, ErrLimit},
	} {
		var o Out
		o.Open(FirstWindow)
		c := NewChunk(100)
		c.Grow(100)
		o.Put(c, nil)
		o.Sent(c)
		if err := o.Ack(test.ack); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
		o.Drop()
	}
}

// A peer that acknowledges a chunk while it is being written must not have it
// reused under the write.
func TestChunkInWriteIsNotReused(t *testing.T) {
	t.Parallel()
	var o Out
	o.Open(MaxWindow)
	c := NewChunk(MaxPayload)
	c.Grow(40_000)
	frame := o.Put(c, nil)
	if err := o.Ack(Acking{Delivered: 40_000, Limit: MaxWindow}); err != nil {
		t.Fatal(err)
	}
	if c.pins != 1 || o.q.head != c {
		t.Fatalf("the chunk is free with %d pins", c.pins)
	}
	if len(frame) != Prefix+HeaderSize+40_000 {
		t.Fatalf("frame of %d bytes", len(frame))
	}
	o.Sent(c)
	if o.q.head != nil {
		t.Fatal("the chunk stays after its write")
	}
	// The same where the stream ends meanwhile.
	c = NewChunk(MaxPayload)
	c.Grow(40_000)
	o.Put(c, nil)
	o.Drop()
	if !c.dropped {
		t.Fatal("the chunk is free while it is written")
	}
	o.Sent(c)
}

// Bytes that wait take about as much memory as they are, however small the
// frames.
func TestSmallFramesAreKeptTogether(t *testing.T) {
	t.Parallel()
	var in In
	in.Open()
	var out Out
	out.Open(FirstWindow)
	for range FirstWindow {
		if err := in.Check(1); err != nil {
			t.Fatal(err)
		}
		c, space := in.Begin(1)
		space[0] = 'x'
		in.Commit(c, 1)
		c = NewChunk(1)
		c.Grow(1)
		out.Put(c, nil)
		out.Sent(c)
	}
	for name, q := range map[string]*queue{"received": &in.q, "kept": &out.q} {
		size := 0
		for c := q.head; c != nil; c = c.next {
			size += len(c.buf)
		}
		if size > 2*FirstWindow {
			t.Errorf("%s: %d bytes take %d", name, FirstWindow, size)
		}
	}
	if err := in.Check(1); !errors.Is(err, ErrLimit) {
		t.Errorf("beyond the window: %v", err)
	}
	if out.Room(1) != 0 {
		t.Errorf("room %d beyond the window", out.Room(1))
	}
	in.Drop()
	out.Drop()
}

func TestWindowDoublesWhileItIsWhatHolds(t *testing.T) {
	t.Parallel()
	const rtt = 50 * time.Millisecond
	for _, test := range []struct {
		name   string
		pause  time.Duration // per quarter of the window
		budget int64
		first  int
		want   int
	}{
		{"delivered within a round trip", rtt / 4, 2 * MaxWindow, FirstWindow, MaxWindow},
		{"delivered slowly", 10 * rtt, 2 * MaxWindow, FirstWindow, FirstWindow},
		{"a budget for the first", rtt / 4, 4 * FirstWindow, FirstWindow, 2 * FirstWindow},
		{"a budget of three quarters", rtt / 4, 8 * FirstWindow, FirstWindow, 4 * FirstWindow},
		{"a small budget", rtt / 4, FirstWindow, FirstWindow / 4, FirstWindow / 2},
		{"the least", rtt / 4, LeastWindow, LeastWindow, LeastWindow},
	} {
		budget := newBudget(test.budget, nil)
		var in In
		in.budget = budget
		if !in.Open() || in.Window() != test.first {
			t.Errorf("%s: begins with %d", test.name, in.Window())
		}
		now := time.Now()
		for range 100 {
			for !in.Due() {
				c, space := in.Begin(LeastWindow)
				in.Commit(c, len(space))
				chunk, b := in.Next()
				in.Take(chunk, len(b))
			}
			now = now.Add(test.pause)
			in.Ack(now, rtt)
		}
		if in.Window() != test.want {
			t.Errorf("%s: window %d, want %d", test.name, in.Window(), test.want)
		}
		if used := budget.Used(); used != int64(in.Window()) {
			t.Errorf("%s: budget used %d", test.name, used)
		}
		in.Drop()
		in.Drop()
		if used := budget.Used(); used != 0 {
			t.Errorf("%s: budget used %d at the end", test.name, used)
		}
	}
}

// Streams begin with less the more of them there are, and what they were granted
// stays within the budget: no one is ended for what it was allowed.
func TestManyStreamsBeginSmall(t *testing.T) {
	t.Parallel()
	budget := newBudget(SessionBuffers, nil)
	begun := map[int]int{}
	var all []*In
	for {
		in := &In{budget: budget}
		if !in.Early() {
			break
		}
		if in.Window() != EarlyWindow || !in.Open() {
			t.Fatalf("window %d after %v", in.Window(), begun)
		}
		begun[in.Window()]++
		all = append(all, in)
	}
	want := map[int]int{
		FirstWindow:     SessionBuffers / 4 / FirstWindow,
		FirstWindow / 4: SessionBuffers / 4 / (FirstWindow / 4),
		LeastWindow:     SessionBuffers / 2 / LeastWindow,
	}
	if !maps.Equal(begun, want) || budget.Used() != SessionBuffers {
		t.Errorf("begun %v with %d, want %v", begun, budget.Used(), want)
	}
	if (&In{budget: budget}).Open() {
		t.Error("one more has a window")
	}
	for _, in := range all {
		in.Drop()
	}
	if budget.Used() != 0 {
		t.Errorf("%d used at the end", budget.Used())
	}
}

// fill takes in all that there is room for.
func fill(o *Out) {
	for o.Room(MaxPayload) > 0 {
		c := NewChunk(o.Room(MaxPayload))
		c.Grow(min(o.Room(MaxPayload), len(c.Space())))
		o.Put(c, nil)
		o.Sent(c)
	}
}

func TestKeptBytesAreBudgeted(t *testing.T) {
	t.Parallel()
	budget := newBudget(4*MaxPayload, nil)
	var o Out
	o.budget = budget
	o.Open(MaxWindow)
	if o.Room(100) < 100 || budget.Used() != 0 {
		t.Errorf("room for 100 is %d, and takes %d", o.Room(100), budget.Used())
	}
	fill(&o)
	if o.Kept() != int(LeastWindow+budget.Used()) || budget.Used() < MaxPayload || budget.Used() > 3*MaxPayload {
		t.Errorf("keeps %d, budget %d", o.Kept(), budget.Used())
	}
	other := Out{budget: budget}
	other.Open(MaxWindow)
	if other.Room(MaxPayload) < LeastWindow {
		t.Errorf("another has room for %d", other.Room(MaxPayload))
	}
	other.Drop()
	if err := o.Ack(Acking{Delivered: o.Total(), Limit: o.Total()}); err != nil {
		t.Fatal(err)
	}
	if budget.Used() != 0 {
		t.Errorf("budget %d with nothing kept", budget.Used())
	}
}

func TestBudgetUnderBudget(t *testing.T) {
	t.Parallel()
	all := newBudget(100, nil)
	x, y := newBudget(80, all), newBudget(80, all)
	if !x.reserve(70, ofAll) || x.reserve(20, ofAll) || y.reserve(40, ofAll) || y.reserve(30, ofGrowth) || !y.reserve(30, ofAll) {
		t.Errorf("used %d and %d of %d", x.Used(), y.Used(), all.Used())
	}
	x.release(70)
	y.release(30)
	if x.Used() != 0 || y.Used() != 0 || all.Used() != 0 {
		t.Errorf("used %d and %d of %d at the end", x.Used(), y.Used(), all.Used())
	}
}

// Another end that acknowledges nothing takes what one session may keep, and leaves
// the rest of the process's to others.
func TestKeptIsBoundedForASession(t *testing.T) {
	t.Parallel()
	all := newBudget(ProcessBuffers, nil)
	mine, other := newBudget(SessionBuffers, all), newBudget(SessionBuffers, all)
	keep := func(b *Budget) (kept int) {
		for range 8 {
			var s State
			s.Init(Opening{}, b)
			s.Out.Open(MaxWindow)
			fill(&s.Out)
			kept += s.Out.Kept()
		}
		return kept
	}
	if n := keep(mine); n > SessionBuffers/4*3+8*LeastWindow {
		t.Errorf("%d MiB are kept of one session", n>>20)
	}
	if n := keep(other); n < SessionBuffers/2 {
		t.Errorf("only %d MiB are left to another", n>>20)
	}
}

// However a window is filled, what waits takes at most half as much memory again as
// was granted.
func TestFullWindowsTakeWhatWasGranted(t *testing.T) {
	t.Parallel()
	for _, window := range []int{LeastWindow, FirstWindow / 4, FirstWindow, 16 * FirstWindow} {
		for _, frame := range []int{1, 1000, LeastWindow - 1, 5000, 20_000, MaxPayload} {
			in := In{window: window, limit: uint64(window)}
			for left := window; left > 0; {
				n := min(left, frame)
				if err := in.Check(n); err != nil {
					t.Fatal(err)
				}
				for left -= n; n > 0; {
					c, space := in.Begin(n)
					in.Commit(c, len(space))
					n -= len(space)
				}
			}
			size := 0
			for c := in.q.head; c != nil; c = c.next {
				size += len(c.buf)
			}
			if size > window*3/2 {
				t.Errorf("a window of %d in frames of %d takes %d", window, frame, size)
			}
			in.Drop()
		}
	}
}
