//go:build !windows

package setup

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

func mayInstall() error {
	if os.Geteuid() != 0 {
		return errors.New("only root may install: run it with sudo, or look first with --dry-run")
	}
	return nil
}

func owner(info fs.FileInfo) (uid, gid int) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return -1, -1
	}
	return int(st.Uid), int(st.Gid)
}
