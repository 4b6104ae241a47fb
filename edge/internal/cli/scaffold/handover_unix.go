//go:build !windows

package scaffold

import (
	"io/fs"
	"os"
	"syscall"
)

// readable lets the group of the service's account read the file, in which no
// secret stands.
const readable = 0o640

// ownerOf is the user that a directory which is there belongs to; ok is false
// where that is nobody else than this process.
func ownerOf(dir string) (uid, gid int, ok bool) {
	info, err := os.Stat(dir)
	if err != nil || os.Geteuid() != 0 {
		return 0, 0, false
	}
	st, is := info.Sys().(*syscall.Stat_t)
	if !is || st.Uid == 0 {
		return 0, 0, false
	}
	return int(st.Uid), int(st.Gid), true
}

// handOver gives what root has made in another user's state directory to that
// user, who is to run the edge; the config file stays root's.
func handOver(state, file string, uid, gid int) error {
	root, err := os.OpenRoot(state) // nothing leads out of it
	if err != nil {
		return err
	}
	defer root.Close()
	err = fs.WalkDir(root.FS(), ".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return root.Lchown(path, uid, gid)
	})
	if err != nil {
		return err
	}
	if err := os.Chown(file, 0, gid); err != nil {
		return err
	}
	return os.Chmod(file, readable)
}
