// Package store keeps what the daemon must remember: one bbolt file in the
// daemon's state directory.
//
// Layout of the directory (mode 0700, files 0600):
//
//	DIR
//	├── lock                  held by the daemon that uses the directory
//	├── pid                   whose it is, for the sentence that others print
//	├── seal.key              the key that rows are sealed with (package seal)
//	├── state.db              the database
//	├── state.db.bak          a copy from the last start or orderly stop at which it was healthy
//	├── state.db.schema-N     a copy from before the migration away from schema N
//	└── state.db.damaged-TIME a database that was found damaged and set aside
//
// Layout of the database; every value is a row as JSON, sealed for its bucket
// and key:
//
//	state.db
//	├── meta
//	│   ├── schema            number of the schema
//	│   └── manifest          count and digest of all rows below
//	├── edges                 SCOPE/NAME          -> Edge
//	├── forwards              ID                  -> Forward
//	├── tunnels               ID                  -> Tunnel
//	├── keys                  SCOPE/EDGE          -> DeviceKey
//	├── sessions              SCOPE/EDGE          -> Session
//	├── enrolments            EDGE                -> Enrolment
//	├── hostkeys              SCOPE/EDGE/HOSTNAME -> HostKeys
//	└── accounts              UID                 -> Account
//
// SCOPE is an account's (the id of an OS user; ID~2 where another account had the
// id before), or "machine".
//
// Shapes: Acquire takes the directory for this process; Dir.Open opens the
// database in it. A Store has one Table a bucket; Load reads what the agent
// reconciles with, in one transaction.
//
// Damage: bbolt reads many a flipped bit back as if nothing had happened, and
// dies of others. So each value is authenticated; the manifest, which each
// transaction rewrites, tells of rows that vanished or came back; and at start
// the file is read whole by another process before this one maps it. A damaged
// file is set aside, and the backup takes its place.
//
// Errors: ErrLocked, ErrNotPrivate, ErrNewer of Acquire and Open; ErrNotFound
// and ErrDamaged of tables.
//
// Concurrency: a Store may be used by many goroutines. Each method is one
// transaction, durable when it returns. Nothing here is done per connection.
package store
