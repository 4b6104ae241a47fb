package store

import (
	"errors"

	"github.com/sallyport/sallyport/edge/internal/store/migrate"
	"github.com/sallyport/sallyport/edge/internal/store/record"
)

var (
	// ErrNotFound: the key, or the row, does not exist.
	ErrNotFound = errors.New("not found")
	// ErrExists: the row exists already.
	ErrExists = errors.New("exists already")
	// ErrCompacted: the revision is older than the history that is kept. List
	// again and go on from the revision that it gives.
	ErrCompacted = errors.New("revision has been compacted")
	// ErrFuture: the revision has not been reached.
	ErrFuture = errors.New("revision lies in the future")
	// ErrLeaseNotFound: the lease has ended, or never was.
	ErrLeaseNotFound = errors.New("lease not found")
	// ErrInvalid: the request can never succeed.
	ErrInvalid = errors.New("invalid request")
	// ErrClosed: the store has been closed.
	ErrClosed = errors.New("store is closed")
	// ErrLocked: another process holds the database file.
	ErrLocked = errors.New("another sallyport-edge has it open")
	// ErrNewerSchema: a newer program has written the database.
	ErrNewerSchema = migrate.ErrNewer
	// ErrDamaged: a record does not read back as it was written.
	ErrDamaged = record.ErrDamaged
)
