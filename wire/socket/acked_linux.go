package socket

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// Acked is how many bytes the other end of a TCP connection has acknowledged;
// ok is false where it cannot be known.
func Acked(raw syscall.RawConn) (n uint64, ok bool) {
	raw.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		if err == nil {
			n, ok = info.Bytes_acked, true
		}
	})
	return n, ok
}
