// Package hello makes what a TLS client would say first, without a connection.
//
// Source: docs/protocol.md, rule 13.
package hello

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"
)

var (
	// errOneRecord: the hello would not be what the edge expects.
	errOneRecord = errors.New("hello of the host is not one record")
	errCaptured  = errors.New("hello captured")
)

// Record is one TLS record with the ClientHello that a client with this
// configuration begins with.
func Record(ctx context.Context, c *tls.Config) ([]byte, error) {
	var capture Capture
	err := tls.Client(&capture, c).HandshakeContext(ctx)
	if !errors.Is(err, errCaptured) {
		return nil, fmt.Errorf("make hello: %w", err)
	}
	b := capture.hello
	if len(b) < 5 || len(b) != 5+int(b[3])<<8+int(b[4]) {
		return nil, errOneRecord
	}
	return b, nil
}

// Capture keeps the first thing that is written and ends there. Its zero value
// is ready; it belongs to one goroutine.
type Capture struct{ hello []byte }

// Write implements net.Conn. What comes later is an alert: nobody is to see it.
func (c *Capture) Write(p []byte) (int, error) {
	if c.hello == nil {
		c.hello = append([]byte(nil), p...)
	}
	return len(p), nil
}

// Read implements net.Conn: it ends the handshake.
func (c *Capture) Read([]byte) (int, error) { return 0, errCaptured }

// Close implements net.Conn.
func (c *Capture) Close() error { return nil }

// LocalAddr implements net.Conn.
func (c *Capture) LocalAddr() net.Addr { return nil }

// RemoteAddr implements net.Conn.
func (c *Capture) RemoteAddr() net.Addr { return nil }

// SetDeadline implements net.Conn.
func (c *Capture) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements net.Conn.
func (c *Capture) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements net.Conn.
func (c *Capture) SetWriteDeadline(time.Time) error { return nil }
