package framer

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/wire/carrier"
	"github.com/sallyport/sallyport/wire/policer"
)

// bowl is a feed that keeps what it gets.
type bowl struct {
	got  []byte
	room []byte // given out by Room; nil: none is
	err  error
}

func (b *bowl) Room(n int) []byte {
	if b.room == nil {
		return nil
	}
	return b.room[:min(n, len(b.room))]
}

func (b *bowl) Filled(n int) { b.got = append(b.got, b.room[:n]...) }

func (b *bowl) Feed(p []byte) { b.got = append(b.got, p...) }

func (b *bowl) End(err error) { b.err = err }

// pieces is a connection that gives bytes in reads of at most cut bytes, each every
// later than the last, and then an error or nothing more.
type pieces struct {
	net.Conn
	rest  []byte
	cut   int
	every time.Duration
	err   error
}

func (c *pieces) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		if c.err == nil {
			select {}
		}
		return 0, c.err
	}
	<-time.After(c.every)
	n := copy(p[:min(len(p), c.cut)], c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

var roomy = policer.Limits{
	MaxFrame: 1 << 16, MaxStreams: 100, Opens: policer.Rate{PerSecond: 1e6, Burst: 1e6},
	Pings: policer.Rate{PerSecond: 1e6, Burst: 1e6}, Control: policer.Rate{PerSecond: 1e6, Burst: 1e6},
	Unknown: policer.Rate{PerSecond: 1e6, Burst: 1e6},
}

func frames(list ...policer.Header) (b []byte) {
	for _, h := range list {
		b = h.Append(b)
		b = append(b, bytes.Repeat([]byte{byte(h.Stream)}, h.Body())...)
	}
	return b
}

// yamux sees what opens, grants and closes; payload goes to the stream's feed, however
// the bytes are cut.
func TestPayloadPassesYamuxBy(t *testing.T) {
	t.Parallel()
	open := func(id uint32) policer.Header {
		return policer.Header{Type: policer.TypeWindowUpdate, Flags: policer.FlagSYN, Stream: id}
	}
	ping := policer.Header{Type: policer.TypePing, Flags: policer.FlagSYN, Length: 9}
	in := frames(
		open(1), policer.Header{Stream: 1, Length: 5}, ping,
		policer.Header{Flags: policer.FlagSYN, Stream: 3, Length: 7}, // opens with payload
		policer.Header{Stream: 1, Length: 300},
		policer.Header{Flags: policer.FlagFIN, Stream: 3, Length: 2}, // closes with payload
		open(5), policer.Header{Stream: 5, Length: 4}, // nobody takes it
		policer.Header{Type: policer.TypeWindowUpdate, Flags: policer.FlagRST, Stream: 1},
	)
	want := frames(
		open(1), ping, policer.Header{Flags: policer.FlagSYN, Stream: 3}, policer.Header{Flags: policer.FlagFIN, Stream: 3},
		open(5), policer.Header{Type: policer.TypeWindowUpdate, Flags: policer.FlagRST, Stream: 1},
	)
	for _, cut := range []int{1, 5, 11, 12, 13, 100, 4096} {
		for _, room := range []int{0, 1, 50} {
			feeds := map[uint32]*bowl{1: {}, 3: {}}
			if room > 0 {
				feeds[1].room = make([]byte, room)
			}
			f := New(&pieces{rest: in, cut: cut, err: io.EOF}, func() {}, func(id uint32) carrier.Feed {
				if b := feeds[id]; b != nil {
					return b
				}
				return nil
			}, roomy)
			var got []byte
			buf := make([]byte, 4096)
			for {
				n, err := f.Read(buf)
				got = append(got, buf[:n]...)
				if err != nil {
					break
				}
			}
			if !bytes.Equal(got, want) {
				t.Errorf("cut %d, room %d: yamux sees %x, want %x", cut, room, got, want)
			}
			for id, want := range map[uint32]int{1: 305, 3: 9} {
				if b := feeds[id]; len(b.got) != want || !bytes.Equal(b.got, bytes.Repeat([]byte{byte(id)}, want)) {
					t.Errorf("cut %d, room %d: stream %d got %x", cut, room, id, b.got)
				}
			}
			if feeds[1].err != errAborted || feeds[3].err != io.EOF {
				t.Errorf("cut %d, room %d: ended with %v and %v", cut, room, feeds[1].err, feeds[3].err)
			}
			if err := f.Failure(); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("the connection ended with %v", err)
			}
		}
	}
}

// A stream has the feed that was expected, until yamux resets it.
func TestFeedsEnd(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	f := New(r, func() {}, nil, roomy)
	syn := func(id uint32) {
		f.Write(frames(policer.Header{Type: policer.TypeWindowUpdate, Flags: policer.FlagSYN, Stream: id}))
	}
	var one, two, three bowl
	f.Expect(&one)
	syn(1)
	f.Expect(&two)
	f.Expect(nil) // was not opened
	syn(3)
	f.Expect(&three)
	syn(5)
	f.Write(frames(policer.Header{Type: policer.TypeWindowUpdate, Flags: policer.FlagRST, Stream: 5}))
	if one.err != nil || two.err != nil || three.err != errAborted {
		t.Errorf("ended with %v, %v, %v", one.err, two.err, three.err)
	}
}

