package setup

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/sallyport/sallyport/internal/manifest"
	"github.com/sallyport/sallyport/internal/osservice"
)

func (s *Setup) services(parts []manifest.Part) []manifest.Service {
	return slices.DeleteFunc(manifest.Services(s.OS), func(m manifest.Service) bool { return !slices.Contains(parts, m.Part) })
}

func (s *Setup) accountSteps(parts []manifest.Part) []step {
	var out []step
	for _, m := range s.services(parts) {
		if m.Account == "" || s.ids().user(m.Account) >= 0 {
			continue
		}
		out = append(out, step{says: "make account " + m.Account, do: func() (func() error, error) {
			undo := func() error { return osservice.RemoveAccount(s.Root, m.Account) }
			return undo, osservice.EnsureAccount(s.Root, m.Account, m.State)
		}})
	}
	return out
}

func (s *Setup) entrySteps(parts []manifest.Part, after *receipt) []step {
	var out []step
	seen := map[string]bool{}
	for _, e := range manifest.EntriesOf(s.OS, parts) {
		if seen[e.Path] {
			continue
		}
		seen[e.Path] = true
		if e.IsDir() {
			out = append(out, s.dirStep(e, after))
		} else {
			out = append(out, s.fileStep(e, after))
		}
	}
	return out
}

// dirStep makes a directory; one that is there gets owner and mode only.
func (s *Setup) dirStep(e manifest.Entry, after *receipt) step {
	path := s.at(e.Path)
	return step{says: fmt.Sprintf("directory %s (%s:%s %04o)", path, e.OwnerName(), e.GroupName(), e.Mode), do: func() (func() error, error) {
		undoParents, err := s.parents(e.Path, after)
		if err != nil {
			return undoParents, err
		}
		if err := os.Mkdir(path, 0o700); err == nil {
			// With what a service that was tried has written: before it there was nothing.
			return func() error { return errors.Join(os.RemoveAll(path), undoParents()) }, s.own(path, e)
		} else if !errors.Is(err, fs.ErrExist) {
			return undoParents, err
		}
		was, err := os.Stat(path)
		if err != nil {
			return undoParents, err
		}
		return func() error { return ownAs(path, was) }, s.own(path, e)
	}}
}

// own gives a path its owner and mode, by the accounts of the tree.
func (s *Setup) own(path string, e manifest.Entry) error {
	ids := s.ids()
	uid, gid := ids.user(e.OwnerName()), ids.group(e.GroupName())
	if uid < 0 || gid < 0 {
		return fmt.Errorf("no account %s:%s", e.OwnerName(), e.GroupName())
	}
	if err := os.Lchown(path, uid, gid); err != nil {
		return err
	}
	return os.Chmod(path, e.Mode)
}

// ownAs gives a path the owner and mode that it had.
func ownAs(path string, was fs.FileInfo) error {
	uid, gid := owner(was)
	if err := os.Lchown(path, uid, gid); err != nil {
		return err
	}
	return os.Chmod(path, was.Mode())
}

// edited says whether a file of configuration is no longer what was installed.
func (s *Setup) edited(path string) bool {
	text, err := os.ReadFile(s.at(path))
	return err == nil && s.before.Files[path] != "" && s.before.Files[path] != sum(text)
}

// parents makes the directories on the way to a path, and notes them.
func (s *Setup) parents(path string, after *receipt) (func() error, error) {
	var missing []string
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(s.at(dir)); err == nil || dir == filepath.Dir(dir) {
			break
		}
		missing = append(missing, dir)
	}
	slices.Reverse(missing)
	undo := func() error {
		for _, dir := range slices.Backward(missing) {
			os.Remove(s.at(dir)) // one that was not made, or is in use, stays
		}
		return nil
	}
	for _, dir := range missing {
		if err := os.Mkdir(s.at(dir), 0o755); err != nil {
			return undo, err
		}
		if err := os.Chmod(s.at(dir), 0o755); err != nil { // whatever the umask is
			return undo, err
		}
		after.Made = append(after.Made, dir)
	}
	return undo, nil
}

func (s *Setup) receiptStep(after *receipt) step {
	path := s.at(receiptPath)
	return step{do: func() (func() error, error) {
		undo, err := s.parents(receiptPath, after)
		if err != nil {
			return undo, err
		}
		before, rerr := os.ReadFile(path)
		text, err := json.MarshalIndent(after, "", "  ")
		if err != nil {
			return undo, err
		}
		restore := func() error {
			if rerr != nil {
				return errors.Join(ignoreMissing(os.Remove(path)), undo())
			}
			return os.WriteFile(path, before, 0o644)
		}
		return restore, writeWhole(path, append(text, '\n'))
	}}
}

func writeWhole(path string, text []byte) error {
	part := path + ".part"
	if err := os.WriteFile(part, text, 0o644); err != nil {
		return err
	}
	if err := os.Chmod(part, 0o644); err != nil {
		return err
	}
	return os.Rename(part, path)
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func sum(text []byte) string {
	h := sha256.Sum256(text)
	return hex.EncodeToString(h[:])
}

// accounts are a system's, as its own files have them.
type accounts struct{ passwd, groups []byte }

func (s *Setup) ids() accounts {
	passwd, _ := os.ReadFile(s.at("/etc/passwd"))
	groups, _ := os.ReadFile(s.at("/etc/group"))
	return accounts{passwd, groups}
}

func (a accounts) user(name string) int  { return number(a.passwd, name) }
func (a accounts) group(name string) int { return number(a.groups, groupName(name)) }

// number is the third field of a name's line; root needs none, and what is
// unknown is -1.
func number(text []byte, name string) int {
	for line := range bytes.Lines(text) {
		f := bytes.Split(bytes.TrimSpace(line), []byte(":"))
		if len(f) > 2 && string(f[0]) == name {
			n := 0
			if _, err := fmt.Sscanf(string(f[2]), "%d", &n); err == nil {
				return n
			}
		}
	}
	if name == "root" || name == "wheel" {
		return 0
	}
	return -1
}
