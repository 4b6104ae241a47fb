package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"
)

// errRunning: this desktop session has its tray. Two would show the same twice.
var errRunning = errors.New("it runs already on this desktop")

// single takes the one place of a tray in a desktop session; it is free again
// when the process ends, however it does.
func single(dir, session string) (*flock.Flock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of the tray's lock: %w", err)
	}
	lock := flock.New(filepath.Join(dir, "tray"+fileName(session)+".lock"), flock.SetPermissions(0o600))
	ok, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", lock.Path(), err)
	}
	if !ok {
		return nil, errRunning
	}
	return lock, nil
}

// fileName keeps of a session's name what may stand in that of a file.
func fileName(session string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, session)
}
