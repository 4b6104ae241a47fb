package logging

import (
	"os"
	"path/filepath"
	"strconv"
	"sync"
)

const (
	// maxFile is when a log file is turned over: a few weeks of a busy daemon.
	maxFile = 10 << 20
	// oldFiles is how many of them are kept beside it.
	oldFiles = 3
)

// File is a log file that is turned over when it is full: FILE, FILE.1, FILE.2,
// ... It is safe for concurrent use.
type File struct {
	path string
	max  int64

	mu   sync.Mutex
	f    *os.File // guarded by mu
	size int64    // guarded by mu
}

// OpenFile opens a log file to append to, and makes its directory.
func OpenFile(path string) (*File, error) {
	f := &File{path: path, max: maxFile}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, err
	}
	return f, f.openLocked()
}

func (f *File) openLocked() error {
	file, err := os.OpenFile(f.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return err
	}
	f.f, f.size = file, info.Size()
	return nil
}

// Write appends a line, to a new file where the old one is full.
func (f *File) Write(b []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.f == nil {
		return 0, os.ErrClosed
	}
	if f.size > 0 && f.size+int64(len(b)) > f.max {
		if err := f.turnLocked(); err != nil {
			return 0, err
		}
	}
	n, err := f.f.Write(b)
	f.size += int64(n)
	return n, err
}

// turnLocked moves each file on by one. A file that cannot be moved is not worth
// losing lines for: writing goes on in it.
func (f *File) turnLocked() error {
	f.f.Close()
	for i := oldFiles; i > 0; i-- {
		from := f.path
		if i > 1 {
			from += "." + strconv.Itoa(i-1)
		}
		os.Rename(from, f.path+"."+strconv.Itoa(i))
	}
	err := f.openLocked()
	if err != nil {
		f.f = nil
	}
	return err
}

// Close closes it; it may be called again.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.f == nil {
		return nil
	}
	err := f.f.Close()
	f.f = nil
	return err
}
