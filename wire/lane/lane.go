// Package lane is the connection of a lane: the frames of one stream, and nothing
// else, on TLS.
//
// Shapes: a Lane is at once the road and its only channel (package carrier). It
// copies nothing: what is put goes to TLS as it is, what is read comes from there.
//
// Errors: the first one stays (Failure) and ends the connection. The other end's
// close in order is io.EOF; that TLS broke off is not.
//
// Concurrency: Put belongs to who holds the carrier; everything else may be called
// from any goroutine. Start's goroutine reads.
//
// Source: docs/protocol.md, section 6.5.
package lane

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/wire/carrier"
	"github.com/sallyport/sallyport/wire/envelope"
)

// Conn is a TLS connection as a lane uses it.
type Conn interface {
	net.Conn
	CloseWrite() error
}

// Lane is one end of a lane.
type Lane struct {
	conn  Conn
	end   func() // ends what is under TLS
	start time.Time

	heardAt atomic.Int64 // when bytes came last, as nanoseconds since start
	wrote   atomic.Int64 // when bytes were written last, likewise
	writing atomic.Int64 // since when a write lasts, likewise; 0: none does
	first   atomic.Int64 // when the first frame was written, 0 before
	rtt     atomic.Int64

	mu  sync.Mutex
	err error
}

// New makes an end of a lane on a TLS connection whose Under is at its bottom. end
// closes what is under it.
func New(conn Conn, end func()) *Lane { return &Lane{conn: conn, end: end, start: time.Now()} }

// errTorn: the connection ended without a word of the other daemon.
var errTorn = errors.New("the connection ended without a close")

// Under wraps what a lane's TLS stands on: only TLS's own close is an end in order,
// never that of the connection, which everybody on the way can make.
func Under(c net.Conn) net.Conn { return under{c} }

type under struct{ net.Conn }

// Read gives no io.EOF.
func (u under) Read(p []byte) (int, error) {
	n, err := u.Conn.Read(p)
	if err == io.EOF {
		err = errTorn
	}
	return n, err
}

// NetConn is the connection below.
func (u under) NetConn() net.Conn { return u.Conn }

func (l *Lane) now() int64 { return max(int64(time.Since(l.start)), 1) }

// Start gives the feed what the other end sends, to the lane's end. The other end's
// close in order is io.EOF.
func (l *Lane) Start(feed carrier.Feed) {
	go l.read(feed) // ends with the connection
}

// headSize is what is read where it is not known yet whose it is: a header, and
// small frames whole.
const headSize = 128

func (l *Lane) read(feed carrier.Feed) {
	var head [headSize]byte
	for {
		var n int
		var err error
		if room := feed.Room(envelope.MaxPayload); room != nil {
			n, err = l.conn.Read(room)
			l.heard(n)
			feed.Filled(n)
		} else {
			n, err = l.conn.Read(head[:])
			l.heard(n)
			feed.Feed(head[:n])
		}
		if err != nil {
			if err != io.EOF {
				l.Fail(err)
			}
			feed.End(err)
			return
		}
	}
}

// heard notes that n bytes have come.
func (l *Lane) heard(n int) {
	if n == 0 {
		return
	}
	now := l.now()
	l.heardAt.Store(now)
	if first := l.first.Load(); first > 0 && l.rtt.Load() == 0 {
		l.rtt.Store(max(now-first, int64(time.Microsecond)))
	}
}

// Put writes whole frames, without the room in front of them.
func (l *Lane) Put(frames []byte, _ bool) error {
	begin := l.now()
	l.writing.Store(begin)
	l.first.CompareAndSwap(0, begin) // before: the answer may come before the write returns
	_, err := l.conn.Write(frames[envelope.Prefix:])
	l.writing.Store(0)
	l.wrote.Store(l.now())
	if err != nil {
		l.Fail(err)
		return fmt.Errorf("write to a lane: %w", err)
	}
	return nil
}

// Flush: every Put is written when it returns.
func (l *Lane) Flush() {}

// RTT is how long the other end took for the first word after ours: a round trip,
// at the client with the edge's decision.
func (l *Lane) RTT() time.Duration { return time.Duration(l.rtt.Load()) }

// MaxPayload: nobody else waits for the lane.
func (l *Lane) MaxPayload() int { return envelope.MaxPayload }

// LastRead is when bytes came last, Age the present, both since the start.
func (l *Lane) LastRead() time.Duration { return time.Duration(l.heardAt.Load()) }

// Age is explained at LastRead.
func (l *Lane) Age(now time.Time) time.Duration { return now.Sub(l.start) }

// Quiet is how long nothing was written, 0 while something is.
func (l *Lane) Quiet(now time.Time) time.Duration {
	if l.writing.Load() > 0 {
		return 0
	}
	return l.Age(now) - time.Duration(l.wrote.Load())
}

// Silence is how long nothing came, Stuck how long one write has lasted.
func (l *Lane) Silence(now time.Time) time.Duration { return l.Age(now) - l.LastRead() }

// Stuck is explained at Silence.
func (l *Lane) Stuck(now time.Time) time.Duration {
	if since := l.writing.Load(); since > 0 {
		return l.Age(now) - time.Duration(since)
	}
	return 0
}

// CloseWrite says that nothing more is written: the other end reads io.EOF after
// all that was put.
func (l *Lane) CloseWrite() error {
	if err := l.conn.CloseWrite(); err != nil {
		l.Fail(err)
		return fmt.Errorf("close a lane: %w", err)
	}
	return nil
}

// Close ends the connection without a word.
func (l *Lane) Close() error {
	l.Fail(net.ErrClosed)
	return nil
}

// Fail ends the connection; the first error stays.
func (l *Lane) Fail(err error) {
	l.mu.Lock()
	first := l.err == nil
	if first {
		l.err = err
	}
	l.mu.Unlock()
	if first {
		l.end()
	}
}

// Failure is the first error, nil while there is none.
func (l *Lane) Failure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}
