package store

import (
	"bytes"
	"encoding/binary"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"github.com/sallyport/sallyport/edge/internal/store/record"
)

// writer gathers the changes of one revision in a bbolt transaction.
type writer struct {
	tx       *bolt.Tx
	revision int64 // of the changes to be
	n        uint32
}

func newWriter(tx *bolt.Tx) *writer {
	return &writer{tx: tx, revision: metaNumber(tx, metaRevision) + 1}
}

// apply does a transaction that Validate has passed. kept bounds history.
func apply(tx *bolt.Tx, t Txn, kept int64) (TxnResult, error) {
	res := TxnResult{Succeeded: true}
	for _, c := range t.Compare {
		kv, err := getKV(tx, c.Key)
		if err != nil {
			return res, err
		}
		res.Succeeded = res.Succeeded && c.Holds(kv)
	}
	ops := t.Then
	if !res.Succeeded {
		ops = t.Else
	}
	w := newWriter(tx)
	for _, op := range ops {
		kvs, err := w.do(op)
		if err != nil {
			return res, err
		}
		res.Results = append(res.Results, OpResult{KVs: kvs})
	}
	if err := w.finish(kept); err != nil {
		return res, err
	}
	res.Revision = metaNumber(tx, metaRevision)
	return res, nil
}

func (w *writer) do(op Op) ([]KV, error) {
	switch op.Kind {
	case OpPut:
		return nil, w.put(op)
	case OpGet:
		return one(getKV(w.tx, op.Key))
	case OpList:
		return listKV(w.tx, op.Key)
	case OpDelete:
		kvs, err := one(getKV(w.tx, op.Key))
		if err != nil {
			return nil, err
		}
		return kvs, w.deleteAll(kvs)
	case OpDeletePrefix:
		kvs, err := listKV(w.tx, op.Key)
		if err != nil {
			return nil, err
		}
		return kvs, w.deleteAll(kvs)
	}
	return nil, fmt.Errorf("operation %q: %w", op.Kind, ErrInvalid)
}

func one(kv *KV, err error) ([]KV, error) {
	if err != nil || kv == nil {
		return nil, err
	}
	return []KV{*kv}, nil
}

func (w *writer) put(op Op) error {
	before, err := getKV(w.tx, op.Key)
	if err != nil {
		return err
	}
	kv := KV{Key: op.Key, Value: op.Value, CreateRevision: w.revision, ModRevision: w.revision, Version: 1, Lease: op.Lease}
	if before != nil {
		kv.CreateRevision, kv.Version = before.CreateRevision, before.Version+1
	}
	if err := w.moveLease(op.Key, before, op.Lease); err != nil {
		return err
	}
	if err := w.tx.Bucket(bucketKV).Put([]byte(op.Key), record.EncodeKV(kv)); err != nil {
		return err
	}
	return w.note(record.Change{KV: kv, Before: before})
}

func (w *writer) deleteAll(kvs []KV) error {
	for _, kv := range kvs {
		if err := w.moveLease(kv.Key, &kv, 0); err != nil {
			return err
		}
		if err := w.tx.Bucket(bucketKV).Delete([]byte(kv.Key)); err != nil {
			return err
		}
		gone := KV{Key: kv.Key, ModRevision: w.revision}
		if err := w.note(record.Change{Delete: true, KV: gone, Before: &kv}); err != nil {
			return err
		}
	}
	return nil
}

// moveLease takes the key from the lease it had and puts it under another; 0 is none.
func (w *writer) moveLease(key string, before *KV, to LeaseID) error {
	keys := w.tx.Bucket(bucketLeaseKeys)
	if before != nil && before.Lease != 0 && before.Lease != to {
		if err := keys.Delete(leaseKey(before.Lease, key)); err != nil {
			return err
		}
	}
	if to == 0 {
		return nil
	}
	if w.tx.Bucket(bucketLeases).Get(number(int64(to))) == nil {
		return fmt.Errorf("put %s under lease %d: %w", key, to, ErrLeaseNotFound)
	}
	return keys.Put(leaseKey(to, key), nil)
}

// note writes one record of history.
func (w *writer) note(c record.Change) error {
	at := binary.BigEndian.AppendUint32(number(w.revision), w.n)
	w.n++
	return w.tx.Bucket(bucketHistory).Put(at, record.EncodeChange(at, c))
}

// finish makes the revision the present one, where anything changed, and trims
// history now and then.
func (w *writer) finish(kept int64) error {
	if w.n == 0 {
		return nil
	}
	if err := setMetaNumber(w.tx, metaRevision, w.revision); err != nil {
		return err
	}
	// A quarter more than is kept gathers first, so that not every write deletes.
	if w.revision-metaNumber(w.tx, metaCompacted) <= kept+kept/4 {
		return nil
	}
	return compact(w.tx, w.revision-kept)
}

func compact(tx *bolt.Tx, revision int64) error {
	limit := number(revision + 1)
	c := tx.Bucket(bucketHistory).Cursor()
	for k, _ := c.First(); k != nil && bytes.Compare(k, limit) < 0; k, _ = c.First() {
		if err := c.Delete(); err != nil {
			return err
		}
	}
	return setMetaNumber(tx, metaCompacted, revision)
}