// A client whose yamux counts its window is not held up: half of it is always open.
func TestWindowStaysOpen(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	f := New(r, func() {}, func(uint32) carrier.Feed { return &bowl{} }, roomy)
	f.begin(&policer.Header{Flags: policer.FlagSYN, Stream: 1, Length: Window/2 - 1})
	if _, writes := r.all(); writes > 0 {
		t.Error("more is granted before half was used")
	}
	f.begin(&policer.Header{Stream: 1, Length: 1})
	want := policer.Header{Type: policer.TypeWindowUpdate, Stream: 1, Length: Window / 2}.Append(nil)
	await(t, func() bool { got, _ := r.all(); return bytes.Equal(got, want) })
}

func TestBreachEndsReading(t *testing.T) {
	t.Parallel()
	f := New(&pieces{rest: frames(policer.Header{Stream: 7, Length: 1}), cut: 100}, func() {}, nobody, roomy)
	var v *policer.Violation
	if n, err := f.Read(make([]byte, 4096)); n != 0 || !errors.As(err, &v) || v.Rule != policer.RuleParity {
		t.Errorf("%d bytes, %v", n, err)
	}
	if !errors.As(f.Failure(), &v) {
		t.Errorf("failure %v", f.Failure())
	}
	if _, err := f.Read(make([]byte, policer.HeaderSize)); err != io.ErrShortBuffer {
		t.Errorf("no room for what came before: %v", err)
	}
}

func TestStalledFrame(t *testing.T) {
	t.Parallel()
	const length = 8 << 10 // may take 12 s
	whole := frames(policer.Header{Type: policer.TypeWindowUpdate, Flags: policer.FlagSYN, Stream: 1}, policer.Header{Stream: 1, Length: length})
	for _, test := range []struct {
		name  string
		bytes int
		cut   int
		every time.Duration // before each read
		after time.Duration
		want  bool
	}{
		{"nothing yet", 0, 1, 0, time.Hour, false},
		{"whole frames", len(whole), len(whole), 0, time.Hour, false},
		{"half a header, lately", 5, 5, 0, 9 * time.Second, false},
		{"half a header, long ago", 5, 5, 0, 11 * time.Second, true},
		{"header and nothing", 24, 24, 0, 11 * time.Second, true},
		{"half a body, lately", 500, 500, 0, 9 * time.Second, false},
		{"half a body, long ago", 500, 500, 0, 11 * time.Second, true},
		{"a body that drips", 24 + 130, 10, time.Second, 0, true},
		{"a body that is slow", 24 + 100, 10, time.Second, 0, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				over := make(chan struct{})
				conn := &pieces{rest: whole[:test.bytes], cut: test.cut, every: test.every, err: errors.New("no more")}
				f := New(conn, func() { close(over) }, func(uint32) carrier.Feed { return &bowl{} }, roomy)
				go func() {
					for buf := make([]byte, 4096); ; {
						if _, err := f.Read(buf); err != nil {
							return
						}
					}
				}()
				<-over
				if err := f.Stalled(time.Now().Add(test.after)); errors.Is(err, ErrStalled) != test.want {
					t.Errorf("stalled: %v, want %v", err, test.want)
				}
			})
		})
	}
}

// What becomes of bytes does not depend on how they are cut into reads.
func FuzzIntake(f *testing.F) {
	syn := policer.Header{Type: policer.TypeWindowUpdate, Flags: policer.FlagSYN, Stream: 1, Length: 100}
	f.Add(frames(syn), uint8(3))
	f.Add(frames(syn, policer.Header{Stream: 1, Length: 4}), uint8(7))
	f.Add(frames(policer.Header{Type: policer.TypePing, Flags: policer.FlagSYN, Length: 9}), uint8(1))
	f.Add(frames(syn, policer.Header{Flags: policer.FlagFIN, Stream: 1, Length: 3}), uint8(12))
	f.Fuzz(func(t *testing.T, b []byte, cut uint8) {
		type seen struct {
			yamux, fed []byte
			end        error
			failure    string
		}
		run := func(cut int, room []byte) (s seen) {
			var feed bowl
			feed.room = room
			f := New(&pieces{rest: b, cut: cut, err: io.EOF}, func() {}, func(uint32) carrier.Feed { return &feed }, roomy)
			for buf := make([]byte, 4096); ; {
				n, err := f.Read(buf)
				s.yamux = append(s.yamux, buf[:n]...)
				if err != nil {
					break
				}
			}
			s.fed, s.end, s.failure = feed.got, feed.err, f.Failure().Error()
			return s
		}
		whole, cutUp := run(1<<20, nil), run(int(cut)+1, make([]byte, 10))
		if !bytes.Equal(whole.fed, cutUp.fed) || whole.end != cutUp.end || whole.failure != cutUp.failure {
			t.Fatalf("whole: %v, in pieces: %v", whole, cutUp)
		}
		// Where it breaks a rule, what was read with it goes nowhere.
		if whole.failure == io.ErrUnexpectedEOF.Error() && !bytes.Equal(whole.yamux, cutUp.yamux) {
			t.Fatalf("whole: %v, in pieces: %v", whole, cutUp)
		}
	})
}
