// Package speak speaks the tunnel protocol by hand: TLS with keys of its own,
// frames of links, of yamux and of the envelope as bytes. It is written against
// docs/protocol.md and shares no code with the daemons or the edge, so that a
// fault in their coders does not hide itself. Nothing in it holds to a rule but
// where a behaviour needs the rule kept to get where it wants to break another.
//
// Concurrency: a Link or Trunk is used by one goroutine at a time.
package speak
