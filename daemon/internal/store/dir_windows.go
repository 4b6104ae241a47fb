package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/windows"
)

// makeDir makes a directory that is private from its first moment: below
// C:\ProgramData everybody may put something into a new one.
func makeDir(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	self, err := ownSID()
	if err != nil {
		return err
	}
	sd, err := windows.SecurityDescriptorFromString(privateDACL(self))
	if err != nil {
		return fmt.Errorf("access list: %w", err)
	}
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return err
	}
	attributes := &windows.SecurityAttributes{SecurityDescriptor: sd}
	attributes.Length = uint32(unsafe.Sizeof(*attributes))
	if err := windows.CreateDirectory(name, attributes); err != nil && !errors.Is(err, fs.ErrExist) {
		return &fs.PathError{Op: "mkdir", Path: path, Err: err}
	}
	return nil
}

// checkPrivate takes rights from others where the directory is ours, and refuses
// one that is not, or that others have put something into.
func checkPrivate(path string, _ fs.FileInfo) error {
	self, err := ownSID()
	if err != nil {
		return err
	}
	// While it is open, no other one takes its place.
	dir, err := openItself(path, windows.READ_CONTROL|windows.WRITE_DAC)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotPrivate, err)
	}
	defer windows.CloseHandle(dir)
	sddl, err := ownedBy(dir, path, self)
	if err != nil {
		return err
	}
	if !isPrivate(sddl, self) {
		if err := setPrivate(dir, self); err != nil {
			return fmt.Errorf("%w: access list of %s: %w", ErrNotPrivate, path, err)
		}
	}
	return filepath.WalkDir(path, func(name string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return checkOwner(name, self)
	})
}

// syncDir: NTFS journals names by itself.
func syncDir(string) error { return nil }
