//go:build linux

// Package services runs what people use through forwards beside the ledger's
// streams: a PostgreSQL server with pgbench, an OpenSSH server with a session
// and a copy by scp. They are the ones of Debian; Missing says which are not
// installed.
//
// Shapes: Start gives the Servers; a Use runs the three clients at once for a
// while and says what each of them thought of it.
//
// Concurrency: everything ends with Close and is joined by it.
package services
