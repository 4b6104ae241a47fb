// Package trunk carries streams between two daemons on one TLS connection: the
// data plane. Package wire gives its Trunk and Stream out under its own names.
//
// Shapes: a Trunk is one end of a yamux session. Between TLS and yamux stands a
// framer, which joins header and body of a frame in one write, lets small
// frames of several streams share one, pings, and shows everything that comes
// in to the policer. On a yamux stream speaks a Stream in its envelope: its
// state (package envelope) is apart from the carrier that brings its frames.
//
// Stream, as its client sees it:
//
//	opening --Verdict ok--> open --both FINs acknowledged--> over
//	   |                     |
//	   +--refused, denied----+--RST, loss of the trunk, rule broken--> over, Err
//
// Units and limits: limits.go.
//
// Errors: a *reason.Reason where a reason was told; loss of the trunk wraps one
// with the code carrier-lost; never io.EOF but for the peer's FIN.
//
// Concurrency: everything may be called from any goroutine. A trunk has one
// goroutine that watches it, one that writes what must not wait for anybody
// (acknowledgements, resets), those of yamux, and one per stream, the reader of
// its carrier, which never waits for a local socket. Lock order: Stream.mu
// before Trunk.mu; neither is held while anything is written.
//
// Source: docs/protocol.md, rules 13 and 16 to 23.
package trunk
