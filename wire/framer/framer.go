// Package framer stands between TLS and yamux and writes whole frames.
//
// Shapes: a Framer is the connection that yamux reads and writes. yamux has the
// headers alone that open and close streams, grant windows and answer pings; payload
// passes it by, both ways. The header of each frame that comes is shown to the policer
// first; its payload goes to the stream's Feed on the goroutine that reads, so that no
// other is woken for it. Frames with payload that go out are given to
// Send by the streams, with room for the header in front, so that header and
// payload are one write without a copy, no goroutine is woken for it, and
// yamux's queue stands in front of nothing. Who finds the connection busy leaves
// a small frame to the one who is writing. Since the Framer knows where frames
// begin, it can put a ping between them, and it measures the round trip.
//
// Units and limits: frames up to envelope.MaxWrite; of small frames of others
// it gathers maxQueue bytes.
//
// Errors: the first one stays (Failure) and ends the connection.
//
// Concurrency: Read belongs to yamux's reader, which calls the feeds with nothing
// locked; everything else may be called from any goroutine. It has no goroutines.
//
// Source: docs/protocol.md, rules 17 and 18.
package framer

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/wire/carrier"
	"github.com/sallyport/sallyport/wire/envelope"
	"github.com/sallyport/sallyport/wire/policer"
)

const (
	// smallFrame is the size up to which a frame is left to a busy writer.
	smallFrame = 16 << 10
	// maxQueue bounds what is left so.
	maxQueue = 64 << 10
	// leaveWait is how long the acceptance and the close of a stream may wait for company.
	leaveWait = 10 * time.Millisecond
	// idleQueue is the most that is kept allocated for it.
	idleQueue = 4 << 10
)

// errBody: yamux was to send no payload.
var errBody = errors.New("yamux writes a frame with payload by itself")

// Framer is one end of a connection of yamux frames.
type Framer struct {
	conn    net.Conn // TLS
	close   func()   // ends what is under TLS
	police  *policer.Policer
	accept  func(stream uint32) carrier.Feed // nil at the client
	intake  intake
	start   time.Time
	read    atomic.Int64 // when bytes came last, as nanoseconds since start
	writing atomic.Int64 // since when a write lasts, likewise; 0: none does
	waiting atomic.Int32 // how many wait for their turn

	mu      sync.Mutex
	busy    bool            // somebody writes
	turns   []chan struct{} // of those who wait for it, first come first served
	order   order           // what goes before the queue
	queue   []byte          // whole frames, to be written next
	left    int             // of them the first bytes, which leave left
	leaving bool            // flushLeft will come
	spare   []byte          // the other buffer
	partial []byte          // a header of yamux in pieces
	pings   uint32

	failing sync.Mutex
	err     error

	rtt  rttMeter
	rate rateMeter
}

// New makes a framer on a TLS connection. end closes what is under it. accept gives
// the feed of a stream that the other end opens (nil: none is to be had), and is nil at
// the client, where the other end opens none.
func New(conn net.Conn, end func(), accept func(stream uint32) carrier.Feed, limits policer.Limits) *Framer {
	f := &Framer{conn: conn, close: end, accept: accept, start: time.Now()}
	f.police = policer.New(accept != nil, limits, f.rtt.answered)
	f.intake.feeds = make(map[uint32]*inflow)
	return f
}

// Write takes headers from yamux. One that opens a stream waits for the frame that
// follows it in any case; those that accept and close one may wait for company.
func (f *Framer) Write(p []byte) (int, error) {
	f.mu.Lock()
	f.partial = append(f.partial, p...)
	if len(f.partial) < policer.HeaderSize {
		f.mu.Unlock()
		return len(p), nil
	}
	frame := [policer.HeaderSize]byte(f.partial)
	whole := len(f.partial) == policer.HeaderSize
	f.partial = f.partial[:0]
	f.mu.Unlock()
	h := policer.ParseHeader(frame)
	if !whole || h.Body() > 0 {
		f.Fail(errBody)
		return 0, errBody
	}
	f.police.Out(h)
	update := h.Type == policer.TypeWindowUpdate
	if update {
		f.intake.sent(h)
	}
	if update && (h.Flags == policer.FlagFIN || h.Flags == policer.FlagACK) && f.leave(frame[:]) {
		return len(p), nil
	}
	opening := update && h.Flags == policer.FlagSYN
	if err := f.write(h.Stream, frame[:], opening); err != nil {
		return 0, err
	}
	return len(p), nil
}

