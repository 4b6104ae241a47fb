//go:build !windows

package forward

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/sallyport/sallyport/api"
)

// reachable is a folder to which every user has a way.
func reachable(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// The daemon of the machine makes a user's socket in that user's folder only.
func TestUnixSocketForAnotherUser(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	const uid = 65534
	dir := reachable(t)
	path := filepath.Join(dir, "db.sock")
	tf := start(t, Config{Listen: "unix:" + path, OwnerUID: uid, Opener: &opener{}})
	s := tf.until("the error", func(s Snapshot) bool { return s.State == api.ForwardError })
	if s.Problem.Code != api.CodePermission {
		t.Errorf("%+v", s.Problem)
	}
	if err := os.Chown(dir, uid, -1); err != nil {
		t.Fatal(err)
	}
	tf.ready()
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 || info.Sys().(*syscall.Stat_t).Uid != uid {
		t.Errorf("%+v, %v", info, err)
	}
}
