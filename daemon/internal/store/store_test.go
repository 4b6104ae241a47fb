package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/daemon/internal/seal"
)

func config(t testing.TB, dir string) Config {
	t.Helper()
	box, err := seal.OpenKeyFile(filepath.Join(dir, SealKeyName))
	if err != nil {
		t.Fatal(err)
	}
	return Config{Seal: box, Log: slog.New(slog.DiscardHandler)}
}

func acquire(t testing.TB, path string) *Dir {
	t.Helper()
	d, err := Acquire(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// open opens the store of a directory and closes both when the test is over.
func open(t testing.TB, path string) *Store {
	t.Helper()
	d := acquire(t, path)
	s, err := d.Open(t.Context(), config(t, path))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// once opens the store of a directory for the length of f.
func once(t testing.TB, path string, f func(*Store)) {
	t.Helper()
	d, err := Acquire(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	s, err := d.Open(t.Context(), config(t, path))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	f(s)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestRowsComeBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	forward := Forward{ID: "fwd_a", Owner: "1000", OwnerName: "bob", Hostname: "tcp.site.com", Listen: "localhost:9210", Edge: "edge.site.com", CreatedAt: at}
	once(t, dir, func(s *Store) {
		must(t, s.Forwards.Put(forward.ID, forward))
		must(t, s.Edges.Put(Key("1000", "edge.site.com"), Edge{ID: "edg_a", Scope: "1000", Name: "edge.site.com", UsedAt: at}))
		must(t, s.Tunnels.Put("tun_a", Tunnel{ID: "tun_a", Hostname: "tcp.site.com", Origin: "tcp://localhost:1"}))
		must(t, s.Keys.Put(Key(Machine, "edge.site.com"), DeviceKey{PKCS8: []byte{1, 2}}))
		must(t, s.Sessions.Put(Key("1000", "edge.site.com"), Session{Scope: "1000", Edge: "edge.site.com", Token: "canary-token"}))
		must(t, s.Enrolments.Put("edge.site.com", Enrolment{Edge: "edge.site.com", ConnectorID: "con_a"}))
		must(t, s.HostKeys.Put(Key("1000", "edge.site.com", "tcp.site.com"), HostKeys{Keys: []string{"aa"}}))
	})
	once(t, dir, func(s *Store) {
		got, err := s.Forwards.Get("fwd_a")
		if err != nil || got != forward {
			t.Errorf("forward %+v, %v; want %+v", got, err, forward)
		}
		c, err := s.Load()
		must(t, err)
		if len(c.Edges) != 1 || len(c.Forwards) != 1 || len(c.Tunnels) != 1 || len(c.Sessions) != 1 || len(c.Enrolments) != 1 {
			t.Errorf("contents %+v", c)
		}
		if c.Sessions[0].Token != "canary-token" {
			t.Errorf("token %q", c.Sessions[0].Token)
		}
		if f := s.Faults(); len(f) != 0 {
			t.Errorf("faults of a healthy database: %v", f)
		}
	})
	for _, name := range []string{"state.db", "state.db.bak"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		must(t, err)
		if strings.Contains(string(b), "canary-token") {
			t.Errorf("%s shows a token", name)
		}
		if info, _ := os.Stat(filepath.Join(dir, name)); info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %04o", name, info.Mode().Perm())
		}
	}
}

func TestUpdateAndDelete(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	if _, err := s.Tunnels.Get("tun_a"); !errors.Is(err, ErrNotFound) {
		t.Errorf("get: %v, want ErrNotFound", err)
	}
	if err := s.Tunnels.Delete("tun_a"); !errors.Is(err, ErrNotFound) {
		t.Errorf("delete: %v, want ErrNotFound", err)
	}
	row, err := s.Tunnels.Update("tun_a", func(t *Tunnel) error { t.ID, t.Hostname = "tun_a", "a.site.com"; return nil })
	if err != nil || row.Hostname != "a.site.com" {
		t.Fatalf("update of nothing: %+v, %v", row, err)
	}
	no := errors.New("no")
	if _, err := s.Tunnels.Update("tun_a", func(t *Tunnel) error { t.Hostname = "b.site.com"; return no }); !errors.Is(err, no) {
		t.Errorf("update that refuses: %v", err)
	}
	if row, _ = s.Tunnels.Get("tun_a"); row.Hostname != "a.site.com" {
		t.Errorf("a refused update left %+v", row)
	}
	must(t, s.Tunnels.Delete("tun_a"))
	if rows, _ := s.Tunnels.List(); len(rows) != 0 {
		t.Errorf("left: %+v", rows)
	}
}

func TestListIsOrderedByKey(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	for _, id := range []string{"c", "a", "b"} {
		must(t, s.Tunnels.Put(id, Tunnel{ID: id}))
	}
	rows, err := s.Tunnels.List()
	must(t, err)
	ids := make([]string, len(rows))
	for i, r := range rows {
		ids[i] = r.ID
	}
	if !slices.Equal(ids, []string{"a", "b", "c"}) {
		t.Errorf("order %q", ids)
	}
}

func TestSecondDaemonIsToldWho(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	acquire(t, dir)
	_, err := Acquire(t.Context(), dir)
	var locked *LockedError
	if !errors.As(err, &locked) || !errors.Is(err, ErrLocked) {
		t.Fatalf("got %v, want a LockedError", err)
	}
	if want := fmt.Sprintf("another sallyportd (pid %d) uses this state directory: %s", os.Getpid(), dir); err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}

func TestAcquireHeedsItsContext(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	acquire(t, dir)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Acquire(ctx, dir); err == nil {
		t.Error("a taken directory was handed out")
	}
}

func TestDirectoryIsPrivate(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "state")
	must(t, os.Mkdir(dir, 0o755))
	acquire(t, dir)
	if info, _ := os.Stat(dir); info.Mode().Perm() != 0o700 {
		t.Errorf("mode %04o, want 0700", info.Mode().Perm())
	}
	shared := filepath.Join(t.TempDir(), "shared")
	must(t, os.Mkdir(shared, 0o700))
	must(t, os.Chmod(shared, 0o777|os.ModeSticky))
	if _, err := Acquire(t.Context(), shared); !errors.Is(err, ErrNotPrivate) {
		t.Errorf("a shared directory: %v, want ErrNotPrivate", err)
	}
	if os.Geteuid() != 0 {
		t.Log("not root: the directory of another user is not tried")
		return
	}
	others := filepath.Join(t.TempDir(), "others")
	must(t, errors.Join(os.Mkdir(others, 0o700), os.Chown(others, 65534, 65534)))
	if _, err := Acquire(t.Context(), others); !errors.Is(err, ErrNotPrivate) {
		t.Errorf("another user's directory: %v, want ErrNotPrivate", err)
	}
}

func FuzzRow(f *testing.F) {
	box, err := seal.New(make([]byte, seal.KeySize))
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(`{"id":"fwd_a","listen":"localhost:1"}`))
	f.Add([]byte(`{"created_at":"2026-11-23T12:00:00Z","paused":true}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, plain []byte) {
		for bucket, decodes := range decoders {
			// As it would be where somebody holds the key, and as it is.
			decodes(box, bucket, "row", box.Seal(bucket, "row", plain))
			if err := decodes(box, bucket, "row", plain); !errors.Is(err, ErrDamaged) {
				t.Fatalf("%s: unsealed bytes were taken: %v", bucket, err)
			}
		}
	})
}
