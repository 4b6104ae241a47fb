package trunk

import (
	"bytes"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/sallyport/sallyport/wire/policer"
)

// recorder is a connection that notes each write.
type recorder struct {
	net.Conn
	writes [][]byte
	err    error
}

func (r *recorder) Write(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	r.writes = append(r.writes, bytes.Clone(p))
	return len(p), nil
}

func dataFrame(stream uint32, n int) (header, body []byte) {
	body = bytes.Repeat([]byte{byte(stream)}, n)
	return policer.Header{Stream: stream, Length: uint32(n)}.Append(nil), body
}

func TestFramerJoinsHeaderAndBody(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 64, record - policer.HeaderSize, record, 64<<10 - policer.HeaderSize} {
		r := &recorder{}
		f := newFramer(r, func() {}, true)
		header, body := dataFrame(1, n)
		f.expect()
		f.Write(header)
		if len(r.writes) != 0 {
			t.Fatalf("%d: the header went alone", n)
		}
		f.Write(body)
		if want := append(header, body...); !bytes.Equal(bytes.Join(r.writes, nil), want) {
			t.Errorf("%d: wrote %d bytes, want %d", n, len(bytes.Join(r.writes, nil)), len(want))
		}
		if first := len(r.writes[0]); first != min(record, policer.HeaderSize+n) {
			t.Errorf("%d: first write has %d bytes", n, first)
		}
	}
}

// Small frames wait for those that are announced, and for nothing else.
func TestFramerJoinsAnnouncedFrames(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	f := newFramer(r, func() {}, true)
	var want []byte
	for range 3 {
		f.expect()
	}
	for i := range uint32(3) {
		if len(r.writes) != 0 {
			t.Fatalf("wrote before frame %d", i)
		}
		header, body := dataFrame(i, 10)
		f.Write(header)
		f.Write(body)
		want = append(append(want, header...), body...)
	}
	if len(r.writes) != 1 || !bytes.Equal(r.writes[0], want) {
		t.Fatalf("%d writes, want one of %d bytes", len(r.writes), len(want))
	}
	f.expect()
	f.expect()
	header, body := dataFrame(9, 10)
	f.Write(header)
	f.Write(body)
	if len(r.writes) != 1 {
		t.Fatal("wrote although a frame is announced")
	}
	f.forget() // it does not come
	if len(r.writes) != 2 {
		t.Fatal("the frame stays")
	}
}

func TestFramerPutsPingsBetweenFrames(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	f := newFramer(r, func() {}, true)
	header, body := dataFrame(1, 100)
	f.expect()
	f.Write(header)
	f.ping(time.Now())
	if len(r.writes) != 0 {
		t.Fatal("the ping went into a frame")
	}
	f.Write(body)
	all := bytes.Join(r.writes, nil)
	rest := bytes.TrimPrefix(all, append(header, body...))
	if len(rest) != policer.HeaderSize || policer.ParseHeader([policer.HeaderSize]byte(rest)).Type != policer.TypePing {
		t.Fatalf("after the frame came %d bytes, want a ping", len(rest))
	}
	sent := policer.ParseHeader([policer.HeaderSize]byte(rest))
	f.pong(sent.Length+1, time.Now()) // the answer to another one
	if f.rtt.get() != 0 {
		t.Error("a foreign answer counts")
	}
	f.pong(sent.Length, time.Now().Add(time.Second))
	if got := f.rtt.get(); got < time.Second || got > 2*time.Second {
		t.Errorf("round trip %v, want about 1 s", got)
	}
}

func TestFramerTakesHeadersInPieces(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	f := newFramer(r, func() {}, true)
	header, body := dataFrame(1, 5)
	frame := append(header, body...)
	f.expect()
	for _, b := range frame {
		if n, err := f.Write([]byte{b}); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	}
	if got := bytes.Join(r.writes, nil); !bytes.Equal(got, frame) {
		t.Errorf("wrote %x, want %x", got, frame)
	}
}

func TestFramerKeepsItsFirstError(t *testing.T) {
	t.Parallel()
	first := errors.New("broken")
	closed := 0
	f := newFramer(&recorder{err: first}, func() { closed++ }, true)
	f.ping(time.Now())
	f.Close()
	if f.failure() != first || closed == 0 {
		t.Errorf("failure %v, closed %d times", f.failure(), closed)
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
