package owner

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/sys/windows"

	"github.com/sallyport/sallyport/internal/tcptable"
)

const (
	supported  = true
	reusesUIDs = false // a SID is given once
)

// kernel is the Windows way: the table of sockets, then the token of a process.
type kernel struct{}

func newKernel() (kernel, error) { return kernel{}, nil }

func (kernel) close() error { return nil }

func (kernel) uidOf(c net.Conn) (string, error) {
	remote, local, err := ends(c)
	if err != nil {
		return "", err
	}
	pid, err := process(remote, local)
	if err != nil {
		return "", err
	}
	handle, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION|windows.SYNCHRONIZE, false, pid)
	if err != nil {
		return "", fmt.Errorf("open process %d: %w", pid, err)
	}
	defer windows.CloseHandle(handle)
	// While the process is open nobody else gets its id; before, one could have.
	if again, err := process(remote, local); err != nil || again != pid {
		return "", fmt.Errorf("its process was %d and is %d: %w", pid, again, errors.Join(err, errChanged))
	}
	user, err := userOf(handle)
	if err != nil {
		return "", fmt.Errorf("process %d: %w", pid, err)
	}
	// Asked last: as long as this socket lives, no other connection can have
	// the 4-tuple, so the row was that of this socket's peer.
	if err := alive(c); err != nil {
		return "", err
	}
	return user, nil
}

// process looks an IPv4 connection up among the IPv6 sockets too, which can have
// such a peer.
func process(remote, local netip.AddrPort) (uint32, error) {
	if remote.Addr().Is4() {
		rows, err := tcptable.IPv4()
		if err != nil {
			return 0, err
		}
		if pid, err := processOf(rows, remote, local); !errors.Is(err, errNoRow) {
			return pid, err
		}
	}
	rows, err := tcptable.IPv6()
	if err != nil {
		return 0, err
	}
	return processOf(rows, remote, local)
}

// userOf is the SID of a process that has not ended.
func userOf(handle windows.Handle) (string, error) {
	if event, err := windows.WaitForSingleObject(handle, 0); err != nil || event != uint32(windows.WAIT_TIMEOUT) {
		return "", errors.New("it has ended")
	}
	var token windows.Token
	if err := windows.OpenProcessToken(handle, windows.TOKEN_QUERY, &token); err != nil {
		return "", fmt.Errorf("open token: %w", err)
	}
	defer token.Close()
	user, err := token.GetTokenUser()
	if err != nil {
		return "", fmt.Errorf("user of token: %w", err)
	}
	return user.User.Sid.String(), nil
}
