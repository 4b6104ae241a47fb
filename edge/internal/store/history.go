package store

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"

	bolt "go.etcd.io/bbolt"

	"github.com/sallyport/sallyport/edge/internal/store/record"
)

// GetAt returns the key's state as of revision; 0 means now.
func (b *Bolt) GetAt(ctx context.Context, key string, revision int64) (KV, error) {
	var at *KV
	err := b.view(ctx, func(tx *bolt.Tx) (err error) {
		if at, err = getKV(tx, key); err != nil {
			return err
		}
		return undo(tx, revision, func(c record.Change) {
			if c.KV.Key == key {
				at = c.Before
			}
		})
	})
	if err == nil && at == nil {
		err = ErrNotFound
	}
	if err != nil {
		return KV{}, err
	}
	return *at, nil
}

// ListAt returns the keys that begin with prefix as of revision; 0 means now.
func (b *Bolt) ListAt(ctx context.Context, prefix string, revision int64) ([]KV, error) {
	at := map[string]KV{}
	err := b.view(ctx, func(tx *bolt.Tx) error {
		kvs, err := listKV(tx, prefix)
		if err != nil {
			return err
		}
		for _, kv := range kvs {
			at[kv.Key] = kv
		}
		return undo(tx, revision, func(c record.Change) {
			switch {
			case !strings.HasPrefix(c.KV.Key, prefix):
			case c.Before == nil:
				delete(at, c.KV.Key)
			default:
				at[c.KV.Key] = *c.Before
			}
		})
	})
	if err != nil {
		return nil, err
	}
	kvs := make([]KV, 0, len(at))
	for _, key := range slices.Sorted(maps.Keys(at)) {
		kvs = append(kvs, at[key])
	}
	return kvs, nil
}

// undo gives the changes after revision, the newest first.
func undo(tx *bolt.Tx, revision int64, each func(record.Change)) error {
	if revision == 0 {
		return nil
	}
	if revision > metaNumber(tx, metaRevision) {
		return fmt.Errorf("revision %d: %w", revision, ErrFuture)
	}
	if revision < metaNumber(tx, metaCompacted) {
		return fmt.Errorf("revision %d: %w", revision, ErrCompacted)
	}
	c := tx.Bucket(bucketHistory).Cursor()
	for k, v := c.Last(); k != nil && revisionOf(k) > revision; k, v = c.Prev() {
		change, err := record.DecodeChange(k, v)
		if err != nil {
			return err
		}
		each(change)
	}
	return nil
}

// revisionOf takes the revision out of a key of history.
func revisionOf(at []byte) int64 {
	if len(at) < 8 {
		return 0
	}
	return int64(binary.BigEndian.Uint64(at))
}

// Compact forgets history up to and including revision: it can still be read,
// but not watched from.
func (b *Bolt) Compact(ctx context.Context, revision int64) error {
	return b.commits.Do(ctx, func(tx *bolt.Tx) error {
		switch {
		case revision > metaNumber(tx, metaRevision):
			return fmt.Errorf("compact to revision %d: %w", revision, ErrFuture)
		case revision <= metaNumber(tx, metaCompacted):
			return fmt.Errorf("compact to revision %d: %w", revision, ErrCompacted)
		}
		return compact(tx, revision)
	})
}
