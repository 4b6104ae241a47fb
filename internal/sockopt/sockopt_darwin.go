package sockopt

import (
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/sallyport/sallyport/wire"
)

func carrier(raw syscall.RawConn, unsent int) {
	raw.Control(func(fd uintptr) {
		unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, unsent)
		unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_RXT_CONNDROPTIME, int(wire.UserTimeout.Seconds()))
	})
}

func avoidPacing(syscall.RawConn) {}
