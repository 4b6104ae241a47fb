//go:build !windows

package scaffold

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestInitAsRootForTheAccount is a packaged edge: root runs init, and the
// account that owns the state directory runs the edge.
func TestInitAsRootForTheAccount(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	const uid, gid = 4711, 4712
	etc, state := t.TempDir(), t.TempDir()
	if err := os.Chown(state, uid, gid); err != nil {
		t.Fatal(err)
	}
	if _, err := Make(Input{Name: "edge.site.com", Listen: ":8443", Sites: []string{"site.com"}, Dir: etc, State: state}); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]struct {
		uid, gid uint32
		mode     os.FileMode
	}{
		filepath.Join(etc, "edge.yaml"): {0, gid, 0o640},
		state:                           {uid, gid, 0o700},
		filepath.Join(state, "ca"):      {uid, gid, 0o700},
	} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if st := info.Sys().(*syscall.Stat_t); st.Uid != want.uid || st.Gid != want.gid || info.Mode().Perm() != want.mode {
			t.Errorf("%s belongs to %d:%d with mode %04o, want %d:%d %04o", path, st.Uid, st.Gid, info.Mode().Perm(), want.uid, want.gid, want.mode)
		}
	}
}
