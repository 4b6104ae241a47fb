//go:build !windows

package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

func makeDir(path string) error { return os.MkdirAll(path, 0o700) }

// checkPrivate takes rights from others where the directory is ours, and
// refuses one that is not.
func checkPrivate(path string, info fs.FileInfo) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("%w: %s belongs to another user", ErrNotPrivate, path)
	}
	if info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	// A directory that everybody may write to is a shared one, named by
	// mistake (/tmp): its other users would be locked out.
	if info.Mode()&fs.ModeSticky != 0 {
		return fmt.Errorf("%w: %s is shared by all users", ErrNotPrivate, path)
	}
	if err := os.Chmod(path, 0o700); err != nil {
		return fmt.Errorf("%w: %w", ErrNotPrivate, err)
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
