package store

import (
	"bytes"
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
)

var golden = flag.Bool("golden", false, "write the golden database of the present schema")

var discard = slog.New(slog.DiscardHandler)

func FuzzRecord(f *testing.F) {
	kv := KV{Key: "k", Value: []byte("value"), CreateRevision: 3, ModRevision: 300, Version: 2, Lease: 9}
	f.Add([]byte("k"), encodeKV(kv))
	f.Add([]byte("at"), encodeChange([]byte("at"), change{EventPut, kv, &KV{Key: "k"}}))
	f.Add([]byte("at"), encodeChange([]byte("at"), change{EventDelete, KV{Key: "k"}, nil}))
	f.Add([]byte{}, seal(nil, []byte{recordVersion, 1, 0x80}))
	f.Fuzz(func(t *testing.T, at, data []byte) {
		// As it came, and with a checksum that fits, so that the decoder is reached.
		for _, record := range [][]byte{data, seal(at, append([]byte{recordVersion}, data...))} {
			if kv, err := decodeKV(at, record); err == nil {
				again, err := decodeKV(at, encodeKV(kv))
				if err != nil || !bytes.Equal(again.Value, kv.Value) || again.Version != kv.Version {
					t.Fatalf("%+v read back as %+v, %v", kv, again, err)
				}
			} else if !errors.Is(err, ErrDamaged) {
				t.Fatal(err)
			}
			if c, err := decodeChange(at, record); err == nil {
				if _, err := decodeChange(at, encodeChange(at, c)); err != nil {
					t.Fatal(err)
				}
			} else if !errors.Is(err, ErrDamaged) {
				t.Fatal(err)
			}
		}
	})
}

func TestRecordBitFlips(t *testing.T) {
	t.Parallel()
	record := encodeKV(KV{Key: "key", Value: []byte("some value"), CreateRevision: 1, ModRevision: 2, Version: 2})
	for i := range len(record) * 8 {
		bad := bytes.Clone(record)
		bad[i/8] ^= 1 << (i % 8)
		if _, err := decodeKV([]byte("key"), bad); !errors.Is(err, ErrDamaged) {
			t.Fatalf("bit %d flipped: %v", i, err)
		}
	}
	if _, err := decodeKV([]byte("kez"), record); !errors.Is(err, ErrDamaged) {
		t.Fatalf("record under another key: %v", err)
	}
}

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
	bad := errors.New("bad")
	batch := make([]*work, 5)
	for i := range batch {
		batch[i] = &work{done: make(chan error, 1), do: func(tx *bolt.Tx) error {
			if i%2 == 1 {
				return bad
			}
			_, err := apply(tx, Txn{Then: []Op{Put(fmt.Sprint("k", i), nil)}}, historyKept)
			return err
		}}
	}
	outcomes := []*work{batch[0], batch[1], batch[2], batch[3], batch[4]}
	b.commitBatch(batch)
	for i, w := range outcomes {
		if err := <-w.done; errors.Is(err, bad) != (i%2 == 1) {
			t.Errorf("change %d: %v", i, err)
		}
	}
	kvs, revision, err := b.List(t.Context(), "")
	if err != nil || len(kvs) != 3 || revision != 3 {
		t.Fatalf("%d keys at revision %d, %v; want 3 at 3", len(kvs), revision, err)
	}
}

// TestWithdraw: a caller that gives up while another writes leaves the queue in order.
func TestWithdraw(t *testing.T) {
	t.Parallel()
	b, err := Open(filepath.Join(t.TempDir(), "edge.db"), discard)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	inside, release := make(chan struct{}), make(chan struct{})
	first := make(chan error, 1)
	go func() {
		first <- b.commit(context.Background(), func(*bolt.Tx) error {
			close(inside)
			<-release
			return nil
		})
	}()
	<-inside
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	ran := false
	if err := b.commit(ctx, func(*bolt.Tx) error { ran = true; return nil }); !errors.Is(err, context.Canceled) {
		t.Fatalf("withdrawn change: %v", err)
	}
	close(release)
	if err := <-first; err != nil {
		t.Fatal(err)
	}
	if err := b.commit(t.Context(), func(*bolt.Tx) error { return nil }); err != nil || ran {
		t.Fatalf("after a withdrawal: %v, withdrawn change ran: %v", err, ran)
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
	next := migrations[len(migrations)-1].Schema + 1
	failing := append(migrations[:len(migrations):len(migrations)], migration{next, "fail", func(tx *bolt.Tx) error {
		tx.Bucket(bucketKV).Delete([]byte("k"))
		return errors.New("half way")
	}})
	if _, err := open(path, discard, failing); err == nil || !strings.Contains(err.Error(), "half way") {
		t.Fatalf("failing migration: %v", err)
	}
	working := append(migrations[:len(migrations):len(migrations)], migration{next, "add", func(tx *bolt.Tx) error {
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
	for _, m := range migrations {
		file := fmt.Sprintf("testdata/schema-%d.db", m.Schema)
		if *golden && m.Schema == migrations[len(migrations)-1].Schema {
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
