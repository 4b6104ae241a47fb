package store

import (
	"context"
	"errors"
	"flag"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write the golden database of the newest schema anew")

func nilContext() context.Context         { return context.Background() }
func discard() *slog.Logger               { return slog.New(slog.DiscardHandler) }
func readAll(r io.Reader) (string, error) { b, err := io.ReadAll(r); return string(b), err }

// goldenRow is what every golden database holds.
var goldenRow = Tunnel{ID: "tun_golden", Hostname: "tcp.site.com", Origin: "tcp://localhost:7870", Edge: "edge.site.com"}

const goldenDir = "testdata/schema-2"

// TestGoldenDatabases opens a database of each schema that was ever released.
func TestGoldenDatabases(t *testing.T) {
	t.Parallel()
	if *update {
		os.RemoveAll(goldenDir)
		once(t, goldenDir, func(s *Store) { must(t, s.Tunnels.Put(goldenRow.ID, goldenRow)) })
		for _, f := range []string{lockName, dbName + backupSuffix} {
			os.Remove(filepath.Join(goldenDir, f))
		}
	}
	dirs, _ := filepath.Glob("testdata/schema-*")
	if len(dirs) != len(migrations) {
		t.Fatalf("%d golden databases for %d schemas", len(dirs), len(migrations))
	}
	for _, golden := range dirs {
		t.Run(filepath.Base(golden), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for _, f := range []string{SealKeyName, dbName} {
				copyFile(t, filepath.Join(golden, f), filepath.Join(dir, f))
			}
			s := open(t, dir)
			got, err := s.Tunnels.Get(goldenRow.ID)
			if err != nil || got != goldenRow {
				t.Errorf("got %+v, %v; want %+v", got, err, goldenRow)
			}
			if f := s.Faults(); len(f) != 0 {
				t.Errorf("faults %v", f)
			}
		})
	}
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	once(t, dir, func(s *Store) { must(t, s.Tunnels.Put("tun_a", Tunnel{ID: "tun_a"})) })
	schema3 := append(migrations[:len(migrations):len(migrations)], func(t *txn) error {
		return t.put(bucketTunnels, "tun_b", []byte(`{"id":"tun_b"}`))
	})

	d := acquire(t, dir)
	no := errors.New("no")
	broken := append(migrations[:len(migrations):len(migrations)], func(t *txn) error {
		return errors.Join(t.delete(bucketTunnels, "tun_a"), no)
	})
	if _, err := d.open(t.Context(), config(t, dir), broken); !errors.Is(err, no) {
		t.Fatalf("a migration that does not succeed: %v", err)
	}
	s, err := d.open(t.Context(), config(t, dir), schema3)
	must(t, err)
	if rows, err := s.Tunnels.List(); err != nil || len(rows) != 2 {
		t.Errorf("after the migration: %+v, %v", rows, err)
	}
	must(t, s.Close())
	if _, err := os.Stat(filepath.Join(dir, "state.db.schema-2")); err != nil {
		t.Errorf("no copy from before: %v", err)
	}
	before, err := os.ReadFile(d.Path(dbName))
	must(t, err)
	if _, err := d.Open(t.Context(), config(t, dir)); !errors.Is(err, ErrNewer) {
		t.Errorf("an older daemon: %v, want ErrNewer", err)
	}
	if after, _ := os.ReadFile(d.Path(dbName)); string(after) != string(before) {
		t.Error("the refused database was changed")
	}
}
