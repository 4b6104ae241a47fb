package forward

import (
	"syscall"

	"golang.org/x/sys/windows"
)

const (
	errnoNoAddress = windows.WSAEADDRNOTAVAIL
	errnoNoFamily  = windows.WSAEAFNOSUPPORT
)

var (
	errnosTaken   = []error{windows.WSAEADDRINUSE, windows.WSAEACCES}
	errnosPassing = []error{windows.WSAEMFILE, windows.WSAENOBUFS, windows.WSAECONNRESET}
)

// soExclusiveAddrUse is SO_EXCLUSIVEADDRUSE, ~SO_REUSEADDR of winsock2.h.
const soExclusiveAddrUse = ^4

// exclusive keeps other programs from taking the address from under us, as
// SO_REUSEADDR allows them on Windows.
func exclusive(_, _ string, c syscall.RawConn) error {
	var failed error
	err := c.Control(func(fd uintptr) {
		failed = windows.SetsockoptInt(windows.Handle(fd), windows.SOL_SOCKET, soExclusiveAddrUse, 1)
	})
	if err != nil {
		return err
	}
	return failed
}
