package setup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sallyport/sallyport/internal/manifest"
)

// What a file is called beside its place while a run lasts.
const (
	oldSuffix = ".sallyport-old"
	newSuffix = ".sallyport-new"
)

// fileStep puts a file in place whole, by a rename; the old one is kept until
// all is done.
func (s *Setup) fileStep(e manifest.Entry, after *receipt) step {
	path := s.at(e.Path)
	old := path + oldSuffix
	return step{
		says: fmt.Sprintf("file %s (%04o)", path, e.Mode),
		do:   func() (func() error, error) { return s.putFile(e, path, old, after) },
		done: func() { os.Remove(old) },
	}
}

func (s *Setup) putFile(e manifest.Entry, path, old string, after *receipt) (func() error, error) {
	text, err := os.ReadFile(filepath.Join(s.Payload, filepath.FromSlash(e.From)))
	if err != nil {
		return nil, err
	}
	if err := s.settle(e.Path); err != nil {
		return nil, err
	}
	if e.IsConfig() && s.edited(e.Path) {
		after.Files[e.Path] = s.before.Files[e.Path] // the administrator's own stays
		return nil, nil
	}
	undo, err := s.parents(e.Path, after)
	if err != nil {
		return undo, err
	}
	after.Files[e.Path] = sum(text)
	part := path + newSuffix
	undoPart := func() error { return errors.Join(ignoreMissing(os.Remove(part)), undo()) }
	if err := os.WriteFile(part, text, 0o600); err != nil {
		return undoPart, err
	}
	if err := s.own(part, e); err != nil {
		return undoPart, err
	}
	restore := func() error { return os.Remove(path) }
	switch err := os.Link(path, old); {
	case err == nil:
		restore = func() error { return os.Rename(old, path) }
	case !errors.Is(err, fs.ErrNotExist):
		return undoPart, err
	}
	if err := os.Rename(part, path); err != nil {
		return func() error { return errors.Join(ignoreMissing(os.Remove(old)), undoPart()) }, err
	}
	return func() error { return errors.Join(restore(), undo()) }, nil
}

// settle puts a file right that a killed run left half-way. Of its two texts the
// one that the receipt has is that of the last whole installation; a file of
// which no receipt tells was another's, and has been kept.
func (s *Setup) settle(file string) error {
	path := s.at(file)
	old, err := os.ReadFile(path + oldSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return ignoreMissing(os.Remove(path + newSuffix))
	}
	if err != nil {
		return err
	}
	now, err := os.ReadFile(path)
	if err := ignoreMissing(err); err != nil {
		return err
	}
	whole := s.before.Files[file]
	if whole == "" || sum(old) == whole && sum(now) != whole {
		return os.Rename(path+oldSuffix, path)
	}
	return s.tidy(file)
}

// tidy removes what a killed run left beside a file.
func (s *Setup) tidy(file string) error {
	return errors.Join(ignoreMissing(os.Remove(s.at(file)+oldSuffix)), ignoreMissing(os.Remove(s.at(file)+newSuffix)))
}
