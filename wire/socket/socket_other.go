//go:build !unix

package socket

import (
	"os"
	"syscall"
)

// ready waits with a read of zero bytes, which the platform completes when
// there is something, then reads.
func (r *Reader) ready() (int, error) {
	r.n = 0
	if err := r.raw.Read(r.try); err != nil {
		return 0, err
	}
	return r.plain()
}

func (r *Reader) attempt(uintptr) bool {
	r.n++
	return r.n > 1
}

// Writer is not offered here.
type Writer struct{}

// NewWriter gives nil: the platform has no write that does not wait.
func NewWriter(any) *Writer { return nil }

// Write is never called.
func (*Writer) Write([]byte) (int, error) { return 0, syscall.EINVAL }

// Broken is not known here; the next write tells.
func Broken(syscall.RawConn) bool { return false }

// HungUp is not known here: reads go on telling of a reset.
func HungUp(syscall.RawConn) bool { return false }

// CloseWrite ends this side's direction of a TCP connection.
func CloseWrite(raw syscall.RawConn) (err error) {
	if cerr := raw.Control(func(fd uintptr) { err = syscall.Shutdown(syscall.Handle(fd), syscall.SHUT_WR) }); cerr != nil {
		return cerr
	}
	return os.NewSyscallError("shutdown", err)
}
