package framer

import (
	"bytes"
	"errors"
	"math"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/wire/carrier"
	"github.com/sallyport/sallyport/wire/policer"
)

// recorder is a connection that notes each write, and lets it happen when gate
// (nil: always open) says so.
type recorder struct {
	net.Conn
	gate chan struct{}

	mu     sync.Mutex
	writes [][]byte
	err    error
}

func (r *recorder) Write(p []byte) (int, error) {
	if r.gate != nil {
		<-r.gate
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return 0, r.err
	}
	r.writes = append(r.writes, bytes.Clone(p))
	return len(p), nil
}

func (r *recorder) all() ([]byte, int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return bytes.Join(r.writes, nil), len(r.writes)
}

func nobody(uint32) carrier.Feed { return nil }

func newTest(r *recorder) *Framer {
	return New(r, func() {}, nobody, policer.Limits{MaxFrame: 1 << 16})
}

// payload is a frame for Send, with room for its header.
func payload(fill byte, n int) []byte {
	return append(make([]byte, policer.HeaderSize), bytes.Repeat([]byte{fill}, n)...)
}

// onWire is the same with its header.
func onWire(stream uint32, frame []byte) []byte {
	h := policer.Header{Stream: stream, Length: uint32(len(frame) - policer.HeaderSize)}
	return append(h.Append(nil), frame[policer.HeaderSize:]...)
}

func TestSendIsOneWrite(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 64, 16 << 10, 64<<10 - policer.HeaderSize} {
		r := &recorder{}
		f := newTest(r)
		frame := payload('x', n)
		want := onWire(7, frame)
		if err := f.Send(7, frame, false); err != nil {
			t.Fatal(err)
		}
		if got, writes := r.all(); writes != 1 || !bytes.Equal(got, want) {
			t.Errorf("%d bytes: %d writes of %d bytes", n, writes, len(got))
		}
	}
}

// What opens a stream goes with the frame that follows.
func TestOpeningWaitsForItsFrame(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	f := newTest(r)
	syn := policer.Header{Type: policer.TypeWindowUpdate, Flags: policer.FlagSYN, Stream: 1}.Append(nil)
	if n, err := f.Write(syn); n != len(syn) || err != nil {
		t.Fatal(n, err)
	}
	if _, writes := r.all(); writes != 0 {
		t.Fatal("the header went alone")
	}
	frame := payload('x', 10)
	want := append(syn, onWire(1, frame)...)
	f.Send(1, frame, false)
	if got, writes := r.all(); writes != 1 || !bytes.Equal(got, want) {
		t.Errorf("%d writes of %q, want one of %q", writes, got, want)
	}
}

// Small frames that meet a busy connection are written together, and nobody
// waits for it; a large one waits for its turn. The order of each sender stays.
func TestSmallFramesMeetABusyConnection(t *testing.T) {
	t.Parallel()
	r := &recorder{gate: make(chan struct{})}
	f := newTest(r)
	var wg sync.WaitGroup
	first, large := payload('1', 100), payload('L', 40<<10)
	want := onWire(1, first)
	wg.Go(func() { f.Send(1, first, false) })
	await(t, func() bool { f.mu.Lock(); defer f.mu.Unlock(); return f.busy })
	wantLarge := onWire(99, large)
	wg.Go(func() { f.Send(99, large, false) })
	await(t, func() bool { return f.Waiting() == 1 })
	for i := range byte(20) { // none of them waits
		frame := payload(i, 50)
		want = append(want, onWire(uint32(i), frame)...)
		if err := f.Send(uint32(i), frame, false); err != nil {
			t.Fatal(err)
		}
	}
	close(r.gate)
	wg.Wait()
	if got, writes := r.all(); writes != 3 || !bytes.Equal(got, append(want, wantLarge...)) {
		t.Errorf("%d writes of %d bytes, want 3 of %d", writes, len(got), len(want)+len(wantLarge))
	}
	if f.busy || f.Stuck(time.Now()) != 0 {
		t.Error("the connection stays busy")
	}
}

