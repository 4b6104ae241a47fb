package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Table keeps rows of one type as JSON under prefix/id. Its methods are safe
// for concurrent use by any number of processes on the same store.
type Table[T any] struct {
	s      Store
	prefix string
}

// NewTable names a table; prefix is its name, such as "sessions".
func NewTable[T any](s Store, prefix string) *Table[T] {
	return &Table[T]{s: s, prefix: strings.TrimSuffix(prefix, "/") + "/"}
}

// Key is the key of a row, for transactions over several rows.
func (t *Table[T]) Key(id string) string { return t.prefix + id }

// Prefix is what every key of the table begins with.
func (t *Table[T]) Prefix() string { return t.prefix }

// Get returns a row, or ErrNotFound.
func (t *Table[T]) Get(ctx context.Context, id string) (T, error) {
	row, _, err := t.Row(ctx, id)
	return row, err
}

// Row returns a row with its mod revision, for Unchanged.
func (t *Table[T]) Row(ctx context.Context, id string) (T, int64, error) {
	var row T
	kv, err := t.s.Get(ctx, t.Key(id))
	if err != nil {
		return row, 0, fmt.Errorf("read %s: %w", t.Key(id), err)
	}
	row, err = t.Decode(kv)
	return row, kv.ModRevision, err
}

// Decode turns a key of the table, as read by List or Watch, into its row.
func (t *Table[T]) Decode(kv KV) (T, error) {
	var row T
	if err := json.Unmarshal(kv.Value, &row); err != nil {
		return row, fmt.Errorf("decode %s: %w", kv.Key, err)
	}
	return row, nil
}

// List returns every row, ordered by id.
func (t *Table[T]) List(ctx context.Context) ([]T, error) {
	kvs, _, err := t.s.List(ctx, t.prefix)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", t.prefix, err)
	}
	rows := make([]T, 0, len(kvs))
	for _, kv := range kvs {
		row, err := t.Decode(kv)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// PutOp is the Op that writes a row, for transactions over several rows.
func (t *Table[T]) PutOp(id string, row T) (Op, error) {
	if id == "" {
		return Op{}, fmt.Errorf("row of %s without an id: %w", t.prefix, ErrInvalid)
	}
	value, err := json.Marshal(row)
	if err != nil {
		return Op{}, fmt.Errorf("encode %s: %w", t.Key(id), err)
	}
	return Put(t.Key(id), value), nil
}

// Create writes a new row; ErrExists where there is one of that id.
func (t *Table[T]) Create(ctx context.Context, id string, row T) error {
	return t.write(ctx, id, row, []Compare{Missing(t.Key(id))}, ErrExists)
}

// Put writes a row, new or not.
func (t *Table[T]) Put(ctx context.Context, id string, row T) error {
	return t.write(ctx, id, row, nil, nil)
}

func (t *Table[T]) write(ctx context.Context, id string, row T, compare []Compare, otherwise error) error {
	op, err := t.PutOp(id, row)
	if err != nil {
		return err
	}
	res, err := t.s.Txn(ctx, Txn{Compare: compare, Then: []Op{op}})
	if err == nil && !res.Succeeded {
		err = otherwise
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", op.Key, err)
	}
	return nil
}

// Update reads a row, lets change alter it and writes it back, again from the
// start where another writer was faster: change may run more than once. An
// error of change ends it and is returned as it is.
func (t *Table[T]) Update(ctx context.Context, id string, change func(*T) error) (T, error) {
	for {
		row, revision, err := t.Row(ctx, id)
		if err != nil {
			return row, err
		}
		if err := change(&row); err != nil {
			return row, err
		}
		err = t.write(ctx, id, row, []Compare{Unchanged(t.Key(id), revision)}, errRaced)
		if !errors.Is(err, errRaced) {
			return row, err
		}
	}
}

// errRaced: another writer changed the row in between; Update tries again.
var errRaced = errors.New("row was changed by another writer")

// Delete removes a row, or returns ErrNotFound.
func (t *Table[T]) Delete(ctx context.Context, id string) error {
	key := t.Key(id)
	res, err := t.s.Txn(ctx, Txn{Compare: []Compare{Exists(key)}, Then: []Op{Delete(key)}})
	if err == nil && !res.Succeeded {
		err = ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("delete %s: %w", key, err)
	}
	return nil
}
