package framer

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/wire/carrier"
	"github.com/sallyport/sallyport/wire/policer"
)

// A frame that comes must be complete within stallGrace and its length at stallRate
// bytes a second; without a byte within stallGrace.
const (
	stallGrace = 10 * time.Second
	stallRate  = 4 << 10
)

// ErrStalled: a frame does not get complete. It is no violation: to the one who
// waits for it, a connection that is broken in the middle of a frame looks the same.
var ErrStalled = errors.New("a frame from the other end does not get complete")

// errAborted is what a stream ends with that one of both ends has reset in yamux.
var errAborted = errors.New("stream was reset under its end")

// intake is what comes in: payload goes to the feed of its stream, headers alone to
// yamux. It belongs to Read, but for what says otherwise.
type intake struct {
	header  [policer.HeaderSize]byte
	have    int // bytes of the header
	current policer.Header
	left    int          // bytes of the body still to come
	to      carrier.Feed // who gets them; nil: nobody

	// What Stalled asks, from any goroutine.
	began atomic.Int64 // when the first byte of the frame came that is half way, 0: none is
	body  atomic.Int64 // its length, 0 while that is unknown

	mu    sync.Mutex
	feeds map[uint32]*inflow
	next  carrier.Feed // of the stream that yamux is opening (client)
}

// inflow is what comes on a stream.
type inflow struct {
	feed carrier.Feed
	used uint32 // of yamux's window, since it was granted
}

// Window is yamux's window of each stream. Half of it is always open, and that is
// more than the envelope's largest window takes in frames of one byte (5 bytes
// each), so that yamux never holds anybody back.
const Window = 256 << 20

// Read gives yamux the headers of what has come, but for those of payload, which
// goes to the feeds. It waits until there is one.
func (f *Framer) Read(p []byte) (n int, err error) {
	if len(p) < 2*policer.HeaderSize {
		return 0, io.ErrShortBuffer
	}
	for n == 0 && err == nil {
		n, err = f.readSome(p)
	}
	if err != nil {
		f.Fail(err)
	}
	return n, err
}

// readSome reads once, where it is payload past all buffers.
func (f *Framer) readSome(p []byte) (n int, err error) {
	in := &f.intake
	if in.left > 0 && in.to != nil {
		if room := in.to.Room(in.left); room != nil {
			n, err = f.conn.Read(room)
			in.to.Filled(n)
			in.left -= n
			f.heard(n)
			if in.left == 0 {
				in.finish()
			}
			return 0, err
		}
	}
	// What is sifted is never longer than what was read with the rest of a header
	// from before.
	n, err = f.conn.Read(p[policer.HeaderSize:])
	now := f.heard(n)
	n, bad := f.sift(p, n, now)
	if bad != nil {
		return 0, bad
	}
	return n, err
}

// heard notes that n bytes have come.
func (f *Framer) heard(n int) time.Time {
	now := time.Now()
	if n > 0 {
		f.read.Store(int64(now.Sub(f.start)))
	}
	return now
}

// sift puts the headers for yamux to the front of p; n bytes have been read behind
// the room for one header.
func (f *Framer) sift(p []byte, n int, now time.Time) (kept int, err error) {
	in := &f.intake
	for b := p[policer.HeaderSize:][:n]; len(b) > 0; {
		if in.left > 0 {
			k := min(in.left, len(b))
			if in.to != nil {
				in.to.Feed(b[:k])
			}
			b = b[k:]
			if in.left -= k; in.left == 0 {
				in.finish()
			}
			continue
		}
		if in.have == 0 {
			in.began.Store(int64(max(now.Sub(f.start), 1)))
		}
		k := copy(in.header[in.have:], b)
		in.have += k
		b = b[k:]
		if in.have < policer.HeaderSize {
			break
		}
		in.have = 0
		h := policer.ParseHeader(in.header)
		if err := f.police.In(h, now); err != nil {
			return 0, err
		}
		if f.begin(&h) {
			h.Append(p[:kept])
			kept += policer.HeaderSize
		}
	}
	return kept, nil
}

// begin begins with a frame. It changes the header to what yamux is to see, and says
// whether that is anything: not of payload, whose window is granted here.
func (f *Framer) begin(h *policer.Header) (show bool) {
	in := &f.intake
	in.current, in.left, in.to = *h, h.Body(), nil
	in.body.Store(int64(in.left))
	if h.Type <= policer.TypeWindowUpdate {
		if h.Flags&policer.FlagSYN != 0 {
			f.knock(h.Stream)
		}
		var grant bool
		if in.to, grant = in.feed(h.Stream, in.left); grant {
			f.mu.Lock()
			f.sayLocked(policer.Header{Type: policer.TypeWindowUpdate, Stream: h.Stream, Length: Window / 2})
			f.mu.Unlock()
		}
	}
	if in.left == 0 {
		in.finish()
	}
	if h.Type == policer.TypeData {
		h.Length = 0
		return h.Flags != 0
	}
	return true
}

// finish is called when the frame is whole.
func (in *intake) finish() {
	in.began.Store(0)
	in.body.Store(0)
	if in.current.Type > policer.TypeWindowUpdate {
		return
	}
	switch {
	case in.current.Flags&policer.FlagRST != 0:
		in.end(in.current.Stream, errAborted)
	case in.current.Flags&policer.FlagFIN != 0:
		in.end(in.current.Stream, io.EOF)
	}
	in.to = nil
}

// knock has a feed made for a stream that the other end opens (host).
func (f *Framer) knock(stream uint32) {
	if feed := f.accept(stream); feed != nil {
		in := &f.intake
		in.mu.Lock()
		defer in.mu.Unlock()
		in.feeds[stream] = &inflow{feed: feed}
	}
}

// Expect says who takes what comes on the stream that yamux opens next (client).
// Streams are opened one at a time; where that fails, Expect is called with nil.
func (f *Framer) Expect(feed carrier.Feed) {
	in := &f.intake
	in.mu.Lock()
	defer in.mu.Unlock()
	in.next = feed
}

// sent is told what yamux writes: it opens a stream (client), or resets one.
func (in *intake) sent(h policer.Header) {
	switch {
	case h.Flags&policer.FlagRST != 0:
		in.end(h.Stream, errAborted)
	case h.Flags&policer.FlagSYN != 0:
		in.mu.Lock()
		defer in.mu.Unlock()
		if in.next != nil {
			in.feeds[h.Stream], in.next = &inflow{feed: in.next}, nil
		}
	}
}

// feed counts n bytes that come on a stream and gives who takes them; grant says that
// half of the window has been used.
func (in *intake) feed(stream uint32, n int) (feed carrier.Feed, grant bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	i := in.feeds[stream]
	if i == nil {
		return nil, false
	}
	i.used += uint32(n)
	if grant = i.used >= Window/2; grant {
		i.used -= Window / 2
	}
	return i.feed, grant
}

// end tells a feed that nothing more comes.
func (in *intake) end(stream uint32, err error) {
	in.mu.Lock()
	i := in.feeds[stream]
	delete(in.feeds, stream)
	in.mu.Unlock()
	if i != nil {
		i.feed.End(err)
	}
}

// Stalled is ErrStalled where a frame that comes stands half way for too long.
func (f *Framer) Stalled(now time.Time) error {
	in := &f.intake
	began, age := time.Duration(in.began.Load()), f.Age(now)
	if began == 0 {
		return nil
	}
	slow := stallGrace + time.Duration(in.body.Load())*time.Second/stallRate
	if age-f.LastRead() > stallGrace || age-began > slow {
		return ErrStalled
	}
	return nil
}
