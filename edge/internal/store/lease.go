package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/sallyport/sallyport/edge/internal/store/record"
)

// leases are the ends of the leases. They are in memory: after a restart every
// lease has its whole ttl again, as in etcd after a change of leader.
type leases struct {
	mu   sync.Mutex // guards what follows
	all  map[LeaseID]lease
	wake chan struct{} // one slot: an end may have come nearer
}

type lease struct {
	ttl time.Duration
	end time.Time
}

// leaseRetry is the pause after the end of a lease could not be written.
const leaseRetry = time.Second

func leaseKey(id LeaseID, key string) []byte { return append(number(int64(id)), key...) }

func (l *leases) load(tx *bolt.Tx) error {
	l.all = map[LeaseID]lease{}
	l.wake = make(chan struct{}, 1)
	return tx.Bucket(bucketLeases).ForEach(func(k, v []byte) error {
		if len(k) != 8 || len(v) != 8 {
			return record.Damaged(k)
		}
		ttl := time.Duration(binary.BigEndian.Uint64(v)) * time.Millisecond
		l.all[LeaseID(binary.BigEndian.Uint64(k))] = lease{ttl, time.Now().Add(ttl)}
		return nil
	})
}

func (l *leases) set(id LeaseID, ttl time.Duration) {
	l.mu.Lock()
	l.all[id] = lease{ttl, time.Now().Add(ttl)}
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Lease makes a lease that ends after ttl (a millisecond at least) unless it is
// kept alive.
func (b *Bolt) Lease(ctx context.Context, ttl time.Duration) (LeaseID, error) {
	if ttl < time.Millisecond {
		return 0, fmt.Errorf("lease of %v: %w", ttl, ErrInvalid)
	}
	var id LeaseID
	err := b.commits.Do(ctx, func(tx *bolt.Tx) error {
		bucket := tx.Bucket(bucketLeases)
		n, err := bucket.NextSequence()
		if err != nil {
			return err
		}
		id = LeaseID(n)
		return bucket.Put(number(int64(id)), number(ttl.Milliseconds()))
	})
	if err != nil {
		return 0, fmt.Errorf("make a lease: %w", err)
	}
	b.leases.set(id, ttl)
	return id, nil
}

// KeepAlive starts the lease's ttl anew.
func (b *Bolt) KeepAlive(ctx context.Context, id LeaseID) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b.leases.mu.Lock()
	defer b.leases.mu.Unlock()
	l, ok := b.leases.all[id]
	if !ok {
		return fmt.Errorf("keep lease %d alive: %w", id, ErrLeaseNotFound)
	}
	l.end = time.Now().Add(l.ttl)
	b.leases.all[id] = l
	return nil
}

// Revoke ends a lease and deletes its keys.
func (b *Bolt) Revoke(ctx context.Context, id LeaseID) error {
	err := b.commits.Do(ctx, func(tx *bolt.Tx) error { return revoke(tx, id, b.kept) })
	if err != nil {
		return fmt.Errorf("revoke lease %d: %w", id, err)
	}
	b.leases.mu.Lock()
	delete(b.leases.all, id)
	b.leases.mu.Unlock()
	return nil
}

func revoke(tx *bolt.Tx, id LeaseID, kept int64) error {
	prefix := number(int64(id))
	if tx.Bucket(bucketLeases).Get(prefix) == nil {
		return ErrLeaseNotFound
	}
	var kvs []KV
	c := tx.Bucket(bucketLeaseKeys).Cursor()
	for k, _ := c.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, _ = c.Next() {
		kv, err := getKV(tx, string(k[len(prefix):]))
		if err != nil {
			return err
		}
		if kv != nil {
			kvs = append(kvs, *kv)
		}
	}
	w := newWriter(tx)
	if err := w.deleteAll(kvs); err != nil {
		return err
	}
	if err := w.finish(kept); err != nil {
		return err
	}
	return tx.Bucket(bucketLeases).Delete(prefix)
}

// Run ends leases that nobody keeps alive, until ctx ends.
func (b *Bolt) Run(ctx context.Context) error {
	for {
		id, wait, ok := b.leases.next()
		if ok && wait <= 0 {
			b.expire(ctx, id)
			continue
		}
		if !ok {
			wait = time.Hour // until wake
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-b.done:
			timer.Stop()
			return nil
		case <-b.leases.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// next is the lease that ends first, and in how long.
func (l *leases) next() (first LeaseID, wait time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var end time.Time
	for id, lease := range l.all {
		if !ok || lease.end.Before(end) {
			first, end, ok = id, lease.end, true
		}
	}
	return first, time.Until(end), ok
}

// expire ends a lease that is due. From here on it cannot be kept alive; where
// its end cannot be written, that is tried again.
func (b *Bolt) expire(ctx context.Context, id LeaseID) {
	b.leases.mu.Lock()
	l, ok := b.leases.all[id]
	if !ok || time.Now().Before(l.end) {
		b.leases.mu.Unlock()
		return // kept alive meanwhile
	}
	delete(b.leases.all, id)
	b.leases.mu.Unlock()
	err := b.commits.Do(ctx, func(tx *bolt.Tx) error { return revoke(tx, id, b.kept) })
	if err == nil || errors.Is(err, ErrLeaseNotFound) || errors.Is(err, ErrClosed) || ctx.Err() != nil {
		return
	}
	b.log.Error("lease could not be ended", "lease", int64(id), "error", err)
	b.leases.set(id, leaseRetry)
}
