package socket

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// LimitUnsent bounds what the kernel takes before it has sent what it has.
func LimitUnsent(raw syscall.RawConn, n int) {
	raw.Control(func(fd uintptr) { unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, n) })
}
