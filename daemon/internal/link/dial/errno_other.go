//go:build !windows

package dial

import "syscall"

// What a connect meets.
const (
	errnoRefused = syscall.ECONNREFUSED
	errnoReset   = syscall.ECONNRESET
	errnoAborted = syscall.ECONNABORTED
	errnoNoHost  = syscall.EHOSTUNREACH
	errnoNoNet   = syscall.ENETUNREACH
	errnoTimeout = syscall.ETIMEDOUT
)
