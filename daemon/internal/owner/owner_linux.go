package owner

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

const (
	supported  = true
	reusesUIDs = true
)

// kernel is the Linux way: sock_diag, on one netlink socket that stays open
// (opening one for each question costs milliseconds).
type kernel struct{ diag *diag }

func newKernel() (kernel, error) {
	d, err := openDiag()
	if err != nil {
		return kernel{}, err
	}
	return kernel{diag: d}, nil
}

func (k kernel) close() error { return k.diag.close() }

func (k kernel) uidOf(c net.Conn) (string, error) {
	remote, local, err := ends(c)
	if err != nil {
		return "", err
	}
	row, err := k.diag.lookup(remote, local)
	if err != nil {
		return "", err
	}
	if err := row.usable(remote, local); err != nil {
		return "", err
	}
	if row.uid == k.diag.overflow {
		return "", errors.New("its user is of another namespace")
	}
	// Asked last: as long as this socket lives, no other connection can have
	// the 4-tuple, so the row was that of this socket's peer.
	if err := alive(c); err != nil {
		return "", err
	}
	return strconv.FormatInt(row.uid, 10), nil
}

// usable refuses rows that are not those of a connected peer with a process.
func (r row) usable(remote, local netip.AddrPort) error {
	switch r.state {
	case unix.BPF_TCP_ESTABLISHED, unix.BPF_TCP_FIN_WAIT1, unix.BPF_TCP_FIN_WAIT2,
		unix.BPF_TCP_CLOSE_WAIT, unix.BPF_TCP_CLOSING, unix.BPF_TCP_LAST_ACK:
	default:
		return fmt.Errorf("its socket is in state %d", r.state)
	}
	if r.src != remote || r.dst != local {
		return errors.New("the kernel answered for another socket")
	}
	if r.inode == 0 { // closed by its process; such a row reads uid 0
		return errors.New("its socket has no owner any more")
	}
	return nil
}

// alive says whether the accepted socket is neither closed nor reset. Where the
// peer has only ended its direction it is.
func alive(c net.Conn) error {
	var info *unix.TCPInfo
	err := ask(c, func(fd uintptr) (err error) {
		info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		return os.NewSyscallError("getsockopt TCP_INFO", err)
	})
	if err != nil {
		return err
	}
	if info.State != unix.BPF_TCP_ESTABLISHED && info.State != unix.BPF_TCP_CLOSE_WAIT {
		return fmt.Errorf("the connection is over (state %d)", info.State)
	}
	return nil
}
