// Package stream is the streams of one trunk: the envelope spoken on yamux
// streams. Package wire gives its Stream out under its own name.
//
// Shapes: a Stream is a net.Conn with half-close, reset and a Verdict. Its state
// (package envelope) is apart from the carrier that brings its frames (package
// carrier); a carriage is what the stream has of one. Its local side is package
// local's. A Mux makes the streams of one trunk; package trunk puts it on a
// connection.
//
// As its client sees it:
//
//	opening --Verdict ok--> open --both FINs acknowledged--> over
//	   |                     |
//	   +--refused, denied----+--RST, loss of the trunk, rule broken--> over, Err
//
// A stream that is open and loses its carrier is parked where carrier.Config.Resume says
// so: it waits for another one (Mux.Attach at the client, Stream.GoOn at the host).
//
// Units and limits: those of envelope and carrier.
//
// Errors: a *reason.Reason where a reason was told; loss of the trunk wraps one
// with the code carrier-lost; never io.EOF but for the peer's FIN.
//
// Concurrency: everything may be called from any goroutine. A stream has no goroutine but
// for opening its carrier, and while a local socket takes nothing more: who reads
// the connection handles its frames, and never waits, neither for a local socket nor for
// anything to be written. Lock order: Stream.mu before those of the Mux and
// the Line; none is held while anything is written.
//
// Source: docs/protocol.md, rules 19 to 23.
package stream