// leave leaves the acceptance or the close of a stream to whoever writes next, within leaveWait, where
// nothing waits to be written with it: the other end is in no hurry to hear of it.
func (f *Framer) leave(frame []byte) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.busy || len(f.order.express) > 0 || len(f.queue) > f.left {
		return false
	}
	f.queue = append(f.queue, frame...)
	f.left = len(f.queue)
	if !f.leaving {
		f.leaving = true
		time.AfterFunc(leaveWait, f.flushLeft) // its write may wait; ends with it, or with the connection
	}
	return true
}

func (f *Framer) flushLeft() {
	f.mu.Lock()
	f.leaving = false
	due := len(f.queue) > 0 && !f.busy
	f.mu.Unlock()
	if due {
		f.Flush()
	}
}

// Send writes payload on a stream as one frame. frame has policer.HeaderSize
// bytes in front for the header, and may be reused when Send returns. With hold
// it waits for the next frame of anybody, which must be certain to come.
func (f *Framer) Send(stream uint32, frame []byte, hold bool) error {
	h := policer.Header{Type: policer.TypeData, Stream: stream, Length: uint32(len(frame) - policer.HeaderSize)}
	h.Append(frame[:0])
	return f.write(stream, frame, hold)
}

// write writes a whole frame of a stream, or leaves it to whoever is writing.
func (f *Framer) write(stream uint32, p []byte, hold bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Since(f.start)
	express := f.order.overtakes(stream, len(p), now, f.rate.rate())
	if hold || f.busy {
		switch {
		case express:
			f.order.express = append(f.order.express, p...)
			return nil
		case len(p) <= smallFrame && len(f.queue)+len(p) <= maxQueue:
			f.queue = append(f.queue, p...)
			f.order.queued(stream, now)
			return nil
		}
	}
	f.takeTurnLocked()
	if n := len(f.order.express) + len(f.queue); n > 0 && n+len(p) <= smallFrame {
		f.queue = append(f.queue, p...)
		p = nil
	}
	return f.flushLocked(p)
}

// flushLocked writes what overtakes and the queue, then p, then what others have
// left meanwhile. The caller has the turn, and gives it on.
func (f *Framer) flushLocked(p []byte) (err error) {
	defer f.giveTurnLocked()
	for {
		out := f.takeQueueLocked()
		f.mu.Unlock()
		begin := time.Since(f.start)
		f.writing.Store(int64(begin))
		if len(out) > 0 {
			_, err = f.conn.Write(out)
		}
		if len(p) > 0 && err == nil {
			_, err = f.conn.Write(p)
		}
		f.writing.Store(0)
		f.rate.wrote(len(out)+len(p), begin, time.Since(f.start))
		p = nil
		if err != nil {
			f.Fail(err)
		}
		f.mu.Lock()
		left := len(f.order.express) + len(f.queue)
		if cap(out) <= idleQueue || left > 0 {
			f.spare = out[:0]
		}
		if err != nil || left == 0 || len(f.turns) > 0 {
			return err // who comes next writes the queue first
		}
	}
}

// takeQueueLocked takes what is to be written before anything else.
func (f *Framer) takeQueueLocked() []byte {
	f.order.round++
	f.left = 0
	o := &f.order
	if len(o.express) == 0 {
		out := f.queue
		f.queue, f.spare = f.spare[:0], nil
		return out
	}
	out := append(o.express, f.queue...)
	o.express = f.spare[:0]
	f.queue, f.spare = f.queue[:0], nil
	if cap(f.queue) > idleQueue {
		f.queue = nil
	}
	return out
}

