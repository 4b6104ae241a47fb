package ipc

import (
	"os"

	"golang.org/x/sys/unix"
)

// peerOf reads LOCAL_PEERCRED; the process id is a courtesy to logs.
func peerOf(fd int) (uid, pid int, err error) {
	cred, err := unix.GetsockoptXucred(fd, unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
	if err != nil {
		return 0, 0, os.NewSyscallError("getsockopt LOCAL_PEERCRED", err)
	}
	pid, _ = unix.GetsockoptInt(fd, unix.SOL_LOCAL, unix.LOCAL_PEERPID)
	return int(cred.Uid), pid, nil
}

// unknown: this system has no user namespaces.
func unknown(int) bool { return false }
