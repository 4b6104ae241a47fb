// Package holder finds the program that has a port, as far as the system tells:
// Linux and Windows do.
//
// Concurrency: one goroutine at a time may use a Finder.
package holder

import (
	"fmt"
	"net/netip"
	"os"

	"github.com/sallyport/sallyport/internal/tcptable"
)

// Holder is who has a port, as far as the system tells. A zero PID means that
// the program is not known, an empty User that its user is not.
type Holder struct {
	socket  uint64 // the listening socket, by the system's number
	PID     int
	Program string
	User    string
}

// String is for the middle of a sentence.
func (h Holder) String() string {
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

// Finder remembers the last answer: looking through all processes is not
// cheap, and a taken port is tried every two seconds.
type Finder struct {
	addr netip.AddrPort
	last Holder
}

// Of says who listens at an address.
func (h *Finder) Of(addr netip.AddrPort) Holder {
	found := findSocket(addr)
	if found.socket != 0 && found.socket == h.last.socket && addr == h.addr {
		return h.last
	}
	findProgram(&found)
	h.addr, h.last = addr, found
	return found
}

// listenerOn is the process that listens on a port of an address or of all, in a
// table of Windows; 0 where none does.
func listenerOn(rows []tcptable.Row, addr netip.AddrPort) uint32 {
	for _, r := range rows {
		if r.State == tcptable.Listen && r.Local.Port() == addr.Port() && (r.Local.Addr() == addr.Addr() || r.Local.Addr().IsUnspecified()) {
			return r.PID
		}
	}
	return 0
}
