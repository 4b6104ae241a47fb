// Package carrier is what brings the frames of streams: one yamux stream each on
// the connection of a trunk, or the whole connection of a lane.
//
// Shapes: a Line is the connection as its carriers share it: how many there are,
// what is to be written, whether it lives. A Carrier is one Channel of the Road
// under it. What goes on it, and what comes, is the business of its Rider, the stream that has
// it; the Line tells the Rider when it is its turn, and the Road gives it what comes, as
// its Feed.
//
// Units and limits: limits.go.
//
// Errors: Loss gives what a stream is told whose line is gone; it wraps a
// *reason.Reason always.
//
// Concurrency: everything may be called from any goroutine. A Line has one goroutine
// that lets the riders write what nobody may wait for (acknowledgements, resets); what
// comes is taken on the goroutine that reads the connection. Lock order: a rider's lock
// before Line.mu, which is never held while anything is written.
//
// Source: docs/protocol.md, rules 17 to 21.
package carrier
