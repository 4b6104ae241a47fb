//go:build !windows

package connector

import "syscall"

// errnoRefused is what a connect to a closed port meets.
const errnoRefused = syscall.ECONNREFUSED
