// Package pipe joins a local connection and a stream until both directions ended.
package pipe

import (
	"context"
	"io"
	"net"

	"github.com/sallyport/sallyport/wire"
)

// Stream is what Join needs of a wire.Stream.
type Stream interface {
	net.Conn
	io.ReaderFrom
	io.WriterTo
	CloseWrite() error
	Reset(*wire.Reason)
	Done() <-chan struct{}
	Err() error
}

// Result is what a joined pair came to.
type Result struct {
	// ToStream and ToLocal are payload bytes.
	ToStream, ToLocal uint64
	// Err is nil after an orderly end.
	Err error
}

// Join carries bytes both ways until both directions ended. It takes ownership of both.
func Join(ctx context.Context, local net.Conn, s Stream) Result { panic("soon") }
