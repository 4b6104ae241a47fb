package harness

import (
	"os/exec"
	"syscall"
)

const executableSuffix = ""

// prepare makes a child end with its parent and run as another OS user where
// one is given.
func prepare(cmd *exec.Cmd, as *User) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if as != nil {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: as.UID, Gid: as.GID}
	}
}
