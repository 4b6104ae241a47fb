package storetest

import (
	"strconv"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/edge/internal/store"
)

func testGetPut(t *testing.T, s store.Store) {
	ctx := t.Context()
	_, err := s.Get(ctx, "a")
	wantErr(t, err, store.ErrNotFound)
	r1 := put(t, s, "a", "1")
	r2 := put(t, s, "a", "2")
	if r2 != r1+1 {
		t.Fatalf("revisions %d and %d, want one apart", r1, r2)
	}
	kv := must[store.KV](t)(s.Get(ctx, "a"))
	if kv.Key != "a" || string(kv.Value) != "2" || kv.CreateRevision != r1 || kv.ModRevision != r2 || kv.Version != 2 {
		t.Fatalf("got %+v", kv)
	}
	txn(t, s, store.Delete("a"))
	_, err = s.Get(ctx, "a")
	wantErr(t, err, store.ErrNotFound)
	r4 := put(t, s, "a", "")
	kv = must[store.KV](t)(s.Get(ctx, "a"))
	if kv.CreateRevision != r4 || kv.Version != 1 || len(kv.Value) != 0 {
		t.Fatalf("a key that was deleted and put again: %+v", kv)
	}
}

func testList(t *testing.T, s store.Store) {
	ctx := t.Context()
	for _, key := range []string{"b/2", "a", "b/10", "b/1", "c", "b", "b/\xff"} {
		put(t, s, key, "x")
	}
	kvs, revision, err := s.List(ctx, "b/")
	if err != nil {
		t.Fatal(err)
	}
	wantText(t, kvs, "b/1=x b/10=x b/2=x b/\xff=x")
	if now := put(t, s, "a", "y"); now != revision+1 {
		t.Fatalf("list said revision %d, the next change had %d", revision, now)
	}
	kvs, _, _ = s.List(ctx, "")
	wantText(t, kvs, "a=y b=x b/1=x b/10=x b/2=x b/\xff=x c=x")
	kvs, _, _ = s.List(ctx, "nothing")
	wantText(t, kvs, "")
	removed := txn(t, s, store.DeletePrefix("b/")).Results[0].KVs
	wantText(t, removed, "b/1=x b/10=x b/2=x b/\xff=x")
	kvs, _, _ = s.List(ctx, "")
	wantText(t, kvs, "a=y b=x c=x")
}

func testCompares(t *testing.T, s store.Store) {
	r := put(t, s, "a", "m") // one put: version 1
	compare := func(target store.Target, rel store.Relation, n int64, value string) store.Compare {
		return store.Compare{Key: "a", Target: target, Relation: rel, Number: n, Value: []byte(value)}
	}
	cases := []struct {
		name string
		c    store.Compare
		want bool
	}{
		{"exists", store.Exists("a"), true},
		{"exists, missing", store.Exists("b"), false},
		{"missing", store.Missing("b"), true},
		{"missing, exists", store.Missing("a"), false},
		{"unchanged", store.Unchanged("a", r), true},
		{"unchanged, changed", store.Unchanged("a", r-1), false},
		{"unchanged, never there", store.Unchanged("b", 0), true},
		{"version", store.VersionIs("a", 1), true},
		{"version, other", store.VersionIs("a", 2), false},
		{"version of nothing", store.VersionIs("b", 0), true},
		{"value", store.ValueIs("a", []byte("m")), true},
		{"value, other", store.ValueIs("a", []byte("n")), false},
		{"value of nothing", store.ValueIs("b", nil), false},
		{"version greater", compare(store.TargetVersion, store.Greater, 0, ""), true},
		{"version not greater", compare(store.TargetVersion, store.Greater, 1, ""), false},
		{"version less", compare(store.TargetVersion, store.Less, 2, ""), true},
		{"version not equal", compare(store.TargetVersion, store.NotEqual, 1, ""), false},
		{"created at", compare(store.TargetCreateRevision, store.Equal, r, ""), true},
		{"value greater", compare(store.TargetValue, store.Greater, 0, "a"), true},
		{"value less", compare(store.TargetValue, store.Less, 0, "a"), false},
		{"value not equal", compare(store.TargetValue, store.NotEqual, 0, "a"), true},
	}
	for _, c := range cases {
		res := must[store.TxnResult](t)(s.Txn(t.Context(), store.Txn{Compare: []store.Compare{c.c}}))
		if res.Succeeded != c.want {
			t.Errorf("%s: %v, want %v", c.name, res.Succeeded, c.want)
		}
		if res.Revision != r {
			t.Errorf("%s: a transaction that writes nothing moved the revision from %d to %d", c.name, r, res.Revision)
		}
	}
}

func testElse(t *testing.T, s store.Store) {
	put(t, s, "a", "1")
	res := must[store.TxnResult](t)(s.Txn(t.Context(), store.Txn{
		Compare: []store.Compare{store.Exists("a"), store.Missing("a")},
		Then:    []store.Op{store.Put("then", nil)},
		Else:    []store.Op{store.Put("else", []byte("x")), store.Get("a")},
	}))
	if res.Succeeded || len(res.Results) != 2 {
		t.Fatalf("got %+v", res)
	}
	wantText(t, res.Results[1].KVs, "a=1")
	kvs, _, _ := s.List(t.Context(), "")
	wantText(t, kvs, "a=1 else=x")
}

