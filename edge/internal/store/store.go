package store

import (
	"context"
	"time"

	"github.com/sallyport/sallyport/edge/internal/store/record"
)

// KV is one key with its value and its place in history.
type KV = record.KV

// LeaseID names a lease; 0 is none.
type LeaseID = record.LeaseID

// EventType says what happened to a key.
type EventType string

const (
	EventPut    EventType = "put"
	EventDelete EventType = "delete"
	// EventEnd is the last event of a watch that has been overtaken; Err says why.
	EventEnd EventType = "end"
)

// Event is one change of one key.
type Event struct {
	Type EventType
	// KV is what was put; on a delete only Key and ModRevision (the revision of
	// the delete) are set.
	KV KV
	// Err is set on EventEnd only. On ErrCompacted list again and watch from there.
	Err error
}

// Store keeps keys in the order of their bytes, with a revision number that
// grows by one for each transaction that changes something.
type Store interface {
	// Get returns the key's present state, or ErrNotFound.
	Get(ctx context.Context, key string) (KV, error)
	// GetAt returns the key's state as of revision; ErrCompacted where that is
	// no longer known, ErrFuture where it has not been reached.
	GetAt(ctx context.Context, key string, revision int64) (KV, error)
	// List returns the keys that begin with prefix, in order, and the revision
	// that they were read at. Watch from that revision + 1 to miss nothing.
	List(ctx context.Context, prefix string) ([]KV, int64, error)
	// ListAt is List as of revision, with the errors of GetAt.
	ListAt(ctx context.Context, prefix string, revision int64) ([]KV, error)
	// Txn does t.Then where every compare holds, else t.Else, as one change.
	// When it returns without an error the change is durable.
	Txn(ctx context.Context, t Txn) (TxnResult, error)
	// Watch sends the changes of keys under prefix, in order, beginning with
	// those of fromRevision (0: from the next change on). The channel closes
	// when ctx ends or the store is closed, or after an event of type EventEnd.
	Watch(ctx context.Context, prefix string, fromRevision int64) (<-chan Event, error)
	// Compact forgets history up to and including revision.
	Compact(ctx context.Context, revision int64) error
	// Lease makes a lease that ends after ttl unless it is kept alive.
	Lease(ctx context.Context, ttl time.Duration) (LeaseID, error)
	// KeepAlive starts the lease's ttl anew; ErrLeaseNotFound after its end.
	KeepAlive(ctx context.Context, id LeaseID) error
	// Revoke ends a lease: its keys are deleted, in one change.
	Revoke(ctx context.Context, id LeaseID) error
	// Close ends every watch and gives the file or connection back.
	Close() error
}
