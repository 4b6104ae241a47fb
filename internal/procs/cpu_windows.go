package procs

import (
	"time"

	"golang.org/x/sys/windows"
)

// CPU is the processor time that this process has taken so far; false where the system
// does not say.
func CPU() (time.Duration, bool) {
	var born, died, kernel, user windows.Filetime
	if err := windows.GetProcessTimes(windows.CurrentProcess(), &born, &died, &kernel, &user); err != nil {
		return 0, false
	}
	// Filetime.Nanoseconds is one since 1970; these are lengths of 100 ns.
	length := func(f windows.Filetime) time.Duration {
		return time.Duration(int64(f.HighDateTime)<<32|int64(f.LowDateTime)) * 100
	}
	return length(kernel) + length(user), true
}
