package owner

import (
	"errors"
	"fmt"
	"net"
	"os"
	"unsafe"

	"golang.org/x/sys/windows"
)

// Of mstcpip.h and winsock2.h.
const (
	sioTCPInfo     = 0xd8000027 // since Windows 10 1703
	tcpEstablished = 4
	tcpCloseWait   = 7

	pollIn   = 0x100
	pollOver = 0x1 | 0x2 | 0x4 // POLLERR, POLLHUP, POLLNVAL
)

var wsaPoll = windows.NewLazySystemDLL("ws2_32.dll").NewProc("WSAPoll")

// alive says whether the accepted socket is neither closed nor reset. Where the
// peer has only ended its direction it is; a Windows that cannot tell that from a
// reset refuses it.
func alive(c net.Conn) error {
	return ask(c, func(fd uintptr) error {
		err := established(windows.Handle(fd))
		if errors.Is(err, errors.ErrUnsupported) {
			err = notOver(fd)
		}
		return err
	})
}

// established asks for the state; ErrUnsupported where there is no such question.
func established(s windows.Handle) error {
	var info [11]uint64 // TCP_INFO_v0, whose first four bytes are the state
	var version, n uint32
	err := windows.WSAIoctl(s, sioTCPInfo, (*byte)(unsafe.Pointer(&version)), 4, (*byte)(unsafe.Pointer(&info)), uint32(unsafe.Sizeof(info)), &n, nil, 0)
	switch {
	case errors.Is(err, windows.WSAEOPNOTSUPP), errors.Is(err, windows.WSAEINVAL):
		return errors.ErrUnsupported
	case err != nil:
		return os.NewSyscallError("SIO_TCP_INFO", err)
	}
	if state := uint32(info[0]); state != tcpEstablished && state != tcpCloseWait {
		return fmt.Errorf("the connection is over (state %d)", state)
	}
	return nil
}

// notOver asks whether anything but data is there to be told.
func notOver(fd uintptr) error {
	set := struct {
		fd           uintptr
		asked, found int16
	}{fd: fd, asked: pollIn}
	n, _, err := wsaPoll.Call(uintptr(unsafe.Pointer(&set)), 1, 0)
	if int32(n) < 0 {
		return os.NewSyscallError("WSAPoll", err)
	}
	if set.found&pollOver != 0 {
		return fmt.Errorf("the connection is over, or half of it (%#x)", set.found)
	}
	return nil
}
