// Package autostart says whether the tray starts when its person logs in, and
// changes that: by an XDG autostart entry, the Run key of Windows, or a
// LaunchAgent of macOS.
//
// Shapes: a package may install an entry for everybody on the machine; a person
// switches it off for themselves by an entry of their own that hides it. Entry
// is the content of both.
//
// Errors: those of the file system or the registry, wrapped.
package autostart

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Program is the name of the tray's program, without a suffix.
const Program = "sallyport-tray"

// Enabled says whether the tray starts with the calling person's desktop.
func Enabled() (bool, error) { return enabled() }

// Set switches that on or off. It is idempotent. tray is the path of the tray's
// program.
func Set(on bool, tray string) error {
	if on && !filepath.IsAbs(tray) {
		return fmt.Errorf("start at login: %q is not an absolute path", tray)
	}
	return set(on, tray)
}

// Here is the tray that is installed beside the running program, or is it.
type Here struct{}

// Enabled says whether the tray starts with the calling person's desktop.
func (Here) Enabled() (bool, error) { return Enabled() }

// Set switches that on or off.
func (Here) Set(on bool) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the tray: %w", err)
	}
	tray := filepath.Join(filepath.Dir(self), Program+suffix)
	if on && !exists(tray) {
		return fmt.Errorf("start at login: there is no %s: install the tray first", tray)
	}
	return Set(on, tray)
}

// write replaces a file as a whole.
func write(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("start at login: %w", err)
	}
	temporary := path + ".new"
	if err := os.WriteFile(temporary, []byte(text), 0o644); err != nil {
		return fmt.Errorf("start at login: %w", err)
	}
	if err := os.Rename(temporary, path); err != nil {
		return errors.Join(fmt.Errorf("start at login: %w", err), os.Remove(temporary))
	}
	return nil
}

// remove is content where there is nothing.
func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("start at login: %w", err)
	}
	return nil
}

// exists says whether a file is there.
func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
