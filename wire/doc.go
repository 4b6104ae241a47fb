// Package wire is contract 2: the tunnel protocol between daemons and an edge.
//
// Shapes: a Link carries control messages (the Message types of this package)
// between a daemon and an edge. A Trunk is a yamux session inside TLS 1.3 end
// to end between a client daemon and a host daemon, which the edge relays
// without reading it. A Stream is one forwarded TCP connection on a trunk, in
// an envelope of its own with flow control, half-close and reset.
//
// It is the only room that knows yamux: nothing outside sees one of its types.
//
// Source: docs/protocol.md, which numbers every rule and names its test.
package wire
