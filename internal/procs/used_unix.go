//go:build unix

package procs

import (
	"time"

	"golang.org/x/sys/unix"
)

// used asks the kernel.
func used() (usage, bool) {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return usage{}, false
	}
	return usage{at: time.Now(), cpu: time.Duration(u.Utime.Nano() + u.Stime.Nano()), sleeps: int64(u.Nvcsw)}, true
}
