// Package trunk puts streams on one TLS connection between two daemons: the data
// plane. Package wire gives its Trunk out under its own name.
//
// Shapes: a Trunk is one end of a yamux session, on a framer (package framer)
// and under a Mux of streams (package stream). It watches that the other end is
// alive and keeps to the rules.
//
// Units and limits: limits.go.
//
// Errors: Err is a *reason.Reason where one is known, else what broke.
//
// Concurrency: everything may be called from any goroutine. A trunk has one
// goroutine that watches it, one at the host that accepts, and those of yamux
// and of its Mux.
//
// Source: docs/protocol.md, rules 13 and 16 to 18.
package trunk
