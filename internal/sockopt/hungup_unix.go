//go:build unix

package sockopt

import (
	"net"

	"golang.org/x/sys/unix"
)

// HungUp says whether both directions of a TCP connection are over. Where this
// side has not ended its own, the peer has reset it: that stays visible also
// after a write has taken the error along, when a read shows an end in order.
func HungUp(c net.Conn) (over bool) {
	raw := tcpOf(c)
	if raw == nil {
		return false
	}
	raw.Control(func(fd uintptr) {
		set := []unix.PollFd{{Fd: int32(fd)}}
		n, err := unix.Poll(set, 0)
		over = err == nil && n > 0 && set[0].Revents&(unix.POLLHUP|unix.POLLERR|unix.POLLNVAL) != 0
	})
	return over
}
