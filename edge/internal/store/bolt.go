package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/sallyport/sallyport/edge/internal/store/group"
	"github.com/sallyport/sallyport/edge/internal/store/migrate"
	"github.com/sallyport/sallyport/edge/internal/store/record"
)

// lockWait is how long Open waits for another process to let go of the file: a
// restarting edge may overlap with its predecessor for a moment.
const lockWait = time.Second

// historyKept is how many revisions can be read back and watched from. A
// watcher that is further behind lists again, which is cheap at that size.
const historyKept = 4096

var (
	bucketMeta      = []byte("meta")
	bucketKV        = []byte("kv")
	bucketHistory   = []byte("history")
	bucketLeases    = []byte("leases")
	bucketLeaseKeys = []byte("lease_keys")

	metaRevision  = []byte("revision")
	metaCompacted = []byte("compacted")
)

// Bolt is the Store of one edge: a file that this process alone holds.
type Bolt struct {
	db   *bolt.DB
	log  *slog.Logger
	kept int64 // historyKept; tests set less

	commits *group.Group[func(*bolt.Tx) error]

	mu      sync.Mutex    // guards what follows
	changed chan struct{} // closed and replaced after each commit
	closed  bool

	leases   leases
	done     chan struct{} // closed by Close
	watchers sync.WaitGroup
}

var _ Store = (*Bolt)(nil)

// Open opens or makes the database at path; ErrLocked when another process
// holds it, ErrNewerSchema when a newer program has written it, ErrDamaged when
// it does not read back as it was written. Leases end only while Run runs.
func Open(path string, log *slog.Logger) (*Bolt, error) {
	return open(path, log, schemas)
}

func open(path string, log *slog.Logger, steps []migrate.Step) (*Bolt, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of the database: %w", err)
	}
	db, err := openFile(path)
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	b := &Bolt{
		db:      db,
		log:     log.With("database", path),
		kept:    historyKept,
		changed: make(chan struct{}),
		done:    make(chan struct{}),
	}
	b.commits = group.New(b.commitBatch)
	if err := b.prepare(steps); err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", path, err), db.Close())
	}
	return b, nil
}

// openFile turns what bbolt says, or panics with, into our errors.
func openFile(path string) (db *bolt.DB, err error) {
	defer catchDamage(&err)()
	db, err = bolt.Open(path, 0o600, &bolt.Options{Timeout: lockWait, FreelistType: bolt.FreelistMapType})
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, ErrLocked
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrChecksum), errors.Is(err, bolterrors.ErrVersionMismatch):
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return db, err
}

// prepare brings the file to the present schema and reads all of it once.
func (b *Bolt) prepare(steps []migrate.Step) (err error) {
	defer catchDamage(&err)()
	if err := migrate.Run(b.db, b.log, steps); err != nil {
		return err
	}
	return b.db.View(func(tx *bolt.Tx) error {
		if err := verify(tx); err != nil {
			return err
		}
		return b.leases.load(tx)
	})
}

// catchDamage makes an error of a panic (bbolt's answer to a page that makes no
// sense) and of a read past the end of a truncated file. Use: defer catchDamage(&err)().
func catchDamage(err *error) func() {
	before := debug.SetPanicOnFault(true)
	return func() {
		debug.SetPanicOnFault(before)
		if r := recover(); r != nil {
			*err = fmt.Errorf("%w: %v", ErrDamaged, r)
		}
	}
}

// verify reads every record.
func verify(tx *bolt.Tx) error {
	err := tx.Bucket(bucketKV).ForEach(func(k, v []byte) error {
		_, err := record.DecodeKV(k, v)
		return err
	})
	if err != nil {
		return err
	}
	return tx.Bucket(bucketHistory).ForEach(func(k, v []byte) error {
		_, err := record.DecodeChange(k, v)
		return err
	})
}

// Close ends every watch, waits for what is being written, and lets go of the
// file. It may be called again.
func (b *Bolt) Close() error {
	b.mu.Lock()
	if !b.closed {
		b.closed = true
		close(b.done)
	}
	b.mu.Unlock()
	b.watchers.Wait()
	return b.db.Close()
}

// Get returns the key's present state, or ErrNotFound.
func (b *Bolt) Get(ctx context.Context, key string) (KV, error) {
	var kv *KV
	err := b.view(ctx, func(tx *bolt.Tx) (err error) {
		kv, err = getKV(tx, key)
		return err
	})
	if err == nil && kv == nil {
		err = ErrNotFound
	}
	if err != nil {
		return KV{}, err
	}
	return *kv, nil
}

// List returns the keys that begin with prefix and the revision they were read at.
func (b *Bolt) List(ctx context.Context, prefix string) (kvs []KV, revision int64, err error) {
	err = b.view(ctx, func(tx *bolt.Tx) (err error) {
		kvs, err = listKV(tx, prefix)
		revision = metaNumber(tx, metaRevision)
		return err
	})
	return kvs, revision, err
}

func (b *Bolt) view(ctx context.Context, read func(*bolt.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := b.db.View(read)
	if errors.Is(err, bolterrors.ErrDatabaseNotOpen) {
		return ErrClosed
	}
	return err
}

// getKV gives nil where there is no such key.
func getKV(tx *bolt.Tx, key string) (*KV, error) {
	data := tx.Bucket(bucketKV).Get([]byte(key))
	if data == nil {
		return nil, nil
	}
	kv, err := record.DecodeKV([]byte(key), data)
	if err != nil {
		return nil, err
	}
	return &kv, nil
}

func listKV(tx *bolt.Tx, prefix string) ([]KV, error) {
	var kvs []KV
	p := []byte(prefix)
	c := tx.Bucket(bucketKV).Cursor()
	for k, v := c.Seek(p); k != nil && bytes.HasPrefix(k, p); k, v = c.Next() {
		kv, err := record.DecodeKV(k, v)
		if err != nil {
			return nil, err
		}
		kvs = append(kvs, kv)
	}
	return kvs, nil
}

func metaNumber(tx *bolt.Tx, name []byte) int64 {
	v := tx.Bucket(bucketMeta).Get(name)
	if len(v) != 8 {
		return 0
	}
	return int64(binary.BigEndian.Uint64(v))
}

func setMetaNumber(tx *bolt.Tx, name []byte, n int64) error {
	return tx.Bucket(bucketMeta).Put(name, number(n))
}

// number is an int64 as the file holds it.
func number(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }
