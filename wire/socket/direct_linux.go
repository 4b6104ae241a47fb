package socket

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
)

// Direct gives a TCP connection whose reads and writes the runtime takes for
// short (see read); anything else it gives back as it is.
func Direct(c net.Conn) net.Conn {
	t, ok := c.(*net.TCPConn)
	if !ok {
		return c
	}
	raw, err := t.SyscallConn()
	if err != nil {
		return c
	}
	d := &direct{TCPConn: t, raw: raw}
	d.in.try, d.out.try = d.in.read, d.out.write
	return d
}

// direct is a TCP connection with calls of its own.
type direct struct {
	*net.TCPConn
	raw     syscall.RawConn
	in, out call
}

// call is one direction. Its fields belong to who holds mu.
type call struct {
	mu  sync.Mutex
	try func(fd uintptr) bool // bound once: no garbage per call
	p   []byte
	n   int
	err error
}

func (c *call) read(fd uintptr) bool {
	c.n, c.err = read(int(fd), c.p)
	return c.err != syscall.EAGAIN
}

func (c *call) write(fd uintptr) bool {
	for c.n < len(c.p) {
		n, err := write(int(fd), c.p[c.n:])
		if err == syscall.EAGAIN {
			return false
		}
		if c.n += n; err != nil || n == 0 {
			c.err = err
			break
		}
	}
	return true
}

// do makes a call on p, waiting with wait where the socket is not ready.
func (c *call) do(wait func(func(uintptr) bool) error, p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.p, c.n, c.err = p, 0, nil
	err := wait(c.try)
	c.p = nil
	if err == nil {
		err = c.err
	}
	return c.n, err
}

// NetConn is the connection below.
func (d *direct) NetConn() net.Conn { return d.TCPConn }

// Read is that of net.Conn.
func (d *direct) Read(p []byte) (int, error) {
	n, err := d.in.do(d.raw.Read, p)
	if n == 0 && err == nil && len(p) > 0 {
		err = io.EOF
	}
	return n, d.named("read", err)
}

// Write is that of net.Conn.
func (d *direct) Write(p []byte) (int, error) {
	n, err := d.out.do(d.raw.Write, p)
	if n < len(p) && err == nil {
		err = io.ErrUnexpectedEOF // as package net has it; not seen on a socket
	}
	return n, d.named("write", err)
}

// named puts an error of a call in the words of package net.
func (d *direct) named(call string, err error) error {
	errno, ok := err.(syscall.Errno)
	if !ok {
		return err
	}
	return &net.OpError{Op: call, Net: "tcp", Source: d.LocalAddr(), Addr: d.RemoteAddr(), Err: os.NewSyscallError(call, errno)}
}

// ReadFrom and WriteTo would go past Read and Write.

// ReadFrom copies plainly.
func (d *direct) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{d}, r)
}

// WriteTo copies plainly.
func (d *direct) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, struct{ io.Reader }{d})
}
