package store

import (
	"context"
	"errors"
	"slices"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/sallyport/sallyport/edge/internal/store/group"
)

// work is one change that waits to be committed, with those that came while
// another was being written.
type work = group.Work[func(*bolt.Tx) error]

// Txn does t.Then where every compare holds, else t.Else, as one durable change.
func (b *Bolt) Txn(ctx context.Context, t Txn) (TxnResult, error) {
	if err := t.Validate(); err != nil {
		return TxnResult{}, err
	}
	var res TxnResult
	err := b.commits.Do(ctx, func(tx *bolt.Tx) (err error) {
		res, err = apply(tx, t, b.kept)
		return err
	})
	if err != nil {
		return TxnResult{}, err
	}
	return res, nil
}

// commitBatch commits in one transaction. A change that fails is told so, and
// the others are tried again without it: none of them has been written.
func (b *Bolt) commitBatch(batch []*work) {
	defer b.wakeWatchers()
	for len(batch) > 0 {
		failed := -1
		err := b.db.Update(func(tx *bolt.Tx) error {
			for i, w := range batch {
				if err := w.What(tx); err != nil {
					failed = i
					return err
				}
			}
			return nil
		})
		if errors.Is(err, bolterrors.ErrDatabaseNotOpen) {
			err = ErrClosed
		}
		if failed < 0 {
			for _, w := range batch {
				w.Done(err)
			}
			return
		}
		batch[failed].Done(err)
		batch = slices.Delete(batch, failed, failed+1)
	}
}

func (b *Bolt) wakeWatchers() {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.changed)
	b.changed = make(chan struct{})
}