// Flush writes what was left to others, or waits until they have written it.
func (f *Framer) Flush() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.takeTurnLocked()
	f.flushLocked(nil)
}

// takeTurnLocked waits until nobody writes.
func (f *Framer) takeTurnLocked() {
	if !f.busy {
		f.busy = true
		return
	}
	turn := make(chan struct{})
	f.turns = append(f.turns, turn)
	f.waiting.Add(1)
	f.mu.Unlock()
	<-turn // every turn ends: with an error, once the connection is closed
	f.waiting.Add(-1)
	f.mu.Lock()
}

func (f *Framer) giveTurnLocked() {
	if len(f.turns) == 0 {
		f.busy = false
		return
	}
	turn := f.turns[0]
	f.turns = f.turns[1:]
	if len(f.turns) == 0 {
		f.turns = nil
	}
	close(turn)
}

// Ping sends a ping, and does not wait. One that was not answered is replaced.
func (f *Framer) Ping(now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pings++
	// yamux itself sends no pings, so the numbers are ours.
	h := policer.Header{Type: policer.TypePing, Flags: policer.FlagSYN, Length: f.pings}
	f.rtt.sent(f.pings, now)
	f.sayLocked(h)
}

// sayLocked has a header written before everything else. It does not wait: where
// somebody writes, it goes with what comes next.
func (f *Framer) sayLocked(h policer.Header) {
	f.order.express = h.Append(f.order.express)
	if f.busy {
		return
	}
	f.busy = true
	go func() { // the write may wait; ends with it, or with the connection
		f.mu.Lock()
		defer f.mu.Unlock()
		f.flushLocked(nil)
	}()
}

// Waiting is how many frames wait to be written.
func (f *Framer) Waiting() int { return int(f.waiting.Load()) }

// RTT is the shortest round trip measured lately, 0 while unknown.
func (f *Framer) RTT() time.Duration { return f.rtt.get() }

// MaxPayload is the most that one frame should carry, so that it does not hold a
// slow carrier for long; Unsent is the same for what the kernel keeps unsent.
func (f *Framer) MaxPayload() int { return f.rate.within(minFrame, envelope.MaxPayload) }

// Unsent is explained at MaxPayload; most is what a fast carrier has.
func (f *Framer) Unsent(most int) int { return f.rate.within(4*minFrame, most) }

// Police is the policer.
func (f *Framer) Police() *policer.Policer { return f.police }

// Silence is how long nothing came, Stuck how long one write has lasted.
func (f *Framer) Silence(now time.Time) time.Duration { return now.Sub(f.start) - f.LastRead() }

// Stuck is explained at Silence.
func (f *Framer) Stuck(now time.Time) time.Duration {
	if since := f.writing.Load(); since > 0 {
		return now.Sub(f.start) - time.Duration(since)
	}
	return 0
}

// LastRead is when bytes came last, Age the present, both since the start.
func (f *Framer) LastRead() time.Duration { return time.Duration(f.read.Load()) }

// Age is explained at LastRead.
func (f *Framer) Age(now time.Time) time.Duration { return now.Sub(f.start) }

// Close ends the connection without a word: only the envelope's FIN is an end.
func (f *Framer) Close() error {
	f.Fail(net.ErrClosed)
	return nil
}

// Fail ends the connection; the first error stays. The end of what comes in is
// never an end in order.
func (f *Framer) Fail(err error) {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	f.failing.Lock()
	first := f.err == nil
	if first {
		f.err = err
	}
	f.failing.Unlock()
	if first {
		f.close()
	}
}

// Failure is the first error, nil while there is none.
func (f *Framer) Failure() error {
	f.failing.Lock()
	defer f.failing.Unlock()
	return f.err
}
