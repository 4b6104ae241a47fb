package store

import (
	"fmt"

	bolt "go.etcd.io/bbolt"
)

// migration brings a database from the schema before to its own. It must not
// use the row types, which are those of today. What it changes through the
// transaction's put and delete stays in the manifest.
type migration func(*txn) error

// migrations in their order; migrations[i] leads to schema i+1. None is ever
// changed or taken out. Each has a database of the schema before it in testdata.
var migrations = []migration{
	createBuckets,
	createAccounts,
}

// createBuckets makes schema 1 of an empty file.
func createBuckets(t *txn) error {
	for _, name := range []string{
		bucketEdges, bucketForwards, bucketTunnels, bucketKeys, bucketSessions, bucketEnrolments, bucketHostKeys,
	} {
		if _, err := t.CreateBucketIfNotExists([]byte(name)); err != nil {
			return fmt.Errorf("create bucket %s: %w", name, err)
		}
	}
	return nil
}

// createAccounts makes schema 2. Who has which id is noted by the agent.
func createAccounts(t *txn) error {
	_, err := t.CreateBucketIfNotExists([]byte(bucketAccounts))
	return err
}

// create makes a database of schema 0: meta alone.
func create(db *bolt.DB, s Sealer) error {
	return db.Update(func(tx *bolt.Tx) error {
		if _, err := tx.CreateBucketIfNotExists([]byte(bucketMeta)); err != nil {
			return err
		}
		t := &txn{Tx: tx, seal: s}
		if err := t.putMeta(metaSchema, 0); err != nil {
			return err
		}
		return t.save()
	})
}

// migrate applies what is missing, one transaction each.
func (s *Store) migrate(all []migration) error {
	for fresh := false; ; {
		var schema int
		err := s.view(func(tx *bolt.Tx) (err error) {
			schema, err = schemaOf(tx, s.seal)
			return err
		})
		if err != nil {
			return err
		}
		if schema >= len(all) {
			return nil
		}
		if fresh = fresh || schema == 0; !fresh {
			if err := s.copyTo(fmt.Sprintf("%s.schema-%d", s.path, schema)); err != nil {
				return fmt.Errorf("copy before migrating from schema %d: %w", schema, err)
			}
		}
		err = s.update(func(t *txn) error {
			if err := all[schema](t); err != nil {
				return err
			}
			return t.putMeta(metaSchema, schema+1)
		})
		if err != nil {
			return fmt.Errorf("migrate to schema %d: %w", schema+1, err)
		}
	}
}
