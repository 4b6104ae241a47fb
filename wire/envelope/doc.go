// Package envelope is what a stream speaks on its carrier: the frames and the
// state of the two byte sequences, apart from any connection.
//
// Shapes: a Frame codec (Type, ParseHeader, Append*, Parse*). Out is the sending
// half of a stream: it keeps what is not acknowledged, so that it can be sent
// again on another carrier. In is the receiving half: it checks the limit that
// was granted, holds what the local socket has not taken, and decides when to
// acknowledge and how large the window is. State joins both with the stream's
// id and epoch; its Attachment and Attach are the whole of resuming. Chunk is a
// pooled buffer with headroom for the frame headers, Budget bounds windows and what
// is kept, for all streams of a session.
//
// Units and limits: positions count payload bytes from the start of the stream;
// FIN takes one more position. A window begins with FirstWindow, or less in a session
// of many streams, and grows to MaxWindow at most.
//
// Errors: every error is a breach of the protocol by the peer.
//
// Concurrency: nothing here locks or starts anything but Budget and the pools,
// which are safe; the owner of a State guards it.
//
// Source: docs/protocol.md, rules 21 to 23.
package envelope
