package dial

import (
	"net"
	"net/netip"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// blackHole6 is a port of ::1 that swallows what comes: its backlog is full.
func blackHole6(t *testing.T) (ok bool, port string) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false, ""
	}
	t.Cleanup(func() { unix.Close(fd) })
	at := &unix.SockaddrInet6{Addr: netip.IPv6Loopback().As16()}
	if unix.Bind(fd, at) != nil || unix.Listen(fd, 0) != nil {
		return false, ""
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		return false, ""
	}
	port = strconv.Itoa(name.(*unix.SockaddrInet6).Port)
	// One connection fills the queue; what comes then is not answered.
	c, err := net.Dial("tcp6", net.JoinHostPort("::1", port))
	if err != nil {
		return false, ""
	}
	t.Cleanup(func() { c.Close() })
	return true, port
}

func portNumber(port string) uint16 {
	n, _ := strconv.Atoi(port)
	return uint16(n)
}
