// Package relay is the public port of an edge: it tells links, trunks and the
// web apart, carries the control messages of links, joins the two connections
// of a trunk without reading them, decides each stream, and cuts.
//
// Shapes: a Relay serves one listener. A peer is one link of one device key. A
// trunk is the row of one ticket and, once both ends came, of their splice; its
// streams are rows as well. Package ticket holds what waits to be joined,
// package splice joins, package peek reads a first ClientHello.
//
// Errors: a peer that breaks a rule loses its link, or its connection with a
// RST. A person hears a wire.Reason.
//
// Concurrency: New starts nothing. Serve owns every goroutine. The reader of a
// link never waits: what may wait goes to the link's own queue (one at a time,
// in order), decisions of streams to a bounded number of goroutines.
//
// Source: docs/protocol.md, rules 4 to 20 and 25.
package relay
