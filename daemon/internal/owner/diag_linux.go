package owner

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/sallyport/sallyport/internal/ipc"
)

// Sizes and offsets of linux/netlink.h, sock_diag.h and inet_diag.h.
const (
	sockDiagByFamily = 20
	nlHeader         = 16
	requestSize      = nlHeader + 56 // inet_diag_req_v2
	answerSize       = nlHeader + 72 // inet_diag_msg
)

// diag is one NETLINK_SOCK_DIAG socket.
type diag struct {
	overflow int64 // uid that stands for "not of this namespace"; -1: none does

	mu  sync.Mutex // one question, then its answer
	fd  int        // -1 when closed
	seq uint32
	buf [4096]byte
}

// row is a socket as the kernel lists it.
type row struct {
	state    uint8
	src, dst netip.AddrPort
	uid      int64
	inode    uint32
}

func openDiag() (*diag, error) {
	overflow, err := ipc.OverflowUID()
	if err != nil {
		return nil, err
	}
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	// The kernel answers within the call that asks; this is for the day it does not.
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 1}); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("setsockopt", err)
	}
	return &diag{overflow: overflow, fd: fd}, nil
}

func (d *diag) close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fd < 0 {
		return nil
	}
	fd := d.fd
	d.fd = -1
	return os.NewSyscallError("close", unix.Close(fd))
}

// lookup asks for the socket whose own address is src and whose peer is dst.
func (d *diag) lookup(src, dst netip.AddrPort) (row, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fd < 0 {
		return row{}, os.ErrClosed
	}
	d.seq++
	if err := unix.Sendto(d.fd, request(d.seq, src, dst), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return row{}, os.NewSyscallError("sock_diag", err)
	}
	for {
		n, from, err := unix.Recvfrom(d.fd, d.buf[:], 0)
		if err != nil {
			if errors.Is(err, unix.EINTR) {
				continue
			}
			return row{}, os.NewSyscallError("sock_diag", err)
		}
		if nl, ok := from.(*unix.SockaddrNetlink); !ok || nl.Pid != 0 {
			continue // not the kernel
		}
		if n >= nlHeader && binary.NativeEndian.Uint32(d.buf[8:]) != d.seq {
			continue // the late answer to a question that timed out
		}
		return parse(d.buf[:n])
	}
}

func request(seq uint32, src, dst netip.AddrPort) []byte {
	ne := binary.NativeEndian
	b := make([]byte, requestSize)
	ne.PutUint32(b[0:], requestSize)
	ne.PutUint16(b[4:], sockDiagByFamily)
	ne.PutUint16(b[6:], unix.NLM_F_REQUEST)
	ne.PutUint32(b[8:], seq)
	b[16], b[17] = unix.AF_INET, unix.IPPROTO_TCP
	if src.Addr().Is6() {
		b[16] = unix.AF_INET6
	}
	ne.PutUint32(b[20:], 0xffffffff) // every state
	id := b[24:]
	binary.BigEndian.PutUint16(id[0:], src.Port())
	binary.BigEndian.PutUint16(id[2:], dst.Port())
	copy(id[4:20], src.Addr().AsSlice())
	copy(id[20:36], dst.Addr().AsSlice())
	ne.PutUint32(id[40:], 0xffffffff) // no cookie
	ne.PutUint32(id[44:], 0xffffffff)
	return b
}

// parse reads an answer, which is one row or an error.
func parse(b []byte) (row, error) {
	ne := binary.NativeEndian
	if len(b) >= nlHeader+4 && ne.Uint16(b[4:]) == unix.NLMSG_ERROR {
		if errno := unix.Errno(-int32(ne.Uint32(b[16:]))); errno != 0 {
			return row{}, os.NewSyscallError("sock_diag", errno)
		}
	}
	if len(b) < answerSize || ne.Uint16(b[4:]) != sockDiagByFamily {
		return row{}, fmt.Errorf("sock_diag answered with %d bytes", len(b))
	}
	m := b[nlHeader:]
	address := func(at int) netip.Addr {
		if m[0] == unix.AF_INET6 {
			return netip.AddrFrom16([16]byte(m[at : at+16])).Unmap()
		}
		return netip.AddrFrom4([4]byte(m[at : at+4]))
	}
	return row{
		state: m[1],
		src:   netip.AddrPortFrom(address(8), binary.BigEndian.Uint16(m[4:])),
		dst:   netip.AddrPortFrom(address(24), binary.BigEndian.Uint16(m[6:])),
		uid:   int64(ne.Uint32(m[64:])),
		inode: ne.Uint32(m[68:]),
	}, nil
}
