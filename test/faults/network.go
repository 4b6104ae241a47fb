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

	"github.com/sallyport/sallyport/test/faults/services"
	"github.com/sallyport/sallyport/test/faults/suite"
	"github.com/sallyport/sallyport/test/faults/wan"
	"github.com/sallyport/sallyport/test/harness"
)

// exitError is the exit code of a child that could not play; smaller ones are
// how many faults were not borne.
const exitError = 120

// playNetwork plays the faults of a network in a child, alone in a network
// namespace of its own, or says why it cannot.
func (o options) playNetwork(ctx context.Context) (failed int, err error) {
	if err := wan.Available(); err != nil {
		fmt.Println("\nfaults of a network are left out:", err)
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
	cmd.Env = append(os.Environ(), harness.BinEnv+"="+filepath.Dir(programs.Edge))
	var exit *exec.ExitError
	if err := cmd.Run(); errors.As(err, &exit) && exit.ExitCode() > 0 && exit.ExitCode() < exitError {
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
	if o.figures {
		failed += o.playFigures(ctx, w, true)
	}
	if failed > 0 && o.verbose {
		fmt.Fprintln(os.Stderr, w.Logs())
	}
	return failed, nil
}

func (o options) playFarCauses(ctx context.Context, w *suite.World) (failed int) {
	if err := services.Missing(); err != nil {
		fmt.Println("\npgbench, ssh and scp are left out:", err)
	}
	fmt.Printf("\n%-40s %7s %8s %6s %6s %6s %8s %7s %8s %7s %8s %s\n", "fault of the network", "streams", "survived", "reset", "lost B", "lies", "MiB", "ended s", "resume s", "new s", "grown MiB", "beside")
	for _, c := range suite.FarCauses() {
		if c.Slow && o.short || !o.run.MatchString(c.Name) {
			continue
		}
		if ctx.Err() != nil {
			return failed + 1
		}
		r := w.PlayFar(ctx, c, o.streams)
		fmt.Printf("%-40s %7d %8d %6d %6d %6d %8.1f %s %s %7.2f %8.1f  %s %s\n", c.Name, r.Streams, r.Survived, r.Reset, r.Tally.Faults.Total(), r.Lied,
			float64(r.Bytes)/(1<<20), seconds(7, r.Ended, c.Want == suite.Die), seconds(8, r.Resumed, c.Want == suite.Survive), r.New.Seconds(),
			float64(r.Memory)/(1<<20), beside(r.Services), mark(r.Faults))
		if r.Faults != nil {
			failed++
		}
	}
	return failed
}

// seconds is a column of so many characters, "-" where it has no meaning.
func seconds(width int, d time.Duration, shown bool) string {
	if !shown {
		return fmt.Sprintf("%*s", width, "-")
	}
	return fmt.Sprintf("%*.2f", width, d.Seconds())
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
