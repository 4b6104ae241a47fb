//go:build !windows

package check

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// ownsDirectory is nil where dir is a directory of the user, written without
// links, into which nobody else may put anything. It says the same of what is
// missing and of what is not the user's: the daemon sees more than its callers.
func ownsDirectory(dir, uid string) error {
	denied := errors.New("the socket's directory must exist where the service sees it (as packaged it does not see /home), be yours, be writable by you alone, and be named without links")
	if real, err := filepath.EvalSymlinks(dir); err != nil || real != dir {
		return denied
	}
	info, err := os.Lstat(dir)
	if err != nil || !info.IsDir() {
		return denied
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || strconv.FormatUint(uint64(st.Uid), 10) != uid || info.Mode().Perm()&0o022 != 0 {
		return denied
	}
	return nil
}
