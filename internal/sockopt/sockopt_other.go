//go:build !linux && !darwin

package sockopt

import "syscall"

func carrier(syscall.RawConn, int) {}

func avoidPacing(syscall.RawConn) {}