func await(t *testing.T, ok func() bool) {
	t.Helper()
	timeout := time.After(20 * time.Second)
	for !ok() {
		select {
		case <-timeout:
			t.Fatal("never")
		case <-time.After(time.Millisecond):
		}
	}
}

// Many senders at once: every frame whole, each sender's in order, all get on,
// whether the carrier holds them up or not.
func TestManySenders(t *testing.T) {
	t.Parallel()
	for _, rate := range []float64{0, 1, 1e6} {
		r := &recorder{}
		f := newTest(r)
		f.rate.bits.Store(math.Float64bits(rate))
		f.rate.since = time.Hour // no window ends
		var wg sync.WaitGroup
		for s := range uint32(8) {
			wg.Go(func() {
				for i := range byte(100) {
					f.Send(s, payload(i, 1+int(i%7)*int(s)*500), false)
				}
			})
		}
		wg.Wait()
		checkOrder(t, r, 8, 100)
	}
}

// checkOrder reads what was written: frames from 0 on, of each stream.
func checkOrder(t *testing.T, r *recorder, streams uint32, frames byte) {
	t.Helper()
	all, _ := r.all()
	next := map[uint32]byte{}
	for len(all) > 0 {
		h := policer.ParseHeader([policer.HeaderSize]byte(all))
		body := all[policer.HeaderSize:][:h.Body()]
		if body[0] != next[h.Stream] || bytes.Count(body, body[:1]) != len(body) {
			t.Fatalf("stream %d: frame %d, want %d", h.Stream, body[0], next[h.Stream])
		}
		next[h.Stream]++
		all = all[policer.HeaderSize+len(body):]
	}
	for s := range streams {
		if next[s] != frames {
			t.Errorf("stream %d: %d frames", s, next[s])
		}
	}
}

func TestPingBetweenFrames(t *testing.T) {
	t.Parallel()
	r := &recorder{gate: make(chan struct{})}
	f := newTest(r)
	frame := payload('x', 100)
	want := onWire(1, frame)
	done := make(chan struct{})
	go func() { defer close(done); f.Send(1, frame, false) }()
	await(t, func() bool { f.mu.Lock(); defer f.mu.Unlock(); return f.busy })
	f.Ping(time.Now()) // does not wait
	close(r.gate)
	<-done
	all, _ := r.all()
	rest := bytes.TrimPrefix(all, want)
	if len(rest) != policer.HeaderSize {
		t.Fatalf("after the frame came %d bytes, want a ping", len(rest))
	}
	ping := policer.ParseHeader([policer.HeaderSize]byte(rest))
	if ping.Type != policer.TypePing || ping.Flags != policer.FlagSYN {
		t.Fatalf("after the frame came %+v, want a ping", ping)
	}
	f.rtt.answered(ping.Length+1, time.Now()) // the answer to another one
	if f.RTT() != 0 {
		t.Error("a foreign answer counts")
	}
	f.rtt.answered(ping.Length, time.Now().Add(time.Second))
	if got := f.RTT(); got < time.Second || got > 3*time.Second {
		t.Errorf("round trip %v, want about 1 s", got)
	}
}

func TestPingOnAnIdleConnection(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	f := newTest(r)
	f.Ping(time.Now())
	await(t, func() bool { got, _ := r.all(); return len(got) == policer.HeaderSize })
}

func TestWriteTakesHeadersOnly(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	f := newTest(r)
	fin := policer.Header{Type: policer.TypeWindowUpdate, Flags: policer.FlagFIN, Stream: 1}.Append(nil)
	for _, b := range fin { // even in pieces
		if n, err := f.Write([]byte{b}); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	}
	await(t, func() bool { got, _ := r.all(); return bytes.Equal(got, fin) })
	if _, err := f.Write(policer.Header{Length: 5}.Append(nil)); !errors.Is(err, errBody) || !errors.Is(f.Failure(), errBody) {
		t.Errorf("a header with payload: %v", err)
	}
}

