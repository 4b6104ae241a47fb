//go:build !windows

package procs

import "time"

// CPU is the processor time that this process has taken so far; false where the system
// does not say.
func CPU() (time.Duration, bool) {
	u, ok := used()
	return u.cpu, ok
}
