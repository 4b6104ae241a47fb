//go:build unix

package forward

import (
	"net"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxEarly is what is looked at: a request, not a transfer.
const maxEarly = 4 << 10

// peek gives what waits to be read on a connection, without taking it.
func peek(c net.Conn) []byte {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	buf := peeked.Get().(*[maxEarly]byte)
	defer peeked.Put(buf)
	n := 0
	raw.Control(func(fd uintptr) {
		n, _, _ = unix.Recvfrom(int(fd), buf[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	})
	return append([]byte(nil), buf[:max(n, 0)]...)
}

var peeked = sync.Pool{New: func() any { return new([maxEarly]byte) }}
