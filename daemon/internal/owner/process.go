package owner

import (
	"errors"
	"net/netip"

	"github.com/sallyport/sallyport/internal/tcptable"
)

// What a list of sockets may say that names nobody.
var (
	errNoRow   = errors.New("the system lists no such socket")
	errNoOwner = errors.New("its socket has no owner any more")
	errChanged = errors.New("the system's answer is not to be trusted")
)

// processOf is the process with the connected socket whose own address is remote
// and whose peer is local, in a table of Windows.
func processOf(rows []tcptable.Row, remote, local netip.AddrPort) (uint32, error) {
	found := false
	var pid uint32
	for _, r := range rows {
		if r.Local != remote || r.Remote != local || !r.State.Connected() {
			continue
		}
		if found && r.PID != pid {
			return 0, errChanged
		}
		found, pid = true, r.PID
	}
	switch {
	case !found:
		return 0, errNoRow
	case pid == 0:
		return 0, errNoOwner
	}
	return pid, nil
}
