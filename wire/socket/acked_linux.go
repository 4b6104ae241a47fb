package socket

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// Acked is how many bytes the other end of a TCP connection has acknowledged,
// and how many it has not; ok is false where that cannot be known.
func Acked(raw syscall.RawConn) (acked uint64, unacked int, ok bool) {
	raw.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil {
			return
		}
		unacked, err = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ)
		acked, ok = info.Bytes_acked, err == nil
	})
	return acked, unacked, ok
}
