package forward

import (
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
)

// A user who swaps the socket that the machine's daemon is making for a link
// gets nothing of the daemon's rights: not the mode, not the ownership of
// another's file.
func TestUnixSocketSwappedForALink(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	const uid, rounds = 65534, 300
	dir, elsewhere := reachable(t), t.TempDir()
	if err := os.Chown(dir, uid, -1); err != nil {
		t.Fatal(err)
	}
	victim, path, spare := filepath.Join(elsewhere, "victim"), filepath.Join(dir, "db.sock"), filepath.Join(dir, "spare")
	if err := os.WriteFile(victim, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	// The link is put in the socket's place as fast as can be. It is made by
	// root here, with no right that the user would not have in that folder.
	var over atomic.Bool
	done := make(chan struct{})
	for range 2 {
		go func() {
			defer func() { done <- struct{}{} }()
			for !over.Load() {
				if err := syscall.Symlink(victim, spare); err != nil {
					continue
				}
				if info, err := os.Lstat(path); err == nil && info.Mode().Type() == os.ModeSocket {
					syscall.Rename(spare, path)
				}
				syscall.Unlink(spare)
			}
		}()
	}
	bindings := 0
	for range rounds {
		b, err := bindUnix(t.Context(), path, uid)
		if err == nil {
			b.close()
			bindings++
		}
		os.Remove(path)
	}
	over.Store(true)
	<-done
	<-done
	if bindings == 0 {
		t.Error("no socket was made at all")
	}
	info, err := os.Stat(victim)
	if err != nil || info.Mode().Perm() != 0o644 || info.Sys().(*syscall.Stat_t).Uid != 0 {
		t.Errorf("the victim's file is now %s of uid %d (%v)", info.Mode(), info.Sys().(*syscall.Stat_t).Uid, err)
	}
}
