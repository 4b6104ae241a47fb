package stream_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	mrand "math/rand/v2"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/wire/id"
	"github.com/sallyport/sallyport/wire/reason"
	"github.com/sallyport/sallyport/wire/stream"
	"github.com/sallyport/sallyport/wire/trunk"
)

// mover has streams go on with one trunk after the other.
type mover struct {
	t            testing.TB
	client, host *Trunk
	cut          func()

	mu   sync.Mutex
	held map[id.Stream]*Stream // at the host, live or parked
	wg   sync.WaitGroup

	parked []*Stream // at the client
}

func newMover(t testing.TB) *mover {
	m := &mover{t: t, held: make(map[id.Stream]*Stream)}
	m.connect(0)
	t.Cleanup(func() {
		m.client.CloseWith(nil)
		m.host.CloseWith(nil)
		<-m.client.Done()
		<-m.host.Done()
		m.wg.Wait()
	})
	return m
}

// connect makes a trunk through a relay that ends both connections once it has
// carried budget bytes, if that is not 0.
func (m *mover) connect(budget int64) {
	a, far := tcpPair(m.t)
	near, b := tcpPair(m.t)
	end := func() {
		for _, c := range []net.Conn{a, b, far, near} {
			c.Close()
		}
	}
	var err error
	if m.client, err = trunk.Client(a, a, trunk.Config{Resume: true}); err != nil {
		m.t.Fatal(err)
	}
	if m.host, err = trunk.Host(b, b, trunk.Config{Resume: true}); err != nil {
		m.t.Fatal(err)
	}
	m.cut = end
	left := make(chan int64, 1)
	left <- budget
	carry := func(to, from net.Conn) {
		defer end()
		buf := make([]byte, 8<<10)
		for {
			n, err := from.Read(buf)
			if budget > 0 {
				have := <-left
				n = int(min(int64(n), have))
				left <- have - int64(n)
				if have == int64(n) {
					to.Write(buf[:n])
					return
				}
			}
			if _, werr := to.Write(buf[:n]); err != nil || werr != nil {
				return
			}
		}
	}
	m.wg.Go(func() { carry(near, far) })
	m.wg.Go(func() { carry(far, near) })
	host := m.host
	m.wg.Go(func() { m.serve(host) })
}

// serve admits what is new, and joins what knocks with what is held.
func (m *mover) serve(host *Trunk) {
	for {
		s, err := host.Accept(m.t.Context())
		if err != nil {
			return
		}
		m.mu.Lock()
		old := m.held[s.ID()]
		switch {
		case !s.Knocks():
			m.held[s.ID()] = s
			s.Admit()
		case old == nil:
			s.Reset(&reason.Reason{Code: reason.CarrierLost, Text: "not held"})
		default:
			if err := old.GoOn(s); err != nil && !errors.Is(err, stream.ErrNoKnock) {
				m.t.Errorf("go on: %v", err)
			}
		}
		m.mu.Unlock()
	}
}

// reconnect waits for the loss of the trunk at both ends, and attaches what the
// client has left to a new one.
func (m *mover) reconnect(budget int64) {
	<-m.client.Done()
	<-m.host.Done()
	m.parked = append(m.parked, m.client.Remains()...)
	m.connect(budget)
	var failed []*Stream
	for _, s := range m.parked {
		if err := m.client.Attach(soon(m.t), s); err != nil && !errors.Is(err, stream.ErrSettled) {
			failed = append(failed, s) // this trunk is lost, too
		}
	}
	m.parked = failed
}

