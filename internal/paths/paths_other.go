//go:build !linux && !windows

package paths

import (
	"os"
	"path/filepath"
)

func machineState() string  { return "/Library/Application Support/Sallyport" }
func machineSocket() string { return "/var/run/sallyport/daemon.sock" }

func userState() (string, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(home, "Library", "Application Support", "Sallyport"), nil
}

// userSocket is short: a socket's path has 103 bytes at most on darwin.
func userRuntime() (string, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(home, ".sallyport"), nil
}

func userSocket() (string, error) {
	dir, err := userRuntime()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "daemon.sock"), nil
}
