//go:build unix

package socket

import (
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// ready reads once the socket is readable: the buffer is taken for the attempt
// only.
func (r *Reader) ready() (int, error) {
	r.n, r.err = 0, nil
	if err := r.raw.Read(r.try); err != nil {
		return 0, err
	}
	if r.err != nil {
		return 0, os.NewSyscallError("read", r.err)
	}
	if r.n == 0 {
		return 0, io.EOF
	}
	return r.n, nil
}

func (r *Reader) attempt(fd uintptr) bool {
	buf := r.take()
	if r.n, r.err = read(int(fd), buf); r.err != nil || r.n == 0 {
		r.drop()
	}
	return r.err != syscall.EAGAIN
}

// Writer writes to a socket as much as it takes without waiting.
type Writer struct {
	raw syscall.RawConn
	try func(fd uintptr) bool
	buf []byte
	n   int
	err error
}

// NewWriter makes a writer, nil where w is no socket.
func NewWriter(w any) *Writer {
	raw := Conn(w)
	if raw == nil {
		return nil
	}
	x := &Writer{raw: raw}
	x.try = x.attempt
	return x
}

// Write writes what goes now: n may be less than len(p), without an error.
func (w *Writer) Write(p []byte) (n int, err error) {
	w.buf, w.n, w.err = p, 0, nil
	err = w.raw.Write(w.try)
	w.buf = nil
	if err == nil && w.err != nil {
		err = os.NewSyscallError("write", w.err)
	}
	return w.n, err
}

func (w *Writer) attempt(fd uintptr) bool {
	for w.n < len(w.buf) {
		n, err := write(int(fd), w.buf[w.n:])
		w.n += n
		if err != nil && err != syscall.EAGAIN {
			w.err = err
		}
		if err != nil || n == 0 {
			break
		}
	}
	return true // never wait
}

// Broken says whether the peer of a socket has reset it. It takes nothing from
// the socket: the error stays for the next read or write.
func Broken(raw syscall.RawConn) bool {
	return events(raw)&(unix.POLLERR|unix.POLLNVAL) != 0
}

// HungUp says whether both directions of a TCP connection are over. Where this
// side has not ended its own, the peer has reset it: that stays visible also
// after a write has taken the error along, when a read shows an end in order.
func HungUp(raw syscall.RawConn) bool {
	return events(raw)&(unix.POLLHUP|unix.POLLERR|unix.POLLNVAL) != 0
}

func events(raw syscall.RawConn) (revents int16) {
	raw.Control(func(fd uintptr) {
		set := []unix.PollFd{{Fd: int32(fd)}}
		if n, err := poll(set); err == nil && n > 0 {
			revents = set[0].Revents
		}
	})
	return revents
}

// CloseWrite ends this side's direction of a TCP connection. It fails where the peer
// has reset it.
func CloseWrite(raw syscall.RawConn) (err error) {
	if cerr := raw.Control(func(fd uintptr) { err = shutdown(int(fd)) }); cerr != nil {
		return cerr
	}
	return os.NewSyscallError("shutdown", err)
}
