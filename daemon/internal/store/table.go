package store

import (
	"encoding/json"
	"errors"
	"fmt"

	bolt "go.etcd.io/bbolt"
)

// ErrNotFound: there is no such row.
var ErrNotFound = errors.New("no such row")

// Table is one bucket of rows of one type. Its methods are transactions.
type Table[T any] struct {
	s      *Store
	bucket string
}

// Get returns a row, or ErrNotFound.
func (t Table[T]) Get(key string) (row T, err error) {
	err = t.s.view(func(tx *bolt.Tx) error {
		row, err = t.get(tx, key)
		return err
	})
	return row, err
}

// List returns all rows, ordered by key.
func (t Table[T]) List() (rows []T, err error) {
	err = t.s.view(func(tx *bolt.Tx) error {
		rows, err = t.list(tx)
		return err
	})
	return rows, err
}

// Put writes a row, whether or not there was one.
func (t Table[T]) Put(key string, row T) error {
	return t.s.update(func(tx *txn) error { return t.put(tx, key, row) })
}

// Update changes a row: f is given it as it is, the zero value where there is
// none. An error of f leaves everything as it was and is returned.
func (t Table[T]) Update(key string, f func(row *T) error) (row T, err error) {
	err = t.s.update(func(tx *txn) error {
		row, err = t.get(tx.Tx, key)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		if err := f(&row); err != nil {
			return err
		}
		return t.put(tx, key, row)
	})
	return row, err
}

// Delete takes a row away, or says ErrNotFound.
func (t Table[T]) Delete(key string) error {
	return t.s.update(func(tx *txn) error { return tx.delete(t.bucket, key) })
}

func (t Table[T]) get(tx *bolt.Tx, key string) (row T, err error) {
	sealed := tx.Bucket([]byte(t.bucket)).Get([]byte(key))
	if sealed == nil {
		return row, fmt.Errorf("%s %s: %w", t.bucket, key, ErrNotFound)
	}
	err = decode(t.s.seal, t.bucket, key, sealed, &row)
	return row, err
}

func (t Table[T]) list(tx *bolt.Tx) ([]T, error) {
	var rows []T
	err := tx.Bucket([]byte(t.bucket)).ForEach(func(k, sealed []byte) error {
		var row T
		if err := decode(t.s.seal, t.bucket, string(k), sealed, &row); err != nil {
			return err
		}
		rows = append(rows, row)
		return nil
	})
	return rows, err
}

func (t Table[T]) put(tx *txn, key string, row T) error {
	plain, err := json.Marshal(row)
	if err != nil {
		return fmt.Errorf("%s %s: %w", t.bucket, key, err)
	}
	return tx.put(t.bucket, key, plain)
}

// decode opens a sealed row. Every error is ErrDamaged.
func decode(s Sealer, bucket, key string, sealed []byte, row any) error {
	plain, err := s.Open(bucket, key, sealed)
	if err == nil {
		err = json.Unmarshal(plain, row)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w: %w", bucket, key, ErrDamaged, err)
	}
	return nil
}

// decoders check that a row of each bucket is one, when the file is verified.
var decoders = map[string]func(s Sealer, bucket, key string, sealed []byte) error{
	bucketEdges:      decodes[Edge],
	bucketForwards:   decodes[Forward],
	bucketTunnels:    decodes[Tunnel],
	bucketKeys:       decodes[DeviceKey],
	bucketSessions:   decodes[Session],
	bucketEnrolments: decodes[Enrolment],
	bucketHostKeys:   decodes[HostKeys],
	bucketAccounts:   decodes[Account],
}

func decodes[T any](s Sealer, bucket, key string, sealed []byte) error {
	var row T
	return decode(s, bucket, key, sealed, &row)
}
