//go:build linux

package packages

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestSecondBuildIsTheSame compares what two builds made, where there are two.
func TestSecondBuildIsTheSame(t *testing.T) {
	second := os.Getenv("SALLYPORT_DIST2")
	if second == "" {
		t.Skip("needs SALLYPORT_DIST2: make disttest")
	}
	n := 0
	err := fs.WalkDir(os.DirFS(distDir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		n++
		if out, err := exec.Command("cmp", filepath.Join(distDir, name), filepath.Join(second, name)).CombinedOutput(); err != nil {
			t.Errorf("%s", out)
		}
		return nil
	})
	if err != nil || n == 0 {
		t.Error(n, err)
	}
}
