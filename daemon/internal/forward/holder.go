package forward

import (
	"fmt"
	"net/netip"
	"os"
)

// holder is who has a port, as far as the system tells. A zero PID means that
// the program is not known, an empty User that its user is not.
type holder struct {
	socket  uint64 // the listening socket, by the system's number
	PID     int
	Program string
	User    string
}

// String is for the middle of a sentence.
func (h holder) String() string {
	switch {
	case h.PID == os.Getpid():
		return "another forward of this daemon"
	case h.PID != 0 && h.User != "":
		return fmt.Sprintf("%s (pid %d, user %s)", h.Program, h.PID, h.User)
	case h.PID != 0:
		return fmt.Sprintf("%s (pid %d)", h.Program, h.PID)
	case h.User != "":
		return fmt.Sprintf("a program of user %s", h.User)
	}
	return "another program"
}

// holders remembers the last answer: looking through all processes is not
// cheap, and a taken port is tried every two seconds.
type holders struct {
	addr netip.AddrPort
	last holder
}

func (h *holders) of(addr netip.AddrPort) holder {
	found := findSocket(addr)
	if found.socket != 0 && found.socket == h.last.socket && addr == h.addr {
		return h.last
	}
	findProgram(&found)
	h.addr, h.last = addr, found
	return found
}
