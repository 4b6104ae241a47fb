//go:build linux

package packages

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"testing"
)

// TestSecondBuildIsTheSame compares what two builds made, where there are two.
func TestSecondBuildIsTheSame(t *testing.T) {
	second := os.Getenv("SALLYPORT_DIST2")
	if second == "" {
		t.Skip("needs SALLYPORT_DIST2: make disttest")
	}
	a, b := digests(t, distDir), digests(t, second)
	both := maps.Clone(a)
	maps.Copy(both, b)
	for _, name := range slices.Sorted(maps.Keys(both)) {
		if a[name] != b[name] {
			t.Errorf("%s is %q, and %q of the second build", name, a[name], b[name])
		}
	}
	kinds := map[string]int{}
	for name := range a {
		kinds[path.Ext(name)]++
	}
	for kind, least := range map[string]int{".deb": 3, ".rpm": 3, ".msi": 1, ".gz": 1} {
		if kinds[kind] < least {
			t.Errorf("%d files %s, at least %d are wanted", kinds[kind], kind, least)
		}
	}
	t.Logf("%d files of the first build: %v", len(a), kinds)
	checkSums(t, a)
}

// digests are the SHA-256 of every file below a directory, by name.
func digests(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(filepath.Join(dir, name))
		out[name] = fmt.Sprintf("%x", sha256.Sum256(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// checkSums does what a person does with the file of checksums, and looks
// whether it has every file.
func checkSums(t *testing.T, files map[string]string) {
	t.Helper()
	const sums = "SHA256SUMS"
	cmd := exec.Command("sha256sum", "--check", "--strict", sums)
	cmd.Dir = distDir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", sums, err, out)
	}
	want := ""
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if name != sums {
			want += files[name] + "  " + name + "\n"
		}
	}
	if have, err := os.ReadFile(filepath.Join(distDir, sums)); err != nil || string(have) != want {
		t.Errorf("%s is\n%s, %v\nand the files are\n%s", sums, have, err, want)
	}
}
