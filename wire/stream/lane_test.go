package stream_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/wire/carrier"
	"github.com/sallyport/sallyport/wire/envelope"
	"github.com/sallyport/sallyport/wire/reason"
	"github.com/sallyport/sallyport/wire/stream"
	"github.com/sallyport/sallyport/wire/trunk"
)

// lane makes a lane beside the mover's trunk; cut breaks it.
func (m *mover) lane() (client, host *Trunk, cut func()) {
	m.t.Helper()
	a, b := tcpPair(m.t)
	client = trunk.Lane(a.(*net.TCPConn), a, trunk.Config{}, true)
	host = trunk.Lane(b.(*net.TCPConn), b, trunk.Config{}, false)
	m.wg.Go(func() { m.serve(host) })
	m.t.Cleanup(func() {
		client.CloseWith(nil)
		host.CloseWith(nil)
		<-client.Done()
		<-host.Done()
	})
	return client, host, func() {
		for _, c := range []net.Conn{a, b} {
			c.(*net.TCPConn).SetLinger(0)
			c.Close()
		}
	}
}

// ended waits for both ends of a lane.
func ended(t *testing.T, lanes ...*Trunk) {
	t.Helper()
	for _, l := range lanes {
		select {
		case <-l.Done():
		case <-time.After(patience):
			t.Fatal("a lane does not end")
		}
	}
}

