package setup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
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
	var links []string
	for _, m := range s.services(s.before.Parts) {
		for _, path := range m.Scripts() {
			known[path] = true
		}
		links = append(links, m.ScriptLinks()...)
	}
	return append(found, s.strangers(known, links)...), nil
}

func (s *Setup) compare(e manifest.Entry) []string {
	file := s.at(e.Path)
	info, err := os.Lstat(file)
	if err != nil {
		return []string{fmt.Sprintf("%s is missing", file)}
	}
	var out []string
	if info.IsDir() != e.IsDir() || !e.IsDir() && !info.Mode().IsRegular() {
		out = append(out, fmt.Sprintf("%s is something else", file))
	}
	if got := info.Mode().Perm(); got != e.Mode {
		out = append(out, fmt.Sprintf("%s has mode %04o, not %04o", file, got, e.Mode))
	}
	ids := s.ids()
	if uid, gid := owner(info); uid != ids.user(e.OwnerName()) || gid != ids.group(e.GroupName()) {
		out = append(out, fmt.Sprintf("%s belongs to %d:%d, not %s:%s", file, uid, gid, e.OwnerName(), e.GroupName()))
	}
	if want := s.before.Files[e.Path]; want != "" && !e.IsConfig() {
		if text, err := os.ReadFile(file); err != nil || sum(text) != want {
			out = append(out, fmt.Sprintf("%s was changed", file))
		}
	}
	return out
}

// strangers are files with our name, where ours lie, that no row has and that is
// no link to an init script of ours.
func (s *Setup) strangers(known map[string]bool, links []string) []string {
	var out []string
	for dir := range s.places() {
		entries, err := os.ReadDir(s.at(dir))
		if err != nil {
			continue // not there: nothing in it
		}
		for _, d := range entries {
			file := path.Join(dir, d.Name())
			ours := known[file] || slices.ContainsFunc(links, func(pattern string) bool { ok, _ := path.Match(pattern, file); return ok })
			if strings.Contains(strings.ToLower(d.Name()), "sallyport") && !ours {
				out = append(out, fmt.Sprintf("%s is not of this installation", s.at(file)))
			}
		}
	}
	return out
}

// places are the directories that rows, scripts and links are in.
func (s *Setup) places() map[string]bool {
	out := map[string]bool{}
	for _, e := range manifest.Entries(s.OS) {
		out[path.Dir(e.Path)] = true
	}
	for _, m := range manifest.Services(s.OS) {
		for _, file := range m.Scripts() {
			out[path.Dir(file)] = true
		}
		for _, pattern := range m.ScriptLinks() {
			for _, link := range s.glob(path.Dir(pattern)) {
				out[link] = true
			}
		}
	}
	return out
}

// glob is what there is of a pattern of the manifest. The links themselves are
// not followed: where they lead to may be another system's.
func (s *Setup) glob(pattern string) []string {
	found, _ := fs.Glob(os.DirFS(s.at("/")), strings.TrimPrefix(pattern, "/")) // the patterns are good
	for i := range found {
		found[i] = "/" + found[i]
	}
	return found
}
