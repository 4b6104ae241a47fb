// Package pipe joins a local connection (of an application, or to an origin)
// and a stream, and carries between them what TCP would: bytes, back-pressure,
// the end of each direction, reset, and loss.
//
// Shapes: Join does it all; Stream is what it needs of a wire.Stream.
//
// The local socket is expected to have SO_LINGER{1,0} from the moment it was
// accepted or dialled (sockopt.Local), so that a daemon that dies leaves a reset
// and not an end that looks whole. Join clears it only when both directions
// ended in order, just before it closes.
//
// Concurrency: Join blocks, and is all that an idle pair needs beside the
// stream's own reader.
//
// Source: docs/protocol.md, rule 22.
package pipe

import (
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"syscall"

	"github.com/sallyport/sallyport/internal/sockopt"
	"github.com/sallyport/sallyport/wire"
)

// Stream is what Join needs of a wire.Stream.
type Stream interface {
	net.Conn
	io.ReaderFrom
	CloseWrite() error
	Reset(*wire.Reason)
	// DeliverTo gives w what comes, without waiting, and calls end once.
	DeliverTo(w io.Writer, end func(delivered uint64, err error))
	// AfterEnd calls f in a goroutine once the stream is over.
	AfterEnd(f func())
	Done() <-chan struct{}
	Err() error
}

// Result is what a joined pair came to.
type Result struct {
	// ToStream and ToLocal are the payload bytes taken from the local
	// connection, and those that it accepted.
	ToStream, ToLocal uint64
	// Err is nil after an orderly end of both directions, else why it ended: a
	// *wire.Reason where one is known.
	Err error
}

// Join carries bytes both ways until both directions ended. It takes ownership
// of both and has closed both when it returns. The end of ctx resets them.
func Join(ctx context.Context, local net.Conn, s Stream) Result {
	j := &joint{local: local, stream: s, ended: make(chan struct{})}
	stop := context.AfterFunc(ctx, func() { s.Reset(reasonOf(context.Cause(ctx))) })
	s.AfterEnd(j.abort)
	s.DeliverTo(local, j.delivered)
	j.collect()
	<-j.ended
	<-s.Done()
	stop()
	j.result.Err = s.Err()
	if j.result.Err == nil {
		sockopt.Linger(local, false)
	}
	local.Close()
	s.Close()
	return j.result
}

type joint struct {
	local  net.Conn
	stream Stream
	ended  chan struct{} // closed by delivered
	// wroteEnd: all was delivered, so that a local connection of which both
	// directions are over has ended in order.
	wroteEnd atomic.Bool
	result   Result // ToStream belongs to collect, ToLocal to delivered
}

// collect carries from the local connection to the stream.
func (j *joint) collect() {
	n, err := j.stream.ReadFrom(j.local)
	j.result.ToStream = uint64(n)
	if err == nil && sockopt.HungUp(j.local) && !j.wroteEnd.Load() {
		err = syscall.ECONNRESET // a write has taken it along
	}
	if err == nil {
		j.stream.CloseWrite()
		return
	}
	j.stream.Reset(brokenReason(err)) // nothing, where the stream ended first
}

// delivered is the end of what goes from the stream to the local connection.
func (j *joint) delivered(n uint64, err error) {
	defer close(j.ended)
	j.result.ToLocal = n
	if err == nil {
		j.wroteEnd.Store(true)
		err = sockopt.CloseWrite(j.local)
	}
	if err != nil {
		j.stream.Reset(brokenReason(err)) // nothing, where the stream ended first
	}
}

// abort resets the local connection where the stream did not end in order. The
// two directions may be waiting in a read or write of it, or be complete while
// the other one is not: the local side must learn of it all the same.
func (j *joint) abort() {
	if j.stream.Err() != nil {
		sockopt.Linger(j.local, true)
		j.local.Close()
	}
}

// reasonOf takes the reason out of an error, or says that the pair was closed.
func reasonOf(err error) *wire.Reason {
	var r *wire.Reason
	if errors.As(err, &r) {
		return r
	}
	return &wire.Reason{Code: wire.CodeClosed, Text: "the connection was closed by the daemon"}
}

// brokenReason says that the local connection broke. The error's own text names
// addresses of this machine and stays here.
func brokenReason(err error) *wire.Reason {
	var r *wire.Reason
	if errors.As(err, &r) {
		return r
	}
	return &wire.Reason{Code: wire.CodeReset, Text: "the connection was reset"}
}