func testTxnReads(t *testing.T, s store.Store) {
	put(t, s, "a/1", "old")
	res := txn(t, s, store.Get("a/1"), store.Put("a/1", []byte("new")), store.Put("a/2", []byte("two")),
		store.List("a/"), store.Get("none"), store.Delete("a/2"), store.List("a/"), store.Delete("none"))
	for i, want := range []string{"a/1=old", "", "", "a/1=new a/2=two", "", "a/2=two", "a/1=new", ""} {
		if got := text(res.Results[i].KVs); got != want {
			t.Errorf("operation %d found %q, want %q", i, got, want)
		}
	}
}

func testOneRevision(t *testing.T, s store.Store) {
	res := txn(t, s, store.Put("a", nil), store.Put("b", nil), store.Put("c", nil))
	kvs, now, _ := s.List(t.Context(), "")
	for _, kv := range kvs {
		if kv.ModRevision != res.Revision {
			t.Errorf("%s has revision %d, the transaction %d", kv.Key, kv.ModRevision, res.Revision)
		}
	}
	if len(kvs) != 3 || now != res.Revision {
		t.Fatalf("%d keys at revision %d, want 3 at %d", len(kvs), now, res.Revision)
	}
	if res := txn(t, s, store.Delete("none")); res.Revision != now {
		t.Fatalf("deleting nothing moved the revision from %d to %d", now, res.Revision)
	}
}

func testRefused(t *testing.T, s store.Store) {
	many := make([]store.Op, store.MaxTxnOps+1)
	for i := range many {
		many[i] = store.Put("k"+strconv.Itoa(i), nil)
	}
	cases := []struct {
		name string
		ops  []store.Op
		want error
	}{
		{"empty key", []store.Op{store.Put("", nil)}, store.ErrInvalid},
		{"long key", []store.Op{store.Put(strings.Repeat("k", store.MaxKeyBytes+1), nil)}, store.ErrInvalid},
		{"large value", []store.Op{store.Put("k", make([]byte, store.MaxValueBytes+1))}, store.ErrInvalid},
		{"twice", []store.Op{store.Put("k", nil), store.Put("k", nil)}, store.ErrInvalid},
		{"many", many, store.ErrInvalid},
		{"no lease", []store.Op{store.Put("j", nil), store.PutLeased("k", nil, 1<<40)}, store.ErrLeaseNotFound},
	}
	for _, c := range cases {
		_, err := s.Txn(t.Context(), store.Txn{Then: c.ops})
		wantErr(t, err, c.want)
	}
	kvs, revision, _ := s.List(t.Context(), "")
	wantText(t, kvs, "") // nothing of a refused transaction is there
	txn(t, s, store.Put(strings.Repeat("k", store.MaxKeyBytes), make([]byte, store.MaxValueBytes)))
	if _, now, _ := s.List(t.Context(), ""); now != revision+1 {
		t.Fatalf("revision %d after %d", now, revision)
	}
}

func testAtRevision(t *testing.T, s store.Store) {
	ctx := t.Context()
	r1 := put(t, s, "p/a", "1")
	r2 := put(t, s, "p/b", "1")
	r3 := put(t, s, "p/a", "2")
	r4 := txn(t, s, store.Delete("p/a"), store.Put("q", nil)).Revision
	r5 := put(t, s, "p/a", "3")
	for _, c := range []struct {
		at   int64
		want string
	}{{r1, "p/a=1"}, {r2, "p/a=1 p/b=1"}, {r3, "p/a=2 p/b=1"}, {r4, "p/b=1"}, {r5, "p/a=3 p/b=1"}, {0, "p/a=3 p/b=1"}} {
		wantText(t, must[[]store.KV](t)(s.ListAt(ctx, "p/", c.at)), c.want)
	}
	if kv := must[store.KV](t)(s.GetAt(ctx, "p/a", r3)); string(kv.Value) != "2" || kv.ModRevision != r3 || kv.CreateRevision != r1 || kv.Version != 2 {
		t.Fatalf("got %+v", kv)
	}
	_, err := s.GetAt(ctx, "p/a", r4)
	wantErr(t, err, store.ErrNotFound)
	_, err = s.GetAt(ctx, "p/a", r5+1)
	wantErr(t, err, store.ErrFuture)
	if err := s.Compact(ctx, r3); err != nil {
		t.Fatal(err)
	}
	wantText(t, must[[]store.KV](t)(s.ListAt(ctx, "p/", r3)), "p/a=2 p/b=1")
	_, err = s.ListAt(ctx, "p/", r2)
	wantErr(t, err, store.ErrCompacted)
	wantErr(t, s.Compact(ctx, r3), store.ErrCompacted)
	wantErr(t, s.Compact(ctx, r5+1), store.ErrFuture)
}
