//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/sallyport/sallyport/test/faults/causes"
	"github.com/sallyport/sallyport/test/faults/services"
	"github.com/sallyport/sallyport/test/faults/suite"
	"github.com/sallyport/sallyport/test/faults/wan"
	"github.com/sallyport/sallyport/test/harness"
)

// exitError is the exit code of a child that could not play; smaller ones are
// how many faults were not borne.
const exitError = 120

// playNetwork plays the faults of a network.
func (o options) playNetwork(ctx context.Context) (failed int, err error) {
	o.figures = false
	return o.playChild(ctx)
}

// playFarFigures plays the figures that want a network.
func (o options) playFarFigures(ctx context.Context) (failed int, err error) {
	o.network = false
	return o.playChild(ctx)
}

// playChild plays what there is of the two in a child, alone in a network namespace
// of its own, or says why it cannot.
func (o options) playChild(ctx context.Context) (failed int, err error) {
	if err := wan.Available(); err != nil {
		fmt.Fprintln(o.out, "\nwhat needs a network is left out:", err)
		return 0, nil
	}
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	programs, err := harness.FindPrograms(ctx)
	if err != nil {
		return 0, err
	}
	args := []string{"-inside", "-streams", fmt.Sprint(o.streams), "-seed", fmt.Sprint(o.seed), "-run", o.run.String(),
		fmt.Sprintf("-short=%t", o.short), fmt.Sprintf("-v=%t", o.verbose), fmt.Sprintf("-network=%t", o.network), fmt.Sprintf("-figures=%t", o.figures)}
	cmd := inNamespace(ctx, self, args...)
	cmd.Stdout = o.out
	cmd.Env = append(os.Environ(), harness.BinEnv+"="+filepath.Dir(programs.Edge))
	theirs, mine, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer theirs.Close()
	cmd.ExtraFiles = []*os.File{mine}
	err = cmd.Run()
	mine.Close()
	var fell int
	if _, serr := fmt.Fscan(theirs, &fell); serr == nil {
		*o.fell += fell
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() > 0 && exit.ExitCode() < exitError {
		return exit.ExitCode(), nil
	} else if err != nil {
		return 0, fmt.Errorf("faults of a network: %w", err)
	}
	return 0, nil
}

// inNamespace is a command in a new network namespace, and a mount namespace, with
// the same output.
func inNamespace(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 30 * time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Cloneflags: syscall.CLONE_NEWNET, Unshareflags: syscall.CLONE_NEWNS}
	return cmd
}

// playInside is the child; it returns its exit code.
func (o options) playInside(ctx context.Context) int {
	failed, err := o.playFar(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
		return exitError
	}
	parent := os.NewFile(3, "parent")
	fmt.Fprintln(parent, *o.fell)
	parent.Close()
	return min(failed, exitError-1)
}

func (o options) playFar(ctx context.Context) (failed int, err error) {
	dir, err := os.MkdirTemp("", "sp-faults-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	w, err := suite.OpenFar(ctx, dir, o.seed)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	if o.network {
		failed += o.playFarCauses(ctx, w)
	}
	failed += o.playFigures(ctx, w, o.far())
	if failed > 0 && o.verbose {
		fmt.Fprintln(os.Stderr, w.Logs())
	}
	return failed, nil
}

func (o options) playFarCauses(ctx context.Context, w *suite.World) (failed int) {
	return o.playBeside(ctx, w, "fault of the network", causes.FarCauses())
}

// beside says what became of pgbench, ssh and scp.
func beside(all []services.Outcome) string {
	words := make([]string, len(all))
	for i, o := range all {
		words[i] = o.Name + " ok"
		if o.Err != nil {
			words[i] = o.Name + " ended"
		}
	}
	return strings.Join(words, ", ")
}
