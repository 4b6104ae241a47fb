// Package stream is the streams of one trunk: the envelope spoken on yamux
// streams. Package wire gives its Stream out under its own name.
//
// Shapes: a Stream is a net.Conn with half-close, reset and a Verdict. Its state
// (package envelope) is apart from the carrier that brings its frames. A Mux
// holds what the streams of one trunk share; package trunk puts it on a
// connection.
//
// As its client sees it:
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
// Concurrency: everything may be called from any goroutine. Each stream has one
// goroutine, the reader of its carrier, which never waits for a local socket,
// nor for anything to be written. A Mux has one that writes what nobody may wait
// for (acknowledgements, resets). Lock order: Stream.mu before Mux.mu; neither
// is held while anything is written.
//
// Source: docs/protocol.md, rules 19 to 23.
package stream
