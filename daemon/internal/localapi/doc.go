// Package localapi serves the local API: HTTP with JSON on the socket or pipe of
// package ipc, never on TCP.
//
// Shapes: routes.go holds the one table of routes, each with the permission that
// it needs; a Server judges every request (who asks, from where, how large)
// before its handler sees it, and answers every error as problem+json. What is
// done is done by the agent, which is given the caller's identity.
//
// Identity: the kernel's word about the process at the other end of the
// connection, asked once a connection. Where the kernel says nothing the request
// is refused. No header says anything about who asks.
//
// Browsers: a page cannot reach a Unix socket; should something pass its
// requests on, the headers that browsers set (Origin, Referer, Sec-Fetch-*) and
// a Host other than "sallyport" give it away.
//
// Streams of lines (events, and hold) give the newest state: who reads slowly
// misses states in between, never the last; who does not read at all is cut off.
//
// Concurrency: Run serves until its context ends and returns when every
// connection is over.
//
// Source: docs/api.md and api/openapi.json, with which a test compares the table.
package localapi
