package setup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/sallyport/sallyport/internal/manifest"
)

// Verify compares the machine with the manifest, both ways: what should be there
// and is not so, and what is there and should not be.
func (s *Setup) Verify() ([]string, error) {
	if len(s.before.Parts) == 0 {
		return nil, errors.New("nothing was installed here by the installer")
	}
	rows := manifest.EntriesOf(s.OS, s.before.Parts)
	var found []string
	known := map[string]bool{receiptPath: true}
	for _, e := range rows {
		known[e.Path] = true
		found = append(found, s.compare(e)...)
	}
	for _, m := range s.services(s.before.Parts) {
		known[wants(m)] = true
		known["/etc/systemd/system/"+m.Name+".service"] = true
	}
	return append(found, s.strangers(known)...), nil
}

func (s *Setup) compare(e manifest.Entry) []string {
	path := s.at(e.Path)
	info, err := os.Lstat(path)
	if err != nil {
		return []string{fmt.Sprintf("%s is missing", path)}
	}
	var out []string
	if info.IsDir() != e.IsDir() || !e.IsDir() && !info.Mode().IsRegular() {
		out = append(out, fmt.Sprintf("%s is something else", path))
	}
	if got := info.Mode().Perm(); got != e.Mode {
		out = append(out, fmt.Sprintf("%s has mode %04o, not %04o", path, got, e.Mode))
	}
	ids := s.ids()
	if uid, gid := owner(info); uid != ids.user(e.OwnerName()) || gid != ids.group(e.GroupName()) {
		out = append(out, fmt.Sprintf("%s belongs to %d:%d, not %s:%s", path, uid, gid, e.OwnerName(), e.GroupName()))
	}
	if want := s.before.Files[e.Path]; want != "" && !e.IsConfig() {
		if text, err := os.ReadFile(path); err != nil || sum(text) != want {
			out = append(out, fmt.Sprintf("%s was changed", path))
		}
	}
	return out
}

// strangers are files with our name, where ours lie, that no row has.
func (s *Setup) strangers(known map[string]bool) []string {
	places := map[string]bool{"/etc/init.d": true, "/etc/systemd/system": true, "/etc/systemd/system/multi-user.target.wants": true}
	for _, e := range manifest.Entries(s.OS) {
		places[filepath.Dir(e.Path)] = true
	}
	var out []string
	for dir := range places {
		entries, err := os.ReadDir(s.at(dir))
		if err != nil {
			continue // not there: nothing in it
		}
		for _, d := range entries {
			path := filepath.Join(dir, d.Name())
			if strings.Contains(strings.ToLower(d.Name()), "sallyport") && !known[path] {
				out = append(out, fmt.Sprintf("%s is not of this installation", s.at(path)))
			}
		}
	}
	return out
}
