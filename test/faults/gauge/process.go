//go:build linux

// Package gauge reads what a program takes of its machine, and what the edge counts.
//
// Concurrency: all may be called at any time; a Process belongs to one goroutine.
package gauge

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Memory is the resident memory of a process now and at its peak, in bytes.
func Memory(pid int) (now, peak int64) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0
	}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		n, _ := strconv.ParseInt(f[1], 10, 64)
		switch f[0] {
		case "VmHWM:":
			peak = n << 10
		case "VmRSS:":
			now = n << 10
		}
	}
	return now, peak
}

// Process is one program while something is done to it.
type Process struct {
	pid    int
	log    string
	before int64
	logged int64
}

// ForgetPeak begins the peak of a program's memory anew; without the right to, it stays
// that of all time. Who watches meanwhile sees less than there was.
func ForgetPeak(pid int) {
	os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0)
}

// Watch begins to watch a program and its log, from the last ForgetPeak on.
func Watch(pid int, log string) Process {
	x := Process{pid: pid, log: log}
	x.before, _ = Memory(pid)
	x.logged = size(x.log)
	return x
}

// Grown is how much memory it had at most above what it had before, and how
// much it has logged.
func (x Process) Grown() (memoryBytes, logBytes int64) {
	_, peak := Memory(x.pid)
	return max(peak-x.before, 0), size(x.log) - x.logged
}

func size(file string) int64 {
	info, err := os.Stat(file)
	if err != nil {
		return 0
	}
	return info.Size()
}

// Descriptors is how many files a process has open.
func Descriptors(pid int) int {
	d, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	return len(d)
}
