package wire

import (
	"context"
	"io"
	"net"
	"time"
)

// Stream is one forwarded TCP connection.
type Stream struct{}

// ID is the stream's id.
func (s *Stream) ID() StreamID { panic("soon") }

// Trace is the stream's trace id.
func (s *Stream) Trace() TraceID { panic("soon") }

// Read gives payload of the peer.
func (s *Stream) Read(p []byte) (int, error) { panic("soon") }

// Write sends payload.
func (s *Stream) Write(p []byte) (int, error) { panic("soon") }

// ReadFrom sends everything that r gives until its end.
func (s *Stream) ReadFrom(r io.Reader) (int64, error) { panic("soon") }

// WriteTo gives w everything that the peer sends until its FIN.
func (s *Stream) WriteTo(w io.Writer) (int64, error) { panic("soon") }

// CloseWrite sends FIN.
func (s *Stream) CloseWrite() error { panic("soon") }

// Close ends both directions as close(2) does.
func (s *Stream) Close() error { panic("soon") }

// Reset ends both directions at once, at both ends.
func (s *Stream) Reset(r *Reason) { panic("soon") }

// Verdict waits for the host's word (client): nil, or a *Reason.
func (s *Stream) Verdict(ctx context.Context) error { panic("soon") }

// Deny ends a stream (client) of which the link said denied first.
func (s *Stream) Deny(r *Reason) { panic("soon") }

// Admit says ok to the client (host).
func (s *Stream) Admit() error { panic("soon") }

// Refuse says no to the client (host) and ends the stream.
func (s *Stream) Refuse(r *Reason) { panic("soon") }

// Counters are payload bytes.
func (s *Stream) Counters() (sent, received uint64) { panic("soon") }

// Done is closed when both directions are over.
func (s *Stream) Done() <-chan struct{} { panic("soon") }

// Err is nil while the stream lives and after an orderly end, else why it ended.
func (s *Stream) Err() error { panic("soon") }

// LocalAddr names the trunk's end.
func (s *Stream) LocalAddr() net.Addr { panic("soon") }

// RemoteAddr names the trunk's other end.
func (s *Stream) RemoteAddr() net.Addr { panic("soon") }

// SetDeadline sets both deadlines.
func (s *Stream) SetDeadline(t time.Time) error { panic("soon") }

// SetReadDeadline bounds Read.
func (s *Stream) SetReadDeadline(t time.Time) error { panic("soon") }

// SetWriteDeadline bounds Write.
func (s *Stream) SetWriteDeadline(t time.Time) error { panic("soon") }
