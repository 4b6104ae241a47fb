// Package webconn carries a connection inside a WebSocket: the form in which
// links and trunks travel where a middlebox lets nothing but the web through.
//
// Shapes: Dial asks an edge's web port on a connection that is there already,
// Accept answers; both give a Conn, a stream of bytes in binary messages whose
// boundaries mean nothing. It adds no secrecy and no identity: what runs inside
// is the same TLS as in the direct form.
//
// Units and limits: a message has at most MaxMessage bytes; a Conn holds one
// buffer while bytes wait to be read, and none while it is idle.
//
// Errors: Dial returns a *RefusedError where the answer is no WebSocket. The end
// of a Conn is io.EOF however it came about: the TLS inside knows better.
//
// Concurrency: a Conn has one goroutine, which ends with the connection or Close.
//
// Source: docs/protocol.md, rules 1 to 3; RFC 6455.
package webconn

// Where the web port of an edge takes WebSockets.
const (
	// LinkPath is that of links.
	LinkPath = "/.sallyport/link"
	// TrunkPath is that of trunks and lanes: the ticket's label comes first.
	TrunkPath = "/.sallyport/trunk"
)

// MaxMessage bounds one message: four records of the TLS inside.
const MaxMessage = 64 << 10
