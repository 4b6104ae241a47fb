package store

import (
	"errors"
	"fmt"
	"log/slog"
	"os"

	bolt "go.etcd.io/bbolt"
)

// migration brings the file from the schema before it to Schema, in one
// transaction of its own.
type migration struct {
	Schema int64
	Does   string
	Do     func(*bolt.Tx) error
}

// migrations are in order and without gaps; one that has been released is never
// changed. Each has a golden database in testdata.
var migrations = []migration{
	{1, "make the buckets", makeBuckets},
}

func makeBuckets(tx *bolt.Tx) error {
	for _, name := range [][]byte{bucketMeta, bucketKV, bucketHistory, bucketLeases, bucketLeaseKeys} {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	return nil
}

// migrate brings the file to the last schema of steps. A file that has rows is
// copied first; a file of a newer schema is left as it is.
func migrate(db *bolt.DB, log *slog.Logger, steps []migration) error {
	have, err := schemaOf(db)
	if err != nil {
		return err
	}
	want := steps[len(steps)-1].Schema
	switch {
	case have == want:
		return nil
	case have > want:
		return fmt.Errorf("%w: it has schema %d and this program knows %d; use the newer version, or restore the copy that was made before it was upgraded", ErrNewerSchema, have, want)
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
			return setMetaNumber(tx, metaSchema, m.Schema)
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
			if schema = metaNumber(tx, metaSchema); schema <= 0 {
				return fmt.Errorf("no schema number: %w", ErrDamaged)
			}
			return nil
		}
		if k, _ := tx.Cursor().First(); k != nil {
			return fmt.Errorf("not a database of sallyport-edge: %w", ErrInvalid)
		}
		return nil
	})
	return schema, err
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
