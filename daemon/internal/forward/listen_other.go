//go:build !windows

package forward

import "syscall"

const (
	errnoNoAddress = syscall.EADDRNOTAVAIL
	errnoNoFamily  = syscall.EAFNOSUPPORT
)

var (
	errnosTaken   = []error{syscall.EADDRINUSE}
	errnosPassing = []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED}
)

// exclusive: without SO_REUSEPORT, which Go does not set, an address is held
// by one socket.
func exclusive(_, _ string, _ syscall.RawConn) error { return nil }
