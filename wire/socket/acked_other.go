//go:build !linux

package socket

import "syscall"

// Acked is how many bytes the other end of a TCP connection has acknowledged,
// and how many it has not; ok is false where that cannot be known.
func Acked(syscall.RawConn) (acked uint64, unacked int, ok bool) { return 0, 0, false }
