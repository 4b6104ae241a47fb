//go:build linux

package packages

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// aloneEnv is set for the process that runs the tests.
	aloneEnv = "SALLYPORT_PACKAGES_ALONE"
	// scratch is where machines are laid, in memory: a directory that every
	// system has and that nothing here uses.
	scratch = "/mnt"
)

// runAlone runs this program again as the first process of a process namespace,
// with mounts of its own. Whatever ends it, be it kill -9 of this process or of
// the one that started it, ends the machines with it: the kernel kills all
// processes of the namespace, and the mounts go with the last of them.
func runAlone() int {
	runtime.LockOSThread() // the child's death signal is for the end of this thread
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		fmt.Fprintln(os.Stderr, "death signal:", err)
		return 1
	}
	signal.Ignore(syscall.SIGINT, syscall.SIGQUIT) // a terminal tells the child too, which ends in order
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), aloneEnv+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID}
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return max(exit.ExitCode(), 1)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "in a namespace of its own:", err)
		return 1
	}
	return 0
}

// settleAlone makes the mounts of such a process: none is seen outside.
func settleAlone() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	if err := unix.Mount("tmpfs", scratch, "tmpfs", 0, "mode=700"); err != nil {
		return fmt.Errorf("mount %s: %w", scratch, err)
	}
	return nil
}
