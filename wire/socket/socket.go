// Package socket holds what the streams need to know of the sockets below and
// beside them: reading a local socket without a buffer while it waits, writing
// to it without waiting, whether it was reset, and how far TCP has come.
//
// Shapes: Reader and Writer around a local connection; Direct, a TCP connection
// under TLS whose calls cost the runtime nothing; Broken and Acked ask the kernel.
//
// Concurrency: a Reader and a Writer belong to one goroutine at a time.
package socket

import (
	"io"
	"syscall"
)

// Reader reads from a local connection.
type Reader struct {
	src io.Reader
	raw syscall.RawConn // nil: plain reads
	try func(fd uintptr) bool
	// of the read in progress
	take func() []byte
	drop func()
	n    int
	err  error
}

// NewReader makes a reader. take gives the buffer to read into, drop takes it
// back unused. Where the platform tells when a socket is readable, take is
// called only then; elsewhere, and for anything but a socket, at once.
func NewReader(src io.Reader, take func() []byte, drop func()) *Reader {
	r := &Reader{src: src, take: take, drop: drop}
	if c, ok := src.(syscall.Conn); ok {
		if raw, err := c.SyscallConn(); err == nil {
			r.raw = raw
		}
	}
	r.try = r.attempt
	return r
}

// Read waits for bytes and reads them into a buffer of take. When n is 0 the
// buffer was dropped again. The end is io.EOF.
func (r *Reader) Read() (n int, err error) {
	if r.raw == nil {
		return r.plain()
	}
	return r.ready()
}

func (r *Reader) plain() (int, error) {
	n, err := r.src.Read(r.take())
	if n == 0 {
		r.drop()
	}
	return n, err
}

// Conn gives the descriptor of a connection, nil where it has none.
func Conn(c any) syscall.RawConn {
	if c, ok := c.(syscall.Conn); ok {
		if raw, err := c.SyscallConn(); err == nil {
			return raw
		}
	}
	return nil
}
