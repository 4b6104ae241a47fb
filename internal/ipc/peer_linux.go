package ipc

import (
	"os"
	"strconv"
	"strings"
	"sync"

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

// overflow is asked once: a process does not change its namespace.
var overflow = sync.OnceValues(OverflowUID)

// unknown says whether a uid stands for every user of other user namespaces.
func unknown(uid int) bool {
	o, err := overflow()
	return err != nil || int64(uid) == o
}

// OverflowUID is what uids of other user namespaces read as, -1 where every uid
// of the system has a name here.
func OverflowUID() (int64, error) {
	b, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return 0, err
	}
	if f := strings.Fields(string(b)); len(f) == 3 && f[0] == "0" && f[1] == "0" && f[2] == "4294967295" {
		return -1, nil
	}
	b, err = os.ReadFile("/proc/sys/kernel/overflowuid")
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
}
