//go:build !linux && !windows

package forward

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// errnoRefused is what a socket without listener answers.
const errnoRefused = syscall.ECONNREFUSED

// openFolder admits folders of the socket's owner only.
func openFolder(path string, uid int) (folder, error) {
	info, err := os.Stat(path)
	if err != nil {
		return folder{}, err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if isOther(uid) && (!ok || int(st.Uid) != uid) {
		return folder{}, fmt.Errorf("the folder %s is not yours: %w", path, fs.ErrPermission)
	}
	return folder{at: path, close: func() {}}, nil
}

// ownerOnly: the mode is set once the socket has a name.
func ownerOnly(_, _ string, _ syscall.RawConn) error { return nil }

func isOurs(info os.FileInfo, uid int) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && (int(st.Uid) == os.Geteuid() || (uid > 0 && int(st.Uid) == uid))
}
