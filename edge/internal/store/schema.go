package store

import (
	bolt "go.etcd.io/bbolt"

	"github.com/sallyport/sallyport/edge/internal/store/migrate"
)

// schemas are in order and without gaps; one that has been released is never
// changed. Each has a golden database in testdata.
var schemas = []migrate.Step{
	{Schema: 1, Does: "make the buckets", Do: makeBuckets},
}

func makeBuckets(tx *bolt.Tx) error {
	for _, name := range [][]byte{bucketMeta, bucketKV, bucketHistory, bucketLeases, bucketLeaseKeys} {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	return nil
}
