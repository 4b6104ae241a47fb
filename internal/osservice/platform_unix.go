//go:build !windows

package osservice

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

func administrator() bool { return os.Geteuid() == 0 }

// checkProgram refuses a program that another user than root could replace: it,
// or a directory on its way, would hand that user the service.
func checkProgram(path string) error {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	info, err := os.Stat(real)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
		return fmt.Errorf("%s is no program", path)
	}
	for at := real; ; at = filepath.Dir(at) {
		info, err := os.Lstat(at)
		if err != nil {
			return err
		}
		if err := onlyRoots(at, info); err != nil {
			return errors.Join(ErrUnsafeProgram, err, errors.New("install it where only root writes: /usr/bin or /usr/local/bin"))
		}
		if at == filepath.Dir(at) {
			return nil
		}
	}
}

func onlyRoots(path string, info fs.FileInfo) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || st.Uid != 0 {
		return fmt.Errorf("%s does not belong to root", path)
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%s is writable by others (mode %04o)", path, info.Mode().Perm())
	}
	return nil
}

// asked: what the library says is all that is known here.
func (c *Control) asked() (State, bool) { return "", false }

// isRegistered says whether the manager has just this service.
func (c *Control) isRegistered(platform string) bool {
	have, err := os.ReadFile(c.file(platform))
	return err == nil && bytes.Equal(have, []byte(c.text(platform)))
}

// unregistered: every error matters here.
func (c *Control) unregistered(err error) error { return err }
