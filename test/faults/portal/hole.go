//go:build linux

package portal

import (
	"net"
	"net/netip"
	"strconv"

	"golang.org/x/sys/unix"
)

// Hole6 makes a port of ::1 swallow what comes, until end: its backlog is full.
func Hole6(port int) (end func(), err error) {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1); err == nil {
		err = unix.Bind(fd, &unix.SockaddrInet6{Addr: netip.IPv6Loopback().As16(), Port: port})
	}
	if err == nil {
		err = unix.Listen(fd, 0)
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	// One connection fills the queue; what comes then is not answered.
	c, err := net.Dial("tcp6", net.JoinHostPort("::1", strconv.Itoa(port)))
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return func() { c.Close(); unix.Close(fd) }, nil
}
