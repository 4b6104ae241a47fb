package ipc

import (
	"os"

	"golang.org/x/sys/unix"
)

// peerOf reads SO_PEERCRED: the process that connected, or that listened.
func peerOf(fd int) (uid, pid int, err error) {
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return 0, 0, os.NewSyscallError("getsockopt SO_PEERCRED", err)
	}
	return int(cred.Uid), int(cred.Pid), nil
}
