// Package splice joins two connections without reading what passes.
//
// Shapes: a Pair is two connections and its counters. Run carries bytes both
// ways. On Linux two TCP connections are joined in the kernel: a direction waits
// until its source is readable, takes a pipe from a pool, fills it, drains it
// into the other connection, and gives it back when the source is empty; an idle
// pair costs its goroutines only. Elsewhere, and where one side is a WebSocket,
// bytes are copied.
//
// An end on one side is carried to the other, which then has EndTime to end as
// well. An error resets both.
//
// Concurrency: Run blocks; Reset may be called at any time.
//
// Source: protocol rules 15 and 16.
package splice

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/wire/socket"
)

// EndTime is how long one direction may outlive the other: a carrier has no
// half-close that means anything.
const EndTime = 5 * time.Second

// ErrReset is the end of a pair that Reset cut.
var ErrReset = errors.New("cut")

// Pair is two connections that are one.
type Pair struct {
	a, b  net.Conn
	total *atomic.Uint64

	fromA, fromB atomic.Uint64
	done         chan struct{}
	endTime      time.Duration

	mu    sync.Mutex
	over  bool // the connections are closed, or being closed
	err   error
	timer *time.Timer
}

// New makes a pair; total, where not nil, counts its bytes as well.
func New(a, b net.Conn, total *atomic.Uint64) *Pair {
	if total == nil {
		total = new(atomic.Uint64)
	}
	return &Pair{a: a, b: b, total: total, done: make(chan struct{}), endTime: EndTime}
}

// beginTime bounds the writing of a client's hello to its host.
const beginTime = 5 * time.Second

// errSurplus: rule 13, the host is silent until it has the client's hello.
var errSurplus = errors.New("the host's connection has ended, or has sent more than its record")

// Begin makes a pair of a client and its host, and gives the host the first bytes
// of the client, which were read already. On an error the pair is to be reset.
func Begin(client, host net.Conn, first []byte, total *atomic.Uint64) (*Pair, error) {
	p := New(client, host, total)
	if Surplus(host) {
		return p, errSurplus
	}
	host.SetWriteDeadline(time.Now().Add(beginTime))
	_, err := host.Write(first)
	host.SetWriteDeadline(time.Time{})
	return p, err
}

// Run carries bytes until both directions have ended, closes both connections
// and returns why; nil after an orderly end.
func (p *Pair) Run() error {
	var wg sync.WaitGroup
	wg.Go(func() { p.direction(p.b, p.a, &p.fromA) })
	p.direction(p.a, p.b, &p.fromB)
	wg.Wait()
	p.end(nil, false)
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.done)
	return p.err
}

func (p *Pair) direction(dst, src net.Conn, count *atomic.Uint64) {
	err := transfer(dst, src, func(n int) {
		count.Add(uint64(n))
		p.total.Add(uint64(n))
	})
	if err != nil {
		p.end(err, true)
		return
	}
	if w, ok := dst.(interface{ CloseWrite() error }); !ok || w.CloseWrite() != nil {
		p.end(nil, false)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.over && p.timer == nil {
		p.timer = time.AfterFunc(p.endTime, func() { p.end(nil, false) })
	}
}

// end closes both connections once; the first reason stays.
func (p *Pair) end(err error, abort bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		return
	}
	p.over, p.err = true, err
	if p.timer != nil {
		p.timer.Stop()
	}
	if abort {
		Reset(p.a)
		Reset(p.b)
		return
	}
	p.a.Close()
	p.b.Close()
}

// Reset cuts the pair with a RST to both sides.
func (p *Pair) Reset() { p.end(ErrReset, true) }

// Done is closed when Run has ended.
func (p *Pair) Done() <-chan struct{} { return p.done }

// Bytes is what came from the first and from the second connection.
func (p *Pair) Bytes() (fromA, fromB uint64) { return p.fromA.Load(), p.fromB.Load() }

// Reset closes a connection with a RST where it is TCP.
func Reset(c net.Conn) {
	if l, ok := c.(interface{ SetLinger(int) error }); ok {
		l.SetLinger(0) // fails on a closed connection only
	}
	c.Close()
}

const bufferSize = 32 << 10

var buffers = sync.Pool{New: func() any { b := make([]byte, bufferSize); return &b }}

// waiter is a connection that says when there are bytes, before a buffer is
// held for them (webconn.Conn).
type waiter interface{ Wait() error }

// copyBytes is the way where the kernel does not join. It holds a buffer while
// bytes are on their way; while it waits only where the platform cannot tell.
func copyBytes(dst, src net.Conn, count func(int)) error {
	var held *[]byte
	give := func() {
		if held != nil {
			buffers.Put(held)
			held = nil
		}
	}
	defer give()
	take := func() []byte {
		if held == nil {
			held = buffers.Get().(*[]byte)
		}
		return *held
	}
	var read func() (int, error)
	if w, ok := src.(waiter); ok {
		read = func() (int, error) {
			if err := w.Wait(); err != nil {
				return 0, err
			}
			return src.Read(take())
		}
	} else {
		read = socket.NewReader(src, take, give).Read
	}
	for {
		n, err := read()
		if n > 0 {
			if _, err := dst.Write((*held)[:n]); err != nil {
				return err
			}
			give()
			count(n)
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
	}
}

// silent is a connection that can tell whether bytes wait to be read.
type silent interface{ Surplus() bool }

// Surplus says whether a connection has bytes to read, or has ended. Where that
// cannot be told without reading it is false.
func Surplus(c net.Conn) bool {
	if s, ok := c.(silent); ok {
		return s.Surplus()
	}
	return surplus(c)
}
