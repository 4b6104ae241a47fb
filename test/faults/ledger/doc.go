// Package ledger verifies streams byte by byte. What each end sends is a
// function of (seed, stream, direction, position), so the other end knows every
// byte that must come, and can tell from a wrong one where it belongs.
//
// Shapes: a Plan says how a stream is used (bulk, ping-pong, idle, half-closed,
// reset). Client plays one plan on a connection, Server plays the other end of
// all of them; both keep an Entry a direction. Tally sums entries up.
//
// What is told apart: bytes lost, doubled, reordered, crossed with another
// stream or direction, corrupt; an end that looks whole and is not (EOF where
// only a reset may be); a half-close that never came; a reset that came as EOF.
//
// Concurrency: Client.Run and Server.Serve block and join what they started.
package ledger
