package holder

import (
	"net/netip"
	"path/filepath"

	"golang.org/x/sys/windows"

	"github.com/sallyport/sallyport/internal/tcptable"
)

// findSocket looks a listening socket up by its port. Its process stands for its
// number.
func findSocket(addr netip.AddrPort) Holder {
	for _, table := range []func() ([]tcptable.Row, error){tcptable.IPv4, tcptable.IPv6} {
		rows, err := table()
		if err != nil {
			return Holder{}
		}
		if pid := listenerOn(rows, addr); pid != 0 {
			return Holder{socket: uint64(pid)}
		}
	}
	return Holder{}
}

// findProgram names the process. Without rights to it, it has its number alone.
func findProgram(h *Holder) {
	if h.socket == 0 {
		return
	}
	h.PID, h.Program = int(h.socket), "a program"
	process, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, uint32(h.PID))
	if err != nil {
		return
	}
	defer windows.CloseHandle(process)
	var path [windows.MAX_LONG_PATH]uint16
	size := uint32(len(path))
	if windows.QueryFullProcessImageName(process, 0, &path[0], &size) == nil {
		h.Program = filepath.Base(windows.UTF16ToString(path[:size]))
	}
}
