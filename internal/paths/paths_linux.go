package paths

import (
	"os"
	"path/filepath"
)

func machineState() string  { return "/var/lib/sallyport" }
func machineSocket() string { return "/run/sallyport/daemon.sock" }

func userState() (string, error) {
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "sallyport"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(home, ".local", "state", "sallyport"), nil
}

// userSocket falls back to the state directory where no login manager made a
// runtime directory (containers, su).
func userRuntime() (string, error) {
	if dir := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "sallyport"), nil
	}
	return userState()
}

func userSocket() (string, error) {
	dir, err := userRuntime()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "daemon.sock"), nil
}
