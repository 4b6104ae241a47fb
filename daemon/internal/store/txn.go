package store

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"runtime/debug"

	bolt "go.etcd.io/bbolt"

	"github.com/sallyport/sallyport/internal/logging"
)

const (
	bucketMeta       = "meta"
	bucketEdges      = "edges"
	bucketForwards   = "forwards"
	bucketTunnels    = "tunnels"
	bucketKeys       = "keys"
	bucketSessions   = "sessions"
	bucketEnrolments = "enrolments"
	bucketHostKeys   = "hostkeys"
	bucketAccounts   = "accounts"

	metaSchema   = "schema"
	metaManifest = "manifest"
)

// manifest says which rows there are: their number, and the XOR of their
// digests, which is kept up to date without reading the others.
type manifest struct {
	Rows   int64  `json:"rows"`
	Digest string `json:"digest"`
}

// txn is a writing transaction that keeps the manifest.
type txn struct {
	*bolt.Tx
	seal   Sealer
	rows   int64
	digest [sha256.Size]byte
}

// view runs f in a reading transaction; a fault of the mapped file is an error.
func (s *Store) view(f func(*bolt.Tx) error) error {
	return guarded(func() error { return s.db.View(f) })
}

// update runs f in a writing transaction, which is durable when it returns nil.
//
// bbolt has two pages that say where everything is, writes them in turns, and
// where the newer is damaged takes the older: the change before, whole and
// without a word. So a transaction that changes nothing follows, after which
// both say the same. What f did is durable without it.
func (s *Store) update(f func(*txn) error) error {
	return guarded(func() error {
		if err := s.write(f); err != nil {
			return err
		}
		if err := s.db.Update(func(*bolt.Tx) error { return nil }); err != nil {
			s.log.Warn("change stored once, not twice", slog.Any(logging.KeyError, err))
		}
		return nil
	})
}

// write is the transaction of update.
func (s *Store) write(f func(*txn) error) error {
	return s.db.Update(func(tx *bolt.Tx) error {
		t := &txn{Tx: tx, seal: s.seal}
		if err := t.load(); err != nil {
			return err
		}
		if err := f(t); err != nil {
			return err
		}
		return t.save()
	})
}

// guarded makes an error of a panic of bbolt's and of a fault of the mapped
// file: a damaged page is to cost a request, not the process.
func guarded(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrDamaged, p)
		}
	}()
	return f()
}

func (t *txn) load() error {
	var m manifest
	sealed := t.Bucket([]byte(bucketMeta)).Get([]byte(metaManifest))
	if err := decode(t.seal, bucketMeta, metaManifest, sealed, &m); err != nil {
		return err
	}
	n, err := hex.Decode(t.digest[:], []byte(m.Digest))
	if err != nil || n != len(t.digest) {
		return fmt.Errorf("%w: the manifest's digest", ErrDamaged)
	}
	t.rows = m.Rows
	return nil
}

func (t *txn) save() error {
	return t.putMeta(metaManifest, manifest{Rows: t.rows, Digest: hex.EncodeToString(t.digest[:])})
}

func (t *txn) putMeta(key string, v any) error {
	plain, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return t.Bucket([]byte(bucketMeta)).Put([]byte(key), t.seal.Seal(bucketMeta, key, plain))
}

func (t *txn) put(bucket, key string, plain []byte) error {
	b := t.Bucket([]byte(bucket))
	if old := b.Get([]byte(key)); old != nil {
		t.count(bucket, key, old, -1)
	}
	sealed := t.seal.Seal(bucket, key, plain)
	t.count(bucket, key, sealed, 1)
	return b.Put([]byte(key), sealed)
}

func (t *txn) delete(bucket, key string) error {
	b := t.Bucket([]byte(bucket))
	old := b.Get([]byte(key))
	if old == nil {
		return fmt.Errorf("%s %s: %w", bucket, key, ErrNotFound)
	}
	t.count(bucket, key, old, -1)
	return b.Delete([]byte(key))
}

// count takes a row into the manifest, or out of it.
func (t *txn) count(bucket, key string, sealed []byte, by int64) {
	t.rows += by
	d := digest(bucket, key, sealed)
	for i := range t.digest {
		t.digest[i] ^= d[i]
	}
}

func digest(bucket, key string, sealed []byte) [sha256.Size]byte {
	h := sha256.New()
	for _, part := range [][]byte{[]byte(bucket), []byte(key), sealed} {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		h.Write(part)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// verify reads the whole database. Any error is ErrDamaged or ErrNewer.
func verify(tx *bolt.Tx, s Sealer, newest int) error {
	schema, err := schemaOf(tx, s)
	if err != nil {
		return err
	}
	if schema > newest {
		return fmt.Errorf("%w: schema %d, this build knows %d", ErrNewer, schema, newest)
	}
	want, got := &txn{Tx: tx, seal: s}, &txn{Tx: tx, seal: s}
	if err := want.load(); err != nil {
		return err
	}
	err = tx.ForEach(func(name []byte, b *bolt.Bucket) error {
		if string(name) == bucketMeta {
			return nil
		}
		check := decoders[string(name)]
		if check == nil {
			return fmt.Errorf("%w: unknown bucket %q", ErrDamaged, name)
		}
		return b.ForEach(func(k, sealed []byte) error {
			if sealed == nil {
				return fmt.Errorf("%w: bucket %q in %s", ErrDamaged, k, name)
			}
			got.count(string(name), string(k), sealed, 1)
			return check(s, string(name), string(k), sealed)
		})
	})
	if err != nil {
		return err
	}
	if got.rows != want.rows || got.digest != want.digest {
		return fmt.Errorf("%w: it holds %d rows, and its manifest names %d others", ErrDamaged, got.rows, want.rows)
	}
	return nil
}

func schemaOf(tx *bolt.Tx, s Sealer) (int, error) {
	b := tx.Bucket([]byte(bucketMeta))
	if b == nil {
		return 0, fmt.Errorf("%w: no bucket %s", ErrDamaged, bucketMeta)
	}
	var schema int
	err := decode(s, bucketMeta, metaSchema, b.Get([]byte(metaSchema)), &schema)
	return schema, err
}
