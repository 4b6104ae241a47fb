package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/sallyport/sallyport/internal/procs"
)

// Exit codes of a process that runs Probe, for ProbeBy. 2 is how a Go program
// dies of a fault.
const (
	ProbeHealthy = 0
	ProbeError   = 1
	probeDied    = 2
	ProbeDamaged = 3
	ProbeNewer   = 4
)

// A damaged database can lead in circles. Processor time tells that from a machine that
// is slow or busy: a healthy one takes a few milliseconds of it, and some for each MiB.
const (
	circles       = time.Second
	circlesPerMiB = 100 * time.Millisecond
	circlesEvery  = 20 * time.Millisecond // between two looks
	// probeTimeout says nothing of the file: its disk may be slow.
	probeTimeout = 30 * time.Second
)

// Probe reads a database file whole, in this process, which may die of it, and which it
// ends itself where that leads in circles. The number is the exit code to end with.
func Probe(file string, s Sealer) (int, error) {
	if info, err := os.Stat(file); err == nil {
		go endOfCircles(circles + time.Duration(info.Size()>>20)*circlesPerMiB) // ends with the process
	}
	err := probeFile(file, s, len(migrations), true)
	switch {
	case err == nil:
		return ProbeHealthy, nil
	case errors.Is(err, ErrDamaged):
		return ProbeDamaged, err
	case errors.Is(err, ErrNewer):
		return ProbeNewer, err
	}
	return ProbeError, err
}

// endOfCircles ends this process once it has taken so much more processor time. Where
// the system does not say, probeTimeout is left.
func endOfCircles(limit time.Duration) {
	first, ok := procs.CPU()
	for now := first; ok && now-first < limit; now, ok = procs.CPU() {
		time.Sleep(circlesEvery)
	}
	if ok {
		fmt.Println(errProbeHangs)
		os.Exit(ProbeDamaged)
	}
}

// ProbeIn probes a file of a state directory with the key that is beside it.
// The number is the exit code to end with.
func ProbeIn(file string, key func(path string) (Sealer, error)) (int, error) {
	s, err := key(filepath.Join(filepath.Dir(file), SealKeyName))
	if err != nil {
		return ProbeError, err
	}
	return Probe(file, s)
}

// probeFile opens a file for reading and verifies it. pages also has bbolt
// check its own structure, in a goroutine whose panic nobody can catch.
func probeFile(file string, s Sealer, newest int, pages bool) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	if info.Size() == 0 { // bbolt would begin a new database in it
		return fmt.Errorf("%w: the file is empty", ErrDamaged)
	}
	db, err := bolt.Open(file, 0o600, &bolt.Options{Timeout: time.Second, ReadOnly: true, PreLoadFreelist: true})
	if err != nil {
		return damagedOr(err)
	}
	defer db.Close()
	return db.View(func(tx *bolt.Tx) error {
		if pages {
			var faults []error
			for err := range tx.Check() { // to the end, else its goroutine stays
				faults = append(faults, err)
			}
			if len(faults) > 0 {
				return fmt.Errorf("%w: %w", ErrDamaged, faults[0])
			}
		}
		return verify(tx, s, newest)
	})
}

// ProbeBy returns a Config.Probe that runs a program with the file's path as its
// last argument; the program calls Probe and ends with its number.
func ProbeBy(program string, args ...string) func(ctx context.Context, file string) error {
	return probeBy(probeTimeout, program, args...)
}

func probeBy(timeout time.Duration, program string, args ...string) func(ctx context.Context, file string) error {
	return func(ctx context.Context, file string) error {
		ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("it did not come to an end in %s: is its disk slow?", timeout))
		defer cancel()
		var out bytes.Buffer
		cmd := exec.CommandContext(ctx, program, append(args[:len(args):len(args)], file)...)
		cmd.Stdout, cmd.Stderr = &out, &out
		err := cmd.Run()
		if err == nil {
			return nil
		}
		said, _, _ := strings.Cut(strings.TrimSpace(out.String()), "\n")
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			return fmt.Errorf("probe %s: %w", file, err)
		}
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("probe %s: %w", file, context.Cause(ctx))
		case exit.ExitCode() == ProbeDamaged, exit.ExitCode() == probeDied:
			return fmt.Errorf("%w: %s", ErrDamaged, said)
		case exit.ExitCode() == ProbeNewer:
			return fmt.Errorf("%w: %s", ErrNewer, said)
		}
		return fmt.Errorf("probe %s: %w: %s", file, err, said)
	}
}

var errProbeHangs = errors.New("reading it leads in circles")
