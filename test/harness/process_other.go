//go:build !linux && !windows

package harness

import (
	"os/exec"
	"syscall"
)

const executableSuffix = ""

// prepare runs a child as another OS user where one is given.
func prepare(cmd *exec.Cmd, as *User) {
	if as != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: as.UID, Gid: as.GID}}
	}
}
