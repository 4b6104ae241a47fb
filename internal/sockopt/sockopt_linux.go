package sockopt

import (
	"os"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/sallyport/sallyport/wire"
)

func carrier(raw syscall.RawConn, unsent int) {
	raw.Control(func(fd uintptr) {
		unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, unsent)
		unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(wire.UserTimeout.Milliseconds()))
		// A message of a link is one packet: where a slow uplink drops it, the next
		// try must not wait twice as long each time.
		unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_THIN_LINEAR_TIMEOUTS, 1)
	})
}

// paced says whether the system's congestion control paces: on loopback that
// costs two thirds of the throughput.
var paced = sync.OnceValue(func() bool {
	b, err := os.ReadFile("/proc/sys/net/ipv4/tcp_congestion_control")
	return err == nil && strings.HasPrefix(string(b), "bbr")
})

// avoidPacing takes reno, which every process may set.
func avoidPacing(raw syscall.RawConn) {
	if !paced() {
		return
	}
	raw.Control(func(fd uintptr) {
		unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, "reno")
	})
}
