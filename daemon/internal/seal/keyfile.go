package seal

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrKeyFile: the key file is there, and is not one.
var ErrKeyFile = errors.New("not a seal key file")

// OpenKeyFile makes a Box of the key in a file. Where there is none it makes
// one: whole, durable and readable by its owner alone before it has its name.
func OpenKeyFile(path string) (*Box, error) {
	key, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		key, err = makeKeyFile(path)
	}
	if err != nil {
		return nil, fmt.Errorf("seal key: %w", err)
	}
	if len(key) != KeySize {
		return nil, fmt.Errorf("%s has %d bytes, want %d: %w", path, len(key), KeySize, ErrKeyFile)
	}
	if err := private(path); err != nil {
		return nil, fmt.Errorf("seal key: %w", err)
	}
	return New(key)
}

// makeKeyFile links the finished file to its name, which fails where another
// process was first; its key is then the one.
func makeKeyFile(path string) ([]byte, error) {
	key := make([]byte, KeySize)
	rand.Read(key)
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new*") // 0600
	if err != nil {
		return nil, err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(key)
	if err := errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return nil, err
	}
	if err := os.Link(tmp.Name(), path); errors.Is(err, fs.ErrExist) {
		return os.ReadFile(path)
	} else if err != nil {
		// A file system without links (some network and FAT ones).
		if err := os.Rename(tmp.Name(), path); err != nil {
			return nil, err
		}
	}
	return key, syncDir(filepath.Dir(path))
}
