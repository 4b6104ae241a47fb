package store

import "io/fs"

// checkPrivate: the access list that the installer gives the directory, and
// that of %LOCALAPPDATA%, are inherited and not touched here.
func checkPrivate(string, fs.FileInfo) error { return nil }

// syncDir: NTFS journals names by itself.
func syncDir(string) error { return nil }
