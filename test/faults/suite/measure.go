//go:build linux

package suite

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// memory is the resident memory of a process now and at its peak, in bytes.
func memory(pid int) (now, peak int64) {
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

// watched is one program while something is done to it.
type watched struct {
	pid    int
	log    string
	before int64
	logged int64
}

// watch forgets the peak of a program's memory and begins to watch it.
func (w *World) watch(name string, pid int) watched {
	os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0) // without the right to: the peak of all time
	x := watched{pid: pid, log: filepath.Join(w.Dir, "logs", name+".log")}
	x.before, _ = memory(pid)
	x.logged = size(x.log)
	return x
}

// grown is how much memory it had at most above what it had before, and how
// much it has logged.
func (x watched) grown() (memoryBytes, logBytes int64) {
	_, peak := memory(x.pid)
	return max(peak-x.before, 0), size(x.log) - x.logged
}

func size(file string) int64 {
	info, err := os.Stat(file)
	if err != nil {
		return 0
	}
	return info.Size()
}

// descriptors is how many files a process has open.
func descriptors(pid int) int {
	d, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	return len(d)
}
