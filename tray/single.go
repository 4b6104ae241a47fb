package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// errRunning: this person's tray runs already. Two would both take a login.
var errRunning = errors.New("it runs already")

// single takes the one place of a tray in a directory; it is free again when
// the process ends, however it does.
func single(dir string) (*flock.Flock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of the tray's lock: %w", err)
	}
	lock := flock.New(filepath.Join(dir, "tray.lock"), flock.SetPermissions(0o600))
	ok, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", lock.Path(), err)
	}
	if !ok {
		return nil, errRunning
	}
	return lock, nil
}
