//go:build darwin || freebsd || netbsd || openbsd || dragonfly

package netwatch

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// open gives a routing socket.
func open() (*os.File, error) {
	fd, err := unix.Socket(unix.AF_ROUTE, unix.SOCK_RAW, unix.AF_UNSPEC)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	unix.CloseOnExec(fd)
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("setnonblock", err)
	}
	return os.NewFile(uintptr(fd), "route"), nil
}

// told: the error is itself the news. The kernel had more to say than fits.
func told(err error) bool { return errors.Is(err, unix.ENOBUFS) }
