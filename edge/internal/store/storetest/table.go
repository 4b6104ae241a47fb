package storetest

import (
	"errors"
	"strconv"
	"testing"

	"github.com/sallyport/sallyport/edge/internal/store"
)

func testRace(t *testing.T, s store.Store) {
	const writers = 16
	won := make([]bool, writers)
	together(writers, func(i int) {
		res, err := s.Txn(t.Context(), store.Txn{
			Compare: []store.Compare{store.Missing("claim")},
			Then:    []store.Op{store.Put("claim", []byte(strconv.Itoa(i)))},
			Else:    []store.Op{store.Get("claim")},
		})
		if err != nil {
			t.Error(err)
		}
		won[i] = res.Succeeded
	})
	kv := must[store.KV](t)(s.Get(t.Context(), "claim"))
	for i, w := range won {
		if w != (strconv.Itoa(i) == string(kv.Value)) {
			t.Errorf("writer %d won: %v; the key says %s", i, w, kv.Value)
		}
	}
}

type row struct {
	Name  string `json:"name"`
	Count int    `json:"count"`
}

func testTable(t *testing.T, s store.Store) {
	ctx := t.Context()
	table := store.NewTable[row](s, "rows")
	put(t, s, "rowsy", "not of this table")
	_, err := table.Get(ctx, "a")
	wantErr(t, err, store.ErrNotFound)
	wantErr(t, table.Delete(ctx, "a"), store.ErrNotFound)
	wantErr(t, table.Put(ctx, "", row{}), store.ErrInvalid)
	for _, id := range []string{"b", "a", "c"} {
		if err := table.Create(ctx, id, row{Name: id}); err != nil {
			t.Fatal(err)
		}
	}
	wantErr(t, table.Create(ctx, "a", row{Name: "other"}), store.ErrExists)
	got := must[row](t)(table.Update(ctx, "b", func(r *row) error { r.Count = 7; return nil }))
	if got != (row{"b", 7}) {
		t.Fatalf("update gave %+v", got)
	}
	stop := errors.New("stop")
	_, err = table.Update(ctx, "b", func(r *row) error { r.Count = 8; return stop })
	wantErr(t, err, stop)
	_, err = table.Update(ctx, "none", func(*row) error { return nil })
	wantErr(t, err, store.ErrNotFound)
	if err := table.Delete(ctx, "c"); err != nil {
		t.Fatal(err)
	}
	rows := must[[]row](t)(table.List(ctx))
	if len(rows) != 2 || rows[0] != (row{"a", 0}) || rows[1] != (row{"b", 7}) {
		t.Fatalf("rows %+v", rows)
	}
	put(t, s, table.Key("bad"), "{")
	if _, err := table.List(ctx); err == nil {
		t.Fatal("a row that is not JSON was listed")
	}
}

func testTableRace(t *testing.T, s store.Store) {
	const writers, each = 8, 10
	table := store.NewTable[row](s, "rows")
	if err := table.Create(t.Context(), "sum", row{}); err != nil {
		t.Fatal(err)
	}
	together(writers, func(int) {
		for range each {
			if _, err := table.Update(t.Context(), "sum", func(r *row) error { r.Count++; return nil }); err != nil {
				t.Error(err)
			}
		}
	})
	if got := must[row](t)(table.Get(t.Context(), "sum")); got.Count != writers*each {
		t.Fatalf("count %d, want %d", got.Count, writers*each)
	}
}