// open gives both ends of an admitted stream.
func (m *mover) open() (c, h *Stream) {
	m.t.Helper()
	c, err := m.client.Open(soon(m.t), id.NewStream(), id.NewTrace(), false)
	if err != nil {
		m.t.Fatal(err)
	}
	if err := c.Verdict(soon(m.t)); err != nil {
		m.t.Fatal(err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return c, m.held[c.ID()]
}

// feed writes pieces of random sizes, and ends the direction.
func feed(t testing.TB, s *Stream, data []byte) {
	for len(data) > 0 {
		n := min(len(data), 1+mrand.IntN(100<<10))
		if mrand.IntN(2) == 0 {
			n = min(n, 1+mrand.IntN(100))
		}
		if _, err := s.Write(data[:n]); err != nil {
			t.Errorf("write: %v", err)
			return
		}
		data = data[n:]
	}
	if err := s.CloseWrite(); err != nil {
		t.Errorf("close write: %v", err)
	}
}

// Streams survive the loss of dozens of trunks at any byte, with all their bytes and
// both ends of their directions.
func TestStreamsSurviveTheirTrunks(t *testing.T) {
	t.Parallel()
	const pairs, moves = 6, 60
	m := newMover(t)
	type pair struct{ c, h *Stream }
	var all []pair
	var wg sync.WaitGroup
	check := func(from, to *Stream, size int) {
		data := make([]byte, size)
		rand.Read(data)
		wg.Go(func() { feed(t, from, data) })
		wg.Go(func() {
			got, err := io.ReadAll(to)
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("read %d of %d bytes, %v", len(got), len(data), err)
			}
		})
	}
	for range pairs {
		c, h := m.open()
		all = append(all, pair{c, h})
	}
	m.cut() // before there is anything to carry, of which the moves carry a part
	for _, p := range all {
		check(p.c, p.h, 4<<20+mrand.IntN(6<<20))
		check(p.h, p.c, 4<<20+mrand.IntN(6<<20))
	}
	for range moves {
		m.reconnect(1 + mrand.Int64N(1<<19))
	}
	m.reconnect(0) // the rest on one that lasts; then what remains to be said
	wg.Wait()
	for range 3 {
		m.cut()
		m.reconnect(0)
	}
	var again uint64
	for _, p := range all {
		again += p.c.Replayed() + p.h.Replayed()
		over(t, p.c, p.h)
		if p.c.Err() != nil || p.h.Err() != nil {
			t.Errorf("ended with %v and %v", p.c.Err(), p.h.Err())
		}
		if !p.c.Parked().IsZero() || !p.h.Parked().IsZero() {
			t.Error("a stream that is over is parked")
		}
	}
	if again == 0 {
		t.Error("nothing was ever sent again")
	}
	if n := len(m.client.Remains()); n > 0 {
		t.Errorf("%d streams remain", n)
	}
}

// parked is a stream whose trunk was lost at both ends.
func parked(t *testing.T) (m *mover, c, h *Stream) {
	m = newMover(t)
	c, h = m.open()
	m.cut()
	<-m.client.Done()
	<-m.host.Done()
	if c.Parked().IsZero() || h.Parked().IsZero() || c.Err() != nil || h.Err() != nil {
		t.Fatalf("parked at %v and %v, errors %v and %v", c.Parked(), h.Parked(), c.Err(), h.Err())
	}
	return m, c, h
}

// What the local side asks of a parked stream waits, or ends with its deadline.
func TestParkedStreamWaits(t *testing.T) {
	t.Parallel()
	m, c, h := parked(t)
	c.SetDeadline(time.Now().Add(10 * time.Millisecond))
	if n, err := c.Write([]byte("x")); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("write: %d, %v", n, err)
	}
	if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read: %d, %v", n, err)
	}
	c.SetDeadline(time.Time{})
	go c.Write([]byte("later"))
	m.reconnect(0)
	got := make([]byte, 5)
	if _, err := io.ReadFull(h, got); err != nil || string(got) != "later" {
		t.Errorf("read %q, %v", got, err)
	}
	if !c.Parked().IsZero() || !h.Parked().IsZero() {
		t.Error("still parked")
	}
}

// What happened meanwhile is told on the next carrier: the end of a direction, and
// resets of either side with their reason.
func TestEndsWhileParked(t *testing.T) {
	t.Parallel()
	why := &reason.Reason{Code: "reset", Text: "by the application"}
	for _, test := range []struct {
		name string
		act  func(c, h *Stream)
		want func(t *testing.T, c, h *Stream)
	}{
		{"the client's end", func(c, h *Stream) { c.CloseWrite() }, func(t *testing.T, c, h *Stream) {
			if _, err := h.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("read: %v, want EOF", err)
			}
		}},
		{"the host's end", func(c, h *Stream) { h.CloseWrite() }, func(t *testing.T, c, h *Stream) {
			if _, err := c.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("read: %v, want EOF", err)
			}
		}},
		{"reset by the client", func(c, h *Stream) { c.Reset(why); over(t, c) }, func(t *testing.T, c, h *Stream) {
			over(t, h)
			if !errors.Is(h.Err(), why) {
				t.Errorf("host ended with %v", h.Err())
			}
		}},
		{"reset by the host", func(c, h *Stream) { h.Reset(why); over(t, h) }, func(t *testing.T, c, h *Stream) {
			over(t, c)
			if !errors.Is(c.Err(), why) {
				t.Errorf("client ended with %v", c.Err())
			}
		}},
		{"reset by both", func(c, h *Stream) { c.Reset(why); h.Reset(nil) }, func(t *testing.T, c, h *Stream) { over(t, c, h) }},
		{"both ends", func(c, h *Stream) { c.CloseWrite(); h.CloseWrite() }, func(t *testing.T, c, h *Stream) {
			io.ReadAll(c)
			io.ReadAll(h)
			over(t, c, h)
			if c.Err() != nil || h.Err() != nil {
				t.Errorf("ended with %v and %v", c.Err(), h.Err())
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			m, c, h := parked(t)
			test.act(c, h)
			m.reconnect(0)
			test.want(t, c, h)
		})
	}
}

