// Package local moves payload between a stream and a socket of this machine.
//
// Shapes: a Writer takes in what is to be sent, from a buffer or from a socket,
// for an Outlet. A Sink delivers what an Inlet has to a socket, without a
// goroutine of its own while nothing waits. Both are parts of a stream, which is
// Outlet and Inlet.
//
// Concurrency: a Writer is used by one at a time and sees to it itself. A Sink is
// guarded by the lock of its stream.
//
// Source: docs/protocol.md, rules 21 and 22.
package local
