package owner

import (
	"fmt"
	"net"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

const (
	supported  = true
	reusesUIDs = true
)

// kernel is the macOS way: the list of all sockets.
type kernel struct{}

func newKernel() (kernel, error) { return kernel{}, nil }

func (kernel) close() error { return nil }

func (kernel) uidOf(c net.Conn) (string, error) {
	remote, local, err := ends(c)
	if err != nil {
		return "", err
	}
	list, err := sockets()
	if err != nil {
		return "", err
	}
	uid, err := uidIn(list, remote, local)
	if err != nil {
		return "", err
	}
	// Asked last: as long as this socket lives, no other connection can have
	// the 4-tuple, so the row was that of this socket's peer.
	if err := alive(c); err != nil {
		return "", err
	}
	return strconv.FormatUint(uint64(uid), 10), nil
}

// sockets is asked again where sockets came into being between the question for
// its size and that for the list.
func sockets() (list []byte, err error) {
	for range 4 {
		if list, err = unix.SysctlRaw("net.inet.tcp.pcblist_n"); err != unix.ENOMEM {
			break
		}
	}
	return list, os.NewSyscallError("sysctl net.inet.tcp.pcblist_n", err)
}

// alive says whether the accepted socket is neither closed nor reset. Where the
// peer has only ended its direction it is.
func alive(c net.Conn) error {
	var info *unix.TCPConnectionInfo
	err := ask(c, func(fd uintptr) (err error) {
		info, err = unix.GetsockoptTCPConnectionInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_CONNECTION_INFO)
		return os.NewSyscallError("getsockopt TCP_CONNECTION_INFO", err)
	})
	if err != nil {
		return err
	}
	if info.State != bsdEstablished && info.State != bsdCloseWait {
		return fmt.Errorf("the connection is over (state %d)", info.State)
	}
	return nil
}
