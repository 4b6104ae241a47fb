package store

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/sallyport/sallyport/edge/internal/store/migrate"
)

var golden = flag.Bool("golden", false, "write the golden database of the present schema")

var discard = slog.New(slog.DiscardHandler)

func TestHistoryIsBounded(t *testing.T) {
	t.Parallel()
	b, err := Open(filepath.Join(t.TempDir(), "edge.db"), discard)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	b.kept = 20
	for range 100 {
		if _, err := b.Txn(t.Context(), Txn{Then: []Op{Put("k", nil)}}); err != nil {
			t.Fatal(err)
		}
	}
	b.db.View(func(tx *bolt.Tx) error {
		n := tx.Bucket(bucketHistory).Stats().KeyN
		if n < 20 || n > 26 {
			t.Errorf("%d records of history, want about 20", n)
		}
		return nil
	})
	if _, err := b.Watch(t.Context(), "", 50); !errors.Is(err, ErrCompacted) {
		t.Fatalf("watch from a forgotten revision: %v", err)
	}
}

// TestOneFailureOfABatch: a change that fails inside a batch leaves the others alone.
func TestOneFailureOfABatch(t *testing.T) {
	t.Parallel()
	b, err := Open(filepath.Join(t.TempDir(), "edge.db"), discard)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	// The first holds the lead until the others are queued behind it.
	inside, release := make(chan struct{}), make(chan struct{})
	outcomes := make([]chan error, 6)
	start := func(i int, do func(*bolt.Tx) error) {
		outcomes[i] = make(chan error, 1)
		go func() { outcomes[i] <- b.commits.Do(context.Background(), do) }() // ends with its outcome
	}
	start(5, func(*bolt.Tx) error { close(inside); <-release; return nil })
	<-inside
	bad := errors.New("bad")
	for i := range 5 {
		start(i, func(tx *bolt.Tx) error {
			if i%2 == 1 {
				return bad
			}
			_, err := apply(tx, Txn{Then: []Op{Put(fmt.Sprint("k", i), nil)}}, historyKept)
			return err
		})
	}
	close(release)
	for i, outcome := range outcomes {
		if err := <-outcome; errors.Is(err, bad) != (i%2 == 1 && i < 5) {
			t.Errorf("change %d: %v", i, err)
		}
	}
	kvs, revision, err := b.List(t.Context(), "")
	if err != nil || len(kvs) != 3 || revision != 3 {
		t.Fatalf("%d keys at revision %d, %v; want 3 at 3", len(kvs), revision, err)
	}
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "edge.db")
	b, err := Open(path, discard)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Txn(t.Context(), Txn{Then: []Op{Put("k", []byte("old"))}}); err != nil {
		t.Fatal(err)
	}
	b.Close()
	next := schemas[len(schemas)-1].Schema + 1
	failing := append(schemas[:len(schemas):len(schemas)], migrate.Step{Schema: next, Does: "fail", Do: func(tx *bolt.Tx) error {
		tx.Bucket(bucketKV).Delete([]byte("k"))
		return errors.New("half way")
	}})
	if _, err := open(path, discard, failing); err == nil || !strings.Contains(err.Error(), "half way") {
		t.Fatalf("failing migration: %v", err)
	}
	working := append(schemas[:len(schemas):len(schemas)], migrate.Step{Schema: next, Does: "add", Do: func(tx *bolt.Tx) error {
		_, err := tx.CreateBucket([]byte("more"))
		return err
	}})
	b, err = open(path, discard, working)
	if err != nil {
		t.Fatal(err)
	}
	if kv, err := b.Get(t.Context(), "k"); err != nil || string(kv.Value) != "old" {
		t.Fatalf("after migrating: %+v %v", kv, err)
	}
	b.Close()
	if _, err = Open(path, discard); !errors.Is(err, ErrNewerSchema) || !strings.Contains(err.Error(), "newer version") {
		t.Fatalf("newer schema: %v", err)
	}
	old, err := Open(fmt.Sprintf("%s.schema-%d", path, next-1), discard)
	if err != nil {
		t.Fatalf("the copy made before: %v", err)
	}
	defer old.Close()
	if kv, err := old.Get(t.Context(), "k"); err != nil || string(kv.Value) != "old" {
		t.Fatalf("the copy made before: %+v %v", kv, err)
	}
}

// TestGolden opens a database of each released schema.
func TestGolden(t *testing.T) {
	t.Parallel()
	for _, m := range schemas {
		file := fmt.Sprintf("testdata/schema-%d.db", m.Schema)
		if *golden && m.Schema == schemas[len(schemas)-1].Schema {
			writeGolden(t, file)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "edge.db")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		b, err := Open(path, discard)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		kv, err := b.Get(t.Context(), "apps/tcp.site.com")
		if err != nil || string(kv.Value) != `{"hostname":"tcp.site.com"}` || kv.Version != 2 {
			t.Fatalf("schema %d: %+v %v", m.Schema, kv, err)
		}
		if kv, err = b.GetAt(t.Context(), "apps/tcp.site.com", 1); err != nil || string(kv.Value) != "{}" {
			t.Fatalf("schema %d, history: %+v %v", m.Schema, kv, err)
		}
		if kv, err = b.Get(t.Context(), "leased"); err != nil || kv.Lease != 1 || len(b.leases.all) != 1 {
			t.Fatalf("schema %d, leases: %+v %v", m.Schema, kv, err)
		}
	}
}

func writeGolden(t *testing.T, file string) {
	os.Remove(file)
	b, err := Open(file, discard)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	ctx := t.Context()
	id, err := b.Lease(ctx, 1<<40)
	if err != nil {
		t.Fatal(err)
	}
	for _, op := range []Op{Put("apps/tcp.site.com", []byte("{}")), Put("apps/tcp.site.com", []byte(`{"hostname":"tcp.site.com"}`)), PutLeased("leased", nil, id)} {
		if _, err := b.Txn(ctx, Txn{Then: []Op{op}}); err != nil {
			t.Fatal(err)
		}
	}
}