// A stream that is busy both ways moves to a lane and back, again and again, and
// nobody notices; a lane that it has left ends at both ends.
func TestStreamMovesToLanesAndBack(t *testing.T) {
	t.Parallel()
	const size = 8 << 20
	m := newMover(t)
	c, h := m.open()
	var wg sync.WaitGroup
	check := func(from, to *Stream) {
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
	check(c, h)
	check(h, c)
	for range 5 {
		client, host, _ := m.lane()
		eventually(t, "the stream has come to the trunk", func() bool {
			err := client.Attach(soon(t), c)
			if err != nil && !errors.Is(err, stream.ErrMoving) {
				t.Fatal(err)
			}
			return err == nil
		})
		if err := client.Attach(soon(t), c); err == nil {
			t.Error("a lane took two streams")
		}
		at := func() uint64 { _, got := c.Counters(); return got }
		was := at()
		eventually(t, "something comes on the lane", func() bool { return at() > was || at() == size })
		if err := m.client.Attach(soon(t), c); err != nil {
			t.Fatal(err)
		}
		if err := client.Attach(soon(t), c); err == nil {
			t.Error("moved while it was on its way")
		}
		ended(t, client, host)
		if n := len(client.Remains()); n > 0 {
			t.Errorf("%d ends remain of a lane that was left", n)
		}
	}
	wg.Wait()
	over(t, c, h)
	if c.Err() != nil || h.Err() != nil {
		t.Errorf("ended with %v and %v", c.Err(), h.Err())
	}
	if m.client.Err() != nil {
		t.Errorf("the trunk ended: %v", m.client.Err())
	}
}

// onLane is a stream that has moved to a lane.
func onLane(t *testing.T) (m *mover, c, h *Stream, client, host *Trunk, cut func()) {
	t.Helper()
	m = newMover(t)
	c, h = m.open()
	client, host, cut = m.lane()
	if err := client.Attach(soon(t), c); err != nil {
		t.Fatal(err)
	}
	echo(t, c, h)
	if client.Streams() != 1 || host.Streams() != 1 || m.client.Streams() != 0 {
		t.Fatalf("streams: %d and %d on the lane, %d on the trunk", client.Streams(), host.Streams(), m.client.Streams())
	}
	return m, c, h, client, host, cut
}

// echo sends a byte each way.
func echo(t *testing.T, c, h *Stream) {
	t.Helper()
	for _, way := range [][2]*Stream{{c, h}, {h, c}} {
		if _, err := way[0].Write([]byte{7}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(way[1], make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
}

// A lane ends with its stream, and both ends know how that ended.
func TestLaneEndsWithItsStream(t *testing.T) {
	t.Parallel()
	cut := &reason.Reason{Code: "cut", Text: "why"}
	for _, test := range []struct {
		name string
		end  func(c, h *Stream, client *Trunk)
		code reason.Code // "" in order
	}{
		{"in order", func(c, h *Stream, _ *Trunk) { c.CloseWrite(); h.CloseWrite(); go io.ReadAll(c); go io.ReadAll(h) }, ""},
		{"reset by the client", func(c, _ *Stream, _ *Trunk) { c.Reset(cut) }, "cut"},
		{"reset by the host", func(_, h *Stream, _ *Trunk) { h.Reset(cut) }, "cut"},
		{"lane closed for a reason", func(_, _ *Stream, client *Trunk) { client.CloseWith(cut) }, "cut"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, c, h, client, host, _ := onLane(t)
			test.end(c, h, client)
			over(t, c, h)
			ended(t, client, host)
			for _, s := range []*Stream{c, h} {
				if err := s.Err(); test.code == "" && err != nil || test.code != "" && !errors.Is(err, &reason.Reason{Code: test.code}) {
					t.Errorf("ended with %v, want %q", err, test.code)
				}
			}
			if n := len(client.Remains()) + len(host.Remains()); n > 0 {
				t.Errorf("%d ends remain", n)
			}
		})
	}
}

// The loss of a lane parks its stream, which goes on with the trunk.
func TestLostLaneParksItsStream(t *testing.T) {
	t.Parallel()
	m, c, h, client, host, cut := onLane(t)
	cut()
	ended(t, client, host)
	if c.Parked().IsZero() || h.Parked().IsZero() || c.Err() != nil || h.Err() != nil {
		t.Fatalf("parked at %v and %v, errors %v and %v", c.Parked(), h.Parked(), c.Err(), h.Err())
	}
	if a, b := client.Remains(), host.Remains(); len(a) != 1 || a[0] != c || len(b) != 1 || b[0] != h {
		t.Errorf("remain %d and %d streams, want one at each end", len(a), len(b))
	}
	if err := m.client.Attach(soon(t), c); err != nil {
		t.Fatal(err)
	}
	echo(t, c, h)
}

// What a client has left on a trunk that lives, its host keeps until it goes on, or
// ends it, and not until the trunk ends, which may be days.
func TestTrunkKeepsNothingThatLeftIt(t *testing.T) {
	t.Parallel()
	for _, end := range []bool{false, true} {
		m := newMover(t)
		c, h := m.open()
		a, b := tcpPair(t)
		client := trunk.Lane(a.(*net.TCPConn), a, trunk.Config{}, true)
		host := trunk.Lane(b.(*net.TCPConn), b, trunk.Config{}, false)
		if err := client.Attach(soon(t), c); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the host keeps what its client has left", func() bool { return len(m.host.Remains()) == 1 })
		k, err := host.Accept(soon(t))
		if err != nil {
			t.Fatal(err)
		}
		if end {
			h.Reset(nil)
			k.Reset(nil)
		} else if err := h.GoOn(k); err != nil {
			t.Fatal(err)
		} else {
			echo(t, c, h)
		}
		if n := len(m.host.Remains()); n > 0 {
			t.Errorf("ended %t: %d streams remain", end, n)
		}
		client.CloseWith(nil)
		host.CloseWith(nil)
		ended(t, client, host)
	}
}

// Nothing begins on a lane.
func TestLaneOpensNothing(t *testing.T) {
	t.Parallel()
	a, b := tcpPair(t)
	host := trunk.Lane(b.(*net.TCPConn), b, trunk.Config{}, false)
	a.Write(envelope.AppendOpen(nil, envelope.Opening{ID: [16]byte{1}}))
	if s, err := host.Accept(context.Background()); err == nil {
		t.Errorf("accepted %v", s.ID())
	}
	ended(t, host)
	if !errors.Is(host.Err(), &reason.Reason{Code: reason.Protocol}) {
		t.Errorf("ended with %v, want %s", host.Err(), reason.Protocol)
	}
	a.Close()
}

// handLane is a lane with a stream at the host whose client is played by hand.
func handLane(t testing.TB) (m *mover, h *Stream, host *Trunk, a net.Conn) {
	t.Helper()
	m = newMover(t)
	_, h = m.open()
	a, b := tcpPair(t)
	host = trunk.Lane(b.(*net.TCPConn), b, trunk.Config{}, false)
	m.wg.Go(func() { m.serve(host) })
	t.Cleanup(func() {
		a.Close()
		host.CloseWith(nil)
		<-host.Done()
	})
	return m, h, host, a
}

// Each of these clients is left at once, with the reason that it broke the
// protocol.
func TestHostLeavesLanesThatBreakTheProtocol(t *testing.T) {
	t.Parallel()
	data := append(envelope.AppendData(nil, envelope.MaxPayload), make([]byte, envelope.MaxPayload)...)
	for _, test := range []struct {
		name  string
		first bool // begins with an ATTACH that is right
		send  []byte
	}{
		{"data first", false, data},
		{"unknown frame", false, []byte{99, 0, 0, 0}},
		{"yamux", false, []byte{0, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0}},
		{"attach twice", true, envelope.AppendAttach(nil, envelope.Attachment{ID: [16]byte{1}, Epoch: 9})},
		{"open after attach", true, envelope.AppendOpen(nil, envelope.Opening{})},
		{"acknowledgement of what was not sent", true, envelope.AppendAck(nil, envelope.Acking{Delivered: 1 << 40, Limit: 1<<40 + 1})},
		{"data beyond the window", true, bytes.Repeat(data, 1+envelope.MaxWindow/envelope.MaxPayload)},
		{"data after the end", true, append(envelope.AppendFin(nil), data...)},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, h, host, a := handLane(t)
			go io.Copy(io.Discard, a)
			if test.first {
				a.Write(envelope.AppendAttach(nil, envelope.Attachment{ID: h.ID(), Epoch: 1}))
			}
			a.Write(test.send)
			ended(t, host)
			if !errors.Is(host.Err(), &reason.Reason{Code: reason.Protocol}) {
				t.Errorf("ended with %v, want %s", host.Err(), reason.Protocol)
			}
		})
	}
}

// Whatever a client says on a lane, the host's end lives or leaves it; it does
// not break.
func FuzzLane(f *testing.F) {
	f.Add(envelope.AppendAck(nil, envelope.Acking{Limit: carrier.MaxOpening}))
	f.Add(envelope.AppendFin(nil))
	f.Add(append(envelope.AppendData(nil, 5), "hello"...))
	f.Add(envelope.AppendRst(nil, envelope.Words{Code: "x"}))
	f.Add(envelope.AppendAttach(nil, envelope.Attachment{Epoch: 2}))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, h, host, a := handLane(t)
		go io.Copy(io.Discard, a)
		go io.Copy(io.Discard, h)
		a.Write(envelope.AppendAttach(nil, envelope.Attachment{ID: h.ID(), Epoch: 1}))
		a.Write(b)
		a.(*net.TCPConn).CloseWrite()
		ended(t, host)
	})
}
