//go:build linux && !race

package socket

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// These are system calls that the runtime is not told of. It would get
// ready for one that takes long: wake its watching thread, which then looks every
// 20 us for a while, and be ready to hand the processor on. On a socket that
// does not block, that costs more than the call. The race detector does not see
// them either, and would miss what orders two goroutines: it has the others.

func read(fd int, p []byte) (int, error) {
	return transfer(syscall.SYS_READ, fd, p)
}

func write(fd int, p []byte) (int, error) {
	return transfer(syscall.SYS_WRITE, fd, p)
}

func transfer(call uintptr, fd int, p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		n, _, errno := syscall.RawSyscall(call, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)))
		switch errno {
		case 0:
			return int(n), nil
		case syscall.EINTR:
		default:
			return 0, errno
		}
	}
}

// poll does not wait.
func poll(set []unix.PollFd) (int, error) {
	var now unix.Timespec
	n, _, errno := syscall.RawSyscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(&set[0])), uintptr(len(set)), uintptr(unsafe.Pointer(&now)), 0, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

func shutdown(fd int) error {
	if _, _, errno := syscall.RawSyscall(syscall.SYS_SHUTDOWN, uintptr(fd), syscall.SHUT_WR, 0); errno != 0 {
		return errno
	}
	return nil
}
