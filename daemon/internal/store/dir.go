package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

const (
	lockName     = "lock"
	pidName      = "pid"
	dbName       = "state.db"
	backupSuffix = ".bak"
)

// SealKeyName is the file of the directory that package seal keeps its key in.
const SealKeyName = "seal.key"

// lockWait lets a daemon that is about to end do so: a restart is no conflict.
const lockWait = time.Second

// LockedError says who uses the directory.
type LockedError struct {
	Path string
	PID  int // 0 where it is not known
}

// Error is a sentence for a person.
func (e *LockedError) Error() string {
	who := "another sallyportd"
	if e.PID != 0 {
		who += fmt.Sprintf(" (pid %d)", e.PID)
	}
	return fmt.Sprintf("%s uses this state directory: %s", who, e.Path)
}

// Is makes errors.Is(err, ErrLocked) true.
func (e *LockedError) Is(target error) bool { return target == ErrLocked }

// Dir is a state directory that belongs to this process until Close.
type Dir struct {
	path string
	lock *flock.Flock
}

// Acquire makes the directory where it is missing, sees to it that nobody else
// may read it, and takes it for this process: a *LockedError where another has
// it, ErrNotPrivate where it is not ours.
func Acquire(ctx context.Context, path string) (*Dir, error) {
	if err := MakePrivate(path); err != nil {
		return nil, err
	}
	d := &Dir{path: path, lock: flock.New(filepath.Join(path, lockName), flock.SetPermissions(0o600))}
	const pause = 50 * time.Millisecond
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	ok, err := d.lock.TryLockContext(ctx, pause)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, &LockedError{Path: path, PID: d.holder()}
	}
	if err != nil || !ok {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	// Only a sentence hangs on this file: a full disk is no reason to stop.
	os.WriteFile(d.Path(pidName), []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600)
	return d, nil
}

// Path is the path of a file in the directory.
func (d *Dir) Path(name string) string { return filepath.Join(d.path, name) }

// Close lets the next process have the directory.
func (d *Dir) Close() error {
	err := os.Remove(d.Path(pidName))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, d.lock.Close())
}

func (d *Dir) holder() int {
	b, err := os.ReadFile(d.Path(pidName))
	if err != nil {
		return 0
	}
	pid, _ := strconv.Atoi(strings.TrimSpace(string(b)))
	return pid
}

// MakePrivate makes the directory where it is missing, and sees to it that nobody
// else may read it or has put anything there: ErrNotPrivate where it is not ours.
func MakePrivate(path string) error {
	if err := makeDir(path); err != nil {
		return fmt.Errorf("state directory: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("state directory: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("state directory: %s is no directory", path)
	}
	return checkPrivate(path, info)
}

// writeFile makes a file that is there whole, durable, or not at all.
func writeFile(path string, fill func(*os.File) error) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // gone where the rename succeeded
	err = fill(tmp)
	if err == nil {
		err = tmp.Sync()
	}
	if err := errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}
