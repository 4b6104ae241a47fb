//go:build linux

// Package load is the load of the benchmark and the service behind every path:
// bulk, ping-pong, new connections, a slow uplink, each for a while, with what
// came of it as figures.
//
// Units: bytes are payload, GB is 10^9 bytes; times are in microseconds unless
// a figure says otherwise.
//
// Concurrency: every function blocks and joins what it started.
package load
