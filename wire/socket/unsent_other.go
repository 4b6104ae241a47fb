//go:build !linux

package socket

import "syscall"

// LimitUnsent does nothing here.
func LimitUnsent(syscall.RawConn, int) {}
