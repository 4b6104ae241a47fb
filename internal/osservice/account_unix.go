//go:build !windows && !darwin

package osservice

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// EnsureAccount makes a system account and its group where they are not there,
// without a shell and without a password. root is "" for this machine, else the
// directory of another system's tree.
func EnsureAccount(root, name, home string) error {
	if name == "" {
		return nil
	}
	hasGroup, err := listed(root, "group", name)
	if err != nil {
		return err
	}
	hasUser, err := listed(root, "passwd", name)
	if err != nil {
		return err
	}
	if busybox() && root == "" {
		return ensureBusybox(name, home, hasUser, hasGroup)
	}
	if !hasGroup {
		if err := tool("groupadd", in(root, "--system", name)...); err != nil {
			return err
		}
	}
	if hasUser {
		return nil
	}
	return tool("useradd", in(root, "--system", "--gid", name, "--no-create-home", "--home-dir", home, "--shell", "/usr/sbin/nologin", name)...)
}

func ensureBusybox(name, home string, hasUser, hasGroup bool) error {
	if !hasGroup {
		if err := tool("addgroup", "-S", name); err != nil {
			return err
		}
	}
	if hasUser {
		return nil
	}
	return tool("adduser", "-S", "-D", "-H", "-h", home, "-s", "/sbin/nologin", "-G", name, name)
}

// RemoveAccount removes both; what is not there is no error.
func RemoveAccount(root, name string) error {
	for _, kind := range []struct{ file, program, busybox string }{{"passwd", "userdel", "deluser"}, {"group", "groupdel", "delgroup"}} {
		has, err := listed(root, kind.file, name)
		if err != nil {
			return err
		}
		if !has {
			continue
		}
		if busybox() && root == "" {
			err = tool(kind.busybox, name)
		} else {
			err = tool(kind.program, in(root, name)...)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func in(root string, args ...string) []string {
	if root == "" {
		return args
	}
	return append([]string{"--prefix", root}, args...)
}

// busybox says whether accounts are made by busybox (Alpine).
func busybox() bool {
	_, err := exec.LookPath("useradd")
	return err != nil
}

// listed looks into the file itself: a system account never comes from a
// directory service.
func listed(root, file, name string) (bool, error) {
	text, err := os.ReadFile(filepath.Join("/", root, "etc", file))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, name+":") {
			return true, nil
		}
	}
	return false, nil
}

func tool(name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "PATH=/usr/sbin:/usr/bin:/sbin:/bin")
	if path, err := exec.LookPath("/usr/sbin/" + name); err == nil {
		cmd.Path, cmd.Err = path, nil
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}
