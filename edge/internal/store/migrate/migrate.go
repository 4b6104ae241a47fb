// Package migrate brings a bbolt file to the present schema: ordered steps, a
// transaction each, and a copy of the file before the first.
package migrate

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"

	bolt "go.etcd.io/bbolt"

	"github.com/sallyport/sallyport/edge/internal/store/record"
)

// Step brings the file from the schema before it to Schema.
type Step struct {
	Schema int64
	Does   string
	Do     func(*bolt.Tx) error
}

// The schema number stands in the bucket "meta" under "schema", big-endian.
var (
	bucketMeta = []byte("meta")
	metaSchema = []byte("schema")
)

var (
	// ErrNewer: a newer program has written the file.
	ErrNewer = errors.New("database was written by a newer version of sallyport-edge")
	// ErrForeign: the file is a bbolt file of another program.
	ErrForeign = errors.New("not a database of sallyport-edge")
)

// Run brings the file to the last schema of steps, which are in order and without gaps. A file that has rows is
// copied first; a file of a newer schema is left as it is.
func Run(db *bolt.DB, log *slog.Logger, steps []Step) error {
	have, err := schemaOf(db)
	if err != nil {
		return err
	}
	want := steps[len(steps)-1].Schema
	switch {
	case have == want:
		return nil
	case have > want:
		return fmt.Errorf("%w: it has schema %d and this program knows %d; use the newer version, or restore the copy that was made before it was upgraded", ErrNewer, have, want)
	case have > 0:
		if err := copyBefore(db, have, log); err != nil {
			return err
		}
	}
	for _, m := range steps {
		if m.Schema <= have {
			continue
		}
		err := db.Update(func(tx *bolt.Tx) error {
			if err := m.Do(tx); err != nil {
				return err
			}
			return setSchema(tx, m.Schema)
		})
		if err != nil {
			return fmt.Errorf("migrate to schema %d (%s): %w", m.Schema, m.Does, err)
		}
	}
	return nil
}

// schemaOf is 0 for a new file. A file with buckets but none of ours belongs to
// another program.
func schemaOf(db *bolt.DB) (schema int64, err error) {
	err = db.View(func(tx *bolt.Tx) error {
		if tx.Bucket(bucketMeta) != nil {
			schema, err = readSchema(tx)
			return err
		}
		if k, _ := tx.Cursor().First(); k != nil {
			return ErrForeign
		}
		return nil
	})
	return schema, err
}

func readSchema(tx *bolt.Tx) (int64, error) {
	v := tx.Bucket(bucketMeta).Get(metaSchema)
	if len(v) != 8 || binary.BigEndian.Uint64(v) == 0 {
		return 0, fmt.Errorf("no schema number: %w", record.ErrDamaged)
	}
	return int64(binary.BigEndian.Uint64(v)), nil
}

func setSchema(tx *bolt.Tx, schema int64) error {
	b, err := tx.CreateBucketIfNotExists(bucketMeta)
	if err != nil {
		return err
	}
	return b.Put(metaSchema, binary.BigEndian.AppendUint64(nil, uint64(schema)))
}

// copyBefore writes the file as it is to PATH.schema-N, whole or not at all.
func copyBefore(db *bolt.DB, schema int64, log *slog.Logger) error {
	to := fmt.Sprintf("%s.schema-%d", db.Path(), schema)
	part := to + ".part"
	err := writeCopy(db, part)
	if err == nil {
		err = os.Rename(part, to)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("copy the database before migrating it: %w", err), os.RemoveAll(part))
	}
	log.Info("database copied before migrating", "copy", to, "schema", schema)
	return nil
}

func writeCopy(db *bolt.DB, to string) (err error) {
	f, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	err = db.View(func(tx *bolt.Tx) error {
		_, err := tx.WriteTo(f)
		return err
	})
	return errors.Join(err, f.Sync())
}
