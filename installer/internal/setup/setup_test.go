//go:build linux

package setup

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/sallyport/sallyport/internal/manifest"
)

// tree is another system's root, with no more than accounts in it, and a payload.
func tree(t *testing.T) Options {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: owners are set")
	}
	if _, err := exec.LookPath("useradd"); err != nil {
		t.Skip("needs useradd")
	}
	o := Options{OS: "linux", Root: t.TempDir(), Payload: t.TempDir(), Version: "1", Say: io.Discard}
	write(t, o.Root, "etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")
	write(t, o.Root, "etc/group", "root:x:0:\n")
	write(t, o.Root, "usr/bin/true", "")
	for _, e := range manifest.Entries("linux") {
		if !e.IsDir() {
			write(t, o.Payload, e.From, "first "+e.From)
		}
	}
	return o
}

// settled is a tree that has the account already: making one takes longest.
func settled(t *testing.T) Options {
	t.Helper()
	o := tree(t)
	write(t, o.Root, "etc/passwd", "root:x:0:0:root:/root:/bin/sh\nsallyport:x:999:999::/:/bin/false\n")
	write(t, o.Root, "etc/group", "root:x:0:\nsallyport:x:999:\n")
	return o
}

func write(t *testing.T, root, name, text string) {
	t.Helper()
	path := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// snapshot is every path with owner, mode and what is in it. What useradd keeps
// as its own backup is not of interest.
func snapshot(t *testing.T, root string) []string {
	t.Helper()
	var out []string
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || strings.HasSuffix(name, "-") || strings.HasSuffix(name, ".lock") {
			return err
		}
		info, err := os.Lstat(filepath.Join(root, name))
		if err != nil {
			return err
		}
		st := info.Sys().(*syscall.Stat_t)
		row := fmt.Sprintf("%s %v %d:%d", name, info.Mode(), st.Uid, st.Gid)
		if info.Mode().IsRegular() {
			text, err := os.ReadFile(filepath.Join(root, name))
			if err != nil {
				return err
			}
			row += " " + sum(text)
		}
		out = append(out, row)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func same(t *testing.T, what string, a, b []string) {
	t.Helper()
	for _, l := range a {
		if !slices.Contains(b, l) {
			t.Errorf("%s: gone: %s", what, l)
		}
	}
	for _, l := range b {
		if !slices.Contains(a, l) {
			t.Errorf("%s: left: %s", what, l)
		}
	}
}

func do(t *testing.T, o Options, f func(*Setup, context.Context) error) error {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return f(s, t.Context())
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func verified(t *testing.T, o Options) []string {
	t.Helper()
	s, err := New(o)
	must(t, err)
	found, err := s.Verify()
	must(t, err)
	return found
}

func TestLife(t *testing.T) {
	t.Parallel()
	o := tree(t)
	before := snapshot(t, o.Root)
	for _, r := range []manifest.Role{manifest.Client, manifest.Relay} {
		o.Role = r
		must(t, do(t, o, (*Setup).Install))
	}
	if found := verified(t, o); len(found) > 0 {
		t.Errorf("after the install: %q", found)
	}
	after := snapshot(t, o.Root)
	must(t, do(t, o, (*Setup).Install))
	same(t, "installed again", after, snapshot(t, o.Root))

	write(t, o.Root, "usr/bin/sallyport", "another")
	write(t, o.Root, "usr/bin/sallyport-stranger", "")
	if found := strings.Join(verified(t, o), "\n"); !strings.Contains(found, "was changed") || !strings.Contains(found, "stranger is not of this") {
		t.Errorf("verify says %q", found)
	}
	must(t, os.Remove(filepath.Join(o.Root, "usr/bin/sallyport-stranger")))

	o.Role = manifest.Relay
	o.Purge = true
	must(t, do(t, o, (*Setup).Uninstall))
	o.Role = ""
	must(t, do(t, o, (*Setup).Upgrade)) // which puts right what was changed
	if found := verified(t, o); len(found) > 0 {
		t.Errorf("after the edge was removed: %q", found)
	}
	must(t, do(t, o, (*Setup).Uninstall))
	same(t, "purged", before, snapshot(t, o.Root))
}

func TestUpgradeKeepsStateAndEdits(t *testing.T) {
	t.Parallel()
	o := tree(t)
	o.Role = manifest.Client
	must(t, do(t, o, (*Setup).Install))
	write(t, o.Root, "var/lib/sallyport/daemon.db", "rows")
	write(t, o.Root, "etc/xdg/autostart/sallyport-tray.desktop", "edited")
	write(t, o.Payload, "bin/sallyportd", "second")
	o.Role = ""
	must(t, do(t, o, (*Setup).Upgrade))
	for name, want := range map[string]string{"usr/bin/sallyportd": "second", "var/lib/sallyport/daemon.db": "rows", "etc/xdg/autostart/sallyport-tray.desktop": "edited"} {
		if text, err := os.ReadFile(filepath.Join(o.Root, name)); err != nil || string(text) != want {
			t.Errorf("%s holds %q, %v; want %q", name, text, err, want)
		}
	}
}

// TestFailureIsUndone puts something in the way of each file in turn.
func TestFailureIsUndone(t *testing.T) {
	t.Parallel()
	for _, e := range manifest.EntriesOf("linux", manifest.Client.Parts()) {
		if e.IsDir() {
			continue
		}
		t.Run(filepath.Base(e.Path), func(t *testing.T) {
			t.Parallel()
			o := tree(t)
			o.Role = manifest.Client
			write(t, o.Root, filepath.Join(e.Path, "in the way"), "")
			before := snapshot(t, o.Root)
			err := do(t, o, (*Setup).Install)
			if err == nil || !strings.Contains(err.Error(), "everything was undone") {
				t.Fatalf("got %v", err)
			}
			same(t, "undone", before, snapshot(t, o.Root))
		})
	}
}

// What a service has written before its install failed goes with the directories that
// were made for it.
func TestDirectoriesAreUndoneWithWhatIsInThem(t *testing.T) {
	t.Parallel()
	o := settled(t)
	o.Role = manifest.Client
	s, err := New(o)
	must(t, err)
	before := snapshot(t, o.Root)
	for _, e := range manifest.EntriesOf("linux", manifest.Client.Parts()) {
		if !e.IsDir() {
			continue
		}
		undo, err := s.dirStep(e, &receipt{}).do()
		must(t, err)
		write(t, o.Root, filepath.Join(e.Path, "state/db"), "of a service")
		must(t, undo())
	}
	same(t, "undone", before, snapshot(t, o.Root))
}

// TestFailedUpgradeIsUndone puts a directory in the place of each file in turn:
// what was replaced before it comes back as it was, and what an administrator
// had changed.
func TestFailedUpgradeIsUndone(t *testing.T) {
	t.Parallel()
	for _, e := range manifest.EntriesOf("linux", manifest.Client.Parts()) {
		if e.IsDir() {
			continue
		}
		t.Run(filepath.Base(e.Path), func(t *testing.T) {
			t.Parallel()
			o := settled(t)
			o.Role = manifest.Client
			must(t, do(t, o, (*Setup).Install))
			second(t, o)
			must(t, os.Chmod(filepath.Join(o.Root, "var/lib/sallyport"), 0o750))
			must(t, os.Remove(filepath.Join(o.Root, e.Path)))
			write(t, o.Root, filepath.Join(e.Path, "in the way"), "")
			before := snapshot(t, o.Root)
			err := do(t, o, (*Setup).Upgrade)
			if err == nil || !strings.Contains(err.Error(), "everything was undone") {
				t.Fatalf("got %v", err)
			}
			same(t, "undone", before, snapshot(t, o.Root))
		})
	}
}

// second makes the payload that of a later version.
func second(t *testing.T, o Options) {
	t.Helper()
	for _, e := range manifest.Entries("linux") {
		if !e.IsDir() {
			write(t, o.Payload, e.From, "second "+e.From)
		}
	}
}

func TestDryRunTouchesNothing(t *testing.T) {
	t.Parallel()
	o := tree(t)
	o.Role, o.DryRun = manifest.Client, true
	var said strings.Builder
	o.Say = &said
	before := snapshot(t, o.Root)
	must(t, do(t, o, (*Setup).Install))
	same(t, "dry run", before, snapshot(t, o.Root))
	if !strings.Contains(said.String(), "/usr/bin/sallyportd (0755)") {
		t.Errorf("it said %q", said.String())
	}
}
