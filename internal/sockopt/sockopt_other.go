//go:build !linux && !darwin

package sockopt

import "syscall"

func carrier(syscall.RawConn) {}

func avoidPacing(syscall.RawConn) {}
