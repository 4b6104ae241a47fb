//go:build !linux && !windows

package forward

import (
	"fmt"
	"os"
	"syscall"
)

// errnoRefused is what a socket without listener answers.
const errnoRefused = syscall.ECONNREFUSED

// asOwner makes sockets for the daemon's own user only: this system has no way
// to act with another's rights for a moment, and without that whoever owns the
// folder could have the mode and owner of any file changed.
func asOwner(uid int, f func() error) error {
	if isOther(uid) {
		return fmt.Errorf("make a socket for uid %d on this system: %w", uid, errOwnOnly)
	}
	return f()
}

// openFolder only sees to it that there is one.
func openFolder(path string, _ int) (folder, error) {
	if _, err := os.Stat(path); err != nil {
		return folder{}, err
	}
	return folder{at: path, close: func() {}}, nil
}

// ownerOnly: the mode is set once the socket has a name.
func ownerOnly(_, _ string, _ syscall.RawConn) error { return nil }

func isOurs(info os.FileInfo, uid int) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && (int(st.Uid) == os.Geteuid() || (uid > 0 && int(st.Uid) == uid))
}