// The acceptance and the close of a stream go with the next frame, behind what was queued
// before them, and by themselves only after a while.
func TestCloseTakesCompany(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{}
		f := newTest(r)
		fin := func(stream uint32) []byte {
			return policer.Header{Type: policer.TypeWindowUpdate, Flags: policer.FlagFIN, Stream: stream}.Append(nil)
		}
		wrote := func(want ...[]byte) {
			t.Helper()
			if got, _ := r.all(); !bytes.Equal(got, bytes.Join(want, nil)) {
				t.Fatalf("wrote %x, want %x", got, want)
			}
		}
		data := func(stream uint32) []byte {
			return append(policer.Header{Type: policer.TypeData, Stream: stream, Length: 5}.Append(nil), "hello"...)
		}
		f.Write(fin(1))
		f.Write(fin(3))
		wrote()
		time.Sleep(leaveWait / 2)
		f.Send(5, data(5), false)
		wrote(fin(1), fin(3), data(5))
		f.Send(7, data(7), true)
		f.Write(fin(7)) // something waits to be written with it
		wrote(fin(1), fin(3), data(5), data(7), fin(7))
		f.Write(fin(9))
		ack := policer.Header{Type: policer.TypeWindowUpdate, Flags: policer.FlagACK, Stream: 11}.Append(nil)
		time.Sleep(2 * leaveWait)
		wrote(fin(1), fin(3), data(5), data(7), fin(7), fin(9))
		f.Write(ack)
		wrote(fin(1), fin(3), data(5), data(7), fin(7), fin(9))
		time.Sleep(2 * leaveWait)
		wrote(fin(1), fin(3), data(5), data(7), fin(7), fin(9), ack)
	})
}

// An answer to a ping goes at once, whatever its flags.
func TestAnswersToPingsDoNotWait(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	f := newTest(r)
	pong := policer.Header{Type: policer.TypePing, Flags: policer.FlagACK}.Append(nil)
	f.Write(pong)
	if got, _ := r.all(); !bytes.Equal(got, pong) {
		t.Errorf("wrote %x, want %x", got, pong)
	}
}

// After an error everybody gets one, also who waits for a turn.
func TestErrorEndsAllWrites(t *testing.T) {
	t.Parallel()
	first := errors.New("broken")
	r := &recorder{gate: make(chan struct{}), err: first}
	closed := make(chan struct{})
	f := New(r, func() { close(closed) }, nobody, policer.Limits{})
	errs := make(chan error)
	for range 5 {
		go func() { errs <- f.Send(1, payload('x', 20<<10), false) }()
	}
	await(t, func() bool { return f.Waiting() == 4 })
	close(r.gate)
	for range 5 {
		if err := <-errs; !errors.Is(err, first) {
			t.Errorf("send: %v", err)
		}
	}
	<-closed
	f.Close()
	if !errors.Is(f.Failure(), first) {
		t.Errorf("failure %v, want the first", f.Failure())
	}
}

func TestRoundTripForgetsOldSamples(t *testing.T) {
	t.Parallel()
	var m rttMeter
	now := time.Now()
	sample := func(d time.Duration) {
		m.sent(1, now)
		m.answered(1, now.Add(d))
		now = now.Add(20 * time.Second)
	}
	sample(10 * time.Millisecond)
	sample(50 * time.Millisecond)
	if got := m.get(); got != 10*time.Millisecond {
		t.Errorf("round trip %v, want the shortest", got)
	}
	for range 6 {
		sample(80 * time.Millisecond)
	}
	if got := m.get(); got != 80*time.Millisecond {
		t.Errorf("round trip %v, want that of the new network", got)
	}
}
