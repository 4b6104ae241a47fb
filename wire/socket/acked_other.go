//go:build !linux

package socket

import "syscall"

// Acked is how many bytes the other end of a TCP connection has acknowledged;
// ok is false where it cannot be known.
func Acked(syscall.RawConn) (n uint64, ok bool) { return 0, false }
