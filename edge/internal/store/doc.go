// Package store keeps the edge's durable rows: sessions, apps, connectors,
// join tokens, people and keys of its own.
//
// Shapes: Store is an interface shaped like etcd (revisions, transactions with
// compare, leases, watch from a revision). Bolt is the Store of a single edge,
// over one bbolt file. Table gives the rooms above typed rows, as JSON, and is
// all that most of them need. Package storetest is the conformance suite that
// every Store passes.
//
// The file of Bolt, drawn as a tree of buckets:
//
//	meta/
//	  schema     uint64: which migrations have been done
//	  revision   uint64: the last revision
//	  compacted  uint64: the last revision that history no longer holds
//	kv/
//	  KEY                    record: create, mod, version, lease, value
//	history/
//	  REVISION(8) N(4)       record: put or delete, key, its record now, its record before
//	leases/
//	  ID(8)                  uint64: ttl in milliseconds
//	lease_keys/
//	  ID(8) KEY              empty
//
// Numbers are big-endian. A record carries a version byte in front and the
// CRC-32C of its bucket's key and itself at the end, so that a damaged file is
// noticed and not served.
//
// Units and limits: see MaxKeyBytes, MaxValueBytes, MaxTxnOps; the last
// historyKept revisions can be read and watched.
//
// Errors: the ErrX of errors.go, wrapped with the object they are about.
//
// Concurrency: every method may be called from anywhere. Transactions that are
// asked for while another is being written to disk are committed together, with
// one fsync. Open starts no goroutine; Run ends leases; Watch starts one
// goroutine a watch, which ends with its context or with Close.
package store
