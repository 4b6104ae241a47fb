package webconn

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/coder/websocket"

	"github.com/sallyport/sallyport/wire/deadline"
)

// bufferSize holds one TLS record of the inside, and a little more.
const bufferSize = 32 << 10

var buffers = sync.Pool{New: func() any { b := make([]byte, bufferSize); return &b }}

var errText = errors.New("a message of text in a WebSocket of bytes")

// Conn is a connection inside a WebSocket. A deadline for reading ends a Read and
// nothing else; one for writing that is missed ends the connection.
type Conn struct {
	ws    *websocket.Conn
	under net.Conn      // what the WebSocket runs on
	done  chan struct{} // closed when pump has ended

	mu     sync.Mutex
	cond   *sync.Cond
	buf    *[]byte // what was read and not taken; nil while there is nothing
	left   []byte  // the part of it that is still to be given
	err    error   // why nothing more comes
	readBy deadline.Deadline
	closed bool
}

func newConn(ws *websocket.Conn, under net.Conn) *Conn {
	ws.SetReadLimit(MaxMessage)
	c := &Conn{ws: ws, under: under, done: make(chan struct{})}
	c.cond = sync.NewCond(&c.mu)
	go c.pump() // ends with the connection or Close
	return c
}

// pump reads messages, one buffer ahead: a deadline inside the WebSocket would
// end it, and pings are answered while nobody reads.
func (c *Conn) pump() {
	defer close(c.done)
	err := c.messages()
	c.mu.Lock()
	c.err = err
	c.cond.Broadcast()
	c.mu.Unlock()
	c.ws.CloseNow()
}

func (c *Conn) messages() error {
	for {
		kind, message, err := c.ws.Reader(context.Background())
		if err != nil {
			return io.EOF
		}
		if kind != websocket.MessageBinary {
			return errText
		}
		for err == nil {
			buf := buffers.Get().(*[]byte)
			var n int
			n, err = message.Read(*buf)
			if n == 0 {
				buffers.Put(buf)
			} else if !c.put(buf, n) {
				return net.ErrClosed
			}
		}
		if !errors.Is(err, io.EOF) {
			return io.ErrUnexpectedEOF
		}
	}
}

// put hands a buffer to Read and waits until it was taken.
func (c *Conn) put(buf *[]byte, n int) (open bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.buf, c.left = buf, (*buf)[:n]
	c.cond.Broadcast()
	for c.buf != nil && !c.closed {
		c.cond.Wait()
	}
	return !c.closed
}

// waitLocked waits for bytes, the end, or the deadline.
func (c *Conn) waitLocked() error {
	for c.buf == nil && c.err == nil && !c.closed && !c.readBy.Expired() {
		c.cond.Wait()
	}
	switch {
	case c.closed:
		return net.ErrClosed
	case c.readBy.Expired():
		return os.ErrDeadlineExceeded
	case c.buf == nil:
		return c.err
	}
	return nil
}

// Wait waits until a Read would not.
func (c *Conn) Wait() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.waitLocked()
}

// Surplus says whether there are bytes to read, or the connection has ended.
func (c *Conn) Surplus() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.buf != nil || c.err != nil || c.closed
}

// Read gives what has come.
func (c *Conn) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.waitLocked(); err != nil {
		return 0, err
	}
	n := copy(p, c.left)
	if c.left = c.left[n:]; len(c.left) == 0 {
		buffers.Put(c.buf)
		c.buf, c.left = nil, nil
		c.cond.Broadcast()
	}
	return n, nil
}

// Write sends p in messages.
func (c *Conn) Write(p []byte) (n int, err error) {
	for len(p) > 0 {
		part := p[:min(len(p), MaxMessage)]
		if err := c.ws.Write(context.Background(), websocket.MessageBinary, part); err != nil {
			return n, err
		}
		n, p = n+len(part), p[len(part):]
	}
	return n, nil
}

// Close ends the connection at once; what the kernel has taken is still sent.
func (c *Conn) Close() error {
	c.mu.Lock()
	c.closed = true
	c.cond.Broadcast()
	c.mu.Unlock()
	// The socket itself: TLS around it would wait to say goodbye.
	err := bare(c.under).Close()
	c.ws.CloseNow()
	<-c.done
	return err
}

// SetLinger is that of the TCP connection below.
func (c *Conn) SetLinger(sec int) error {
	if t, ok := bare(c.under).(*net.TCPConn); ok {
		return t.SetLinger(sec)
	}
	return errors.ErrUnsupported
}

// NetConn is what the WebSocket runs on.
func (c *Conn) NetConn() net.Conn { return c.under }

// SyscallConn is that of the TCP connection below, for asking the kernel about
// it; its bytes belong to the WebSocket.
func (c *Conn) SyscallConn() (syscall.RawConn, error) {
	if t, ok := bare(c.under).(*net.TCPConn); ok {
		return t.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}

// LocalAddr is this end's address.
func (c *Conn) LocalAddr() net.Addr { return c.under.LocalAddr() }

// RemoteAddr is the address of the other end, or of the proxy in front of it.
func (c *Conn) RemoteAddr() net.Addr { return c.under.RemoteAddr() }

// SetDeadline sets both deadlines.
func (c *Conn) SetDeadline(t time.Time) error {
	c.SetReadDeadline(t)
	return c.SetWriteDeadline(t)
}

// SetReadDeadline bounds Read and Wait.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.readBy.Set(c.cond, t)
	return nil
}

// SetWriteDeadline bounds Write.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.under.SetWriteDeadline(t) }

// bare takes wrappers such as TLS off.
func bare(c net.Conn) net.Conn {
	for {
		w, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			return c
		}
		c = w.NetConn()
	}
}
