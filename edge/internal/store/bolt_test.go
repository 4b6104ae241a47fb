package store_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/sallyport/sallyport/edge/internal/store"
	"github.com/sallyport/sallyport/edge/internal/store/storetest"
)

func openBolt(t *testing.T, path string) *store.Bolt {
	t.Helper()
	b, err := store.Open(path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { b.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		wg.Wait()
		b.Close()
	})
	return b
}

func put(t *testing.T, s store.Store, key, value string) {
	t.Helper()
	if _, err := s.Txn(t.Context(), store.Txn{Then: []store.Op{store.Put(key, []byte(value))}}); err != nil {
		t.Fatal(err)
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) store.Store {
		return openBolt(t, filepath.Join(t.TempDir(), "edge.db"))
	})
}

func TestReopenKeepsRowsRevisionsAndHistory(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sub", "edge.db")
	b := openBolt(t, path)
	put(t, b, "a", "1")
	put(t, b, "a", "2")
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatalf("second Close: %v", err)
	}
	if _, err := b.Get(t.Context(), "a"); !errors.Is(err, store.ErrClosed) {
		t.Fatalf("get from a closed store: %v", err)
	}
	if _, err := b.Txn(t.Context(), store.Txn{}); !errors.Is(err, store.ErrClosed) {
		t.Fatalf("change of a closed store: %v", err)
	}
	b = openBolt(t, path)
	kv, err := b.Get(t.Context(), "a")
	if err != nil || string(kv.Value) != "2" || kv.Version != 2 {
		t.Fatalf("after reopening: %+v %v", kv, err)
	}
	if kv, err = b.GetAt(t.Context(), "a", 1); err != nil || string(kv.Value) != "1" {
		t.Fatalf("history after reopening: %+v %v", kv, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("file mode %v %v, want 0600", info.Mode(), err)
	}
}

func TestSecondOpenIsLocked(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "edge.db")
	openBolt(t, path)
	_, err := store.Open(path, slog.New(slog.DiscardHandler))
	if !errors.Is(err, store.ErrLocked) || strings.Count(err.Error(), "open") != 2 || !strings.Contains(err.Error(), path) {
		t.Fatalf("got %v", err)
	}
}

func TestCloseEndsWatches(t *testing.T) {
	t.Parallel()
	b := openBolt(t, filepath.Join(t.TempDir(), "edge.db"))
	waiting, err := b.Watch(t.Context(), "", 0)
	if err != nil {
		t.Fatal(err)
	}
	unread, err := b.Watch(t.Context(), "", 0)
	if err != nil {
		t.Fatal(err)
	}
	put(t, b, "a", "1")
	<-waiting
	b.Close()
	if _, ok := <-waiting; ok {
		t.Fatal("watch gave more than there was")
	}
	for range unread {
	}
	if _, err := b.Watch(t.Context(), "", 0); !errors.Is(err, store.ErrClosed) {
		t.Fatalf("watch on a closed store: %v", err)
	}
}

func TestDamageIsNoticed(t *testing.T) {
	t.Parallel()
	whole := filepath.Join(t.TempDir(), "edge.db")
	b := openBolt(t, whole)
	put(t, b, "key", strings.Repeat("canary", 20))
	b.Close()
	data, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name   string
		change func([]byte) []byte
	}{
		{"a value", func(d []byte) []byte {
			return []byte(strings.ReplaceAll(string(d), "canarycanary", "canaryCanary"))
		}},
		{"truncated", func(d []byte) []byte { return d[:len(d)/4] }},
		{"half a page", func(d []byte) []byte { return d[:100] }},
		{"another file", func([]byte) []byte { return []byte(strings.Repeat("no database ", 4000)) }},
		{"zeros", func(d []byte) []byte { return make([]byte, len(d)) }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "edge.db")
			if err := os.WriteFile(path, c.change(append([]byte{}, data...)), 0o600); err != nil {
				t.Fatal(err)
			}
			b, err := store.Open(path, slog.New(slog.DiscardHandler))
			if err == nil {
				b.Close()
			}
			if !errors.Is(err, store.ErrDamaged) {
				t.Fatalf("got %v", err)
			}
		})
	}
}

func BenchmarkTxn(b *testing.B) {
	s, err := store.Open(filepath.Join(b.TempDir(), "edge.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	value := make([]byte, 300)
	b.SetParallelism(32) // group commit shows with many writers
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := s.Txn(b.Context(), store.Txn{Then: []store.Op{store.Put("k", value)}}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
