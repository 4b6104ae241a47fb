package store

import (
	"context"
	"errors"
	"slices"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// work is one change that waits to be committed.
type work struct {
	do   func(*bolt.Tx) error
	done chan error    // one slot: the outcome
	turn chan struct{} // one slot: commit all that is queued
}

// Txn does t.Then where every compare holds, else t.Else, as one durable change.
func (b *Bolt) Txn(ctx context.Context, t Txn) (TxnResult, error) {
	if err := t.Validate(); err != nil {
		return TxnResult{}, err
	}
	var res TxnResult
	err := b.commit(ctx, func(tx *bolt.Tx) (err error) {
		res, err = apply(tx, t, b.kept)
		return err
	})
	if err != nil {
		return TxnResult{}, err
	}
	return res, nil
}

// commit queues a change and returns when it is durable. The first caller
// commits all that is queued and then hands over to the first that came
// meanwhile: those who wait for the disk share its next fsync, and no
// goroutine of our own is needed.
func (b *Bolt) commit(ctx context.Context, do func(*bolt.Tx) error) error {
	w := &work{do: do, done: make(chan error, 1), turn: make(chan struct{}, 1)}
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return ErrClosed
	}
	b.queue = append(b.queue, w)
	if !b.leading {
		b.leading = true
		w.turn <- struct{}{}
	}
	b.mu.Unlock()
	select {
	case err := <-w.done:
		return err
	case <-w.turn:
		b.commitQueued()
		return <-w.done
	case <-ctx.Done():
		if b.withdraw(w) {
			return ctx.Err()
		}
		return <-w.done // it is being written; its outcome must be known
	}
}

// withdraw takes w out of the queue, and hands the lead on where w had it; it is
// false when w is being committed already.
func (b *Bolt) withdraw(w *work) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.Index(b.queue, w)
	if i < 0 {
		return false
	}
	b.queue = slices.Delete(b.queue, i, i+1)
	select {
	case <-w.turn:
		b.handOverLocked()
	default:
	}
	return true
}

func (b *Bolt) handOverLocked() {
	if len(b.queue) == 0 {
		b.leading = false
		return
	}
	b.queue[0].turn <- struct{}{}
}

func (b *Bolt) commitQueued() {
	b.mu.Lock()
	batch := b.queue
	b.queue = nil
	b.mu.Unlock()
	b.commitBatch(batch)
	b.mu.Lock()
	close(b.changed)
	b.changed = make(chan struct{})
	b.handOverLocked()
	b.mu.Unlock()
}

// commitBatch commits in one transaction. A change that fails is told so, and
// the others are tried again without it: none of them has been written.
func (b *Bolt) commitBatch(batch []*work) {
	for len(batch) > 0 {
		failed := -1
		err := b.db.Update(func(tx *bolt.Tx) error {
			for i, w := range batch {
				if err := w.do(tx); err != nil {
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
				w.done <- err
			}
			return
		}
		batch[failed].done <- err
		batch = slices.Delete(batch, failed, failed+1)
	}
}
