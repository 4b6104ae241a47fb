//go:build !windows

package origin

import "syscall"

// errnoRefused is what a connect to a closed port meets.
const errnoRefused = syscall.ECONNREFUSED