// A stream that the host does not hold any more ends with the host's reason.
func TestStreamThatIsNotHeldEnds(t *testing.T) {
	t.Parallel()
	m, c, h := parked(t)
	delete(m.held, h.ID())
	m.reconnect(0)
	over(t, c)
	if !errors.Is(c.Err(), &reason.Reason{Code: reason.CarrierLost}) {
		t.Errorf("ended with %v", c.Err())
	}
	h.Reset(nil)
}

// A stream without Verdict is not worth waiting for: who opens it tries again.
func TestUndecidedStreamIsNotParked(t *testing.T) {
	t.Parallel()
	m := newMover(t)
	c, err := m.client.Open(soon(t), id.NewStream(), id.NewTrace(), false)
	if err != nil {
		t.Fatal(err)
	}
	m.client.Lose(io.ErrUnexpectedEOF)
	over(t, c)
	if err := c.Verdict(soon(t)); err == nil {
		t.Skip("the verdict was faster")
	}
	if !errors.Is(c.Err(), &reason.Reason{Code: reason.CarrierLost}) {
		t.Errorf("ended with %v", c.Err())
	}
}

// Streams of a trunk that is closed for a reason are not parked at either end:
// both are told.
func TestClosedTrunkParksNothing(t *testing.T) {
	t.Parallel()
	a, b := tcpPair(t)
	m := &mover{t: t, held: make(map[id.Stream]*Stream)}
	var err error
	if m.client, err = trunk.Client(a, a, trunk.Config{Resume: true}); err != nil {
		t.Fatal(err)
	}
	if m.host, err = trunk.Host(b, b, trunk.Config{Resume: true}); err != nil {
		t.Fatal(err)
	}
	go m.serve(m.host) // ends with it
	c, h := m.open()
	why := &reason.Reason{Code: "session-ended", Text: "signed out"}
	m.client.CloseWith(why)
	over(t, c, h)
	if !errors.Is(c.Err(), why) || !errors.Is(h.Err(), why) {
		t.Errorf("ended with %v and %v", c.Err(), h.Err())
	}
	<-m.client.Done()
	<-m.host.Done()
	if n := len(m.client.Remains()) + len(m.host.Remains()); n > 0 {
		t.Errorf("%d streams remain", n)
	}
	if err := m.client.Attach(soon(t), c); err == nil {
		t.Error("a trunk that is closed takes a stream")
	}
}

// A stream leaves a carrier that still lives: what that one brings afterwards does
// not count.
func TestOlderCarrierIsVoid(t *testing.T) {
	t.Parallel()
	m := newMover(t)
	c, h := m.open()
	data := make([]byte, 8<<20)
	rand.Read(data)
	var wg sync.WaitGroup
	for _, way := range [][2]*Stream{{c, h}, {h, c}} {
		wg.Go(func() { feed(t, way[0], data) })
		wg.Go(func() {
			got, err := io.ReadAll(way[1])
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("read %d of %d bytes, %v", len(got), len(data), err)
			}
		})
	}
	var before []*Trunk
	for range 10 {
		before = append(before, m.client)
		m.connect(0)
		eventually(t, "the last ATTACH is answered", func() bool {
			err := m.client.Attach(soon(t), c)
			if err != nil && !errors.Is(err, stream.ErrSettled) && !errors.Is(err, stream.ErrMoving) {
				t.Error(err)
			}
			return !errors.Is(err, stream.ErrMoving)
		})
		eventually(t, "it goes on", func() bool { return c.Over() || m.client.Streams() == 1 && m.host.Streams() == 1 })
	}
	wg.Wait()
	over(t, c, h)
	for _, b := range before {
		if b.Err() != nil {
			t.Errorf("a carrier that was left ended: %v", b.Err())
		}
		b.CloseWith(nil)
		<-b.Done()
	}
}
