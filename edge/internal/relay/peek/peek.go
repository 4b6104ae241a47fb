// Package peek reads the first bytes of a connection without answering it: the
// first TLS ClientHello, or the one byte that says that it is none.
//
// Shapes: a Conn is the connection with what was read put back in front of it.
//
// Units and limits: wire.MaxPeek bytes; the time limit is the deadline that the
// caller has set.
//
// Source: protocol rule 13; RFC 8446 sections 4.1.2 and 5.1.
package peek

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/sallyport/sallyport/wire"
)

const (
	recordHeader    = 5
	recordHandshake = 0x16
)

// ErrTooLong: no ClientHello within wire.MaxPeek bytes.
var ErrTooLong = errors.New("ClientHello too long")

// errSeen stops the handshake once the ClientHello has been read.
var errSeen = errors.New("ClientHello seen")

// Hello is what a first ClientHello says of where it wants to go.
type Hello struct {
	// Plain is true where the first byte is not that of a TLS handshake; then
	// nothing else is known.
	Plain      bool
	ServerName string
	ALPN       []string
}

// Conn is a connection whose first bytes were read: Read gives them again.
type Conn struct {
	net.Conn
	Hello Hello
	raw   []byte // all that was read
	at    int    // how much of raw Read has given again; kept by its reader
}

// New reads the first bytes of c. It writes nothing, whatever it reads.
func New(c net.Conn) (*Conn, error) {
	p := &Conn{Conn: c}
	if err := p.peek(); err != nil {
		return nil, err
	}
	return p, nil
}

func (c *Conn) peek() error {
	rec := &recorder{Conn: c.Conn}
	var first [1]byte
	if _, err := io.ReadFull(rec, first[:]); err != nil {
		return fmt.Errorf("read first byte: %w", err)
	}
	if first[0] != recordHandshake {
		c.Hello.Plain, c.raw = true, rec.raw
		return nil
	}
	rec.again = 1
	err := tls.Server(rec, &tls.Config{
		GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
			c.Hello.ServerName, c.Hello.ALPN = h.ServerName, h.SupportedProtos
			return nil, errSeen
		},
	}).HandshakeContext(context.Background())
	if !errors.Is(err, errSeen) {
		return fmt.Errorf("read ClientHello: %w", err)
	}
	c.raw = rec.raw
	return nil
}

// Raw is everything that was read from the connection, at least the ClientHello.
func (c *Conn) Raw() []byte { return c.raw }

// Single says whether exactly one TLS record was read, and nothing after it.
func (c *Conn) Single() bool {
	return len(c.raw) > recordHeader &&
		len(c.raw) == recordHeader+int(binary.BigEndian.Uint16(c.raw[recordHeader-2:]))
}

// NetConn is the connection itself.
func (c *Conn) NetConn() net.Conn { return c.Conn }

// Read gives what was peeked at, then what follows.
func (c *Conn) Read(p []byte) (int, error) {
	if c.at < len(c.raw) {
		n := copy(p, c.raw[c.at:])
		c.at += n
		if c.at == len(c.raw) {
			c.raw, c.at = nil, 0 // an idle link is to hold nothing
		}
		return n, nil
	}
	return c.Conn.Read(p)
}

// recorder keeps what is read and swallows what is written: the alert that an
// aborted handshake sends must not reach the peer.
type recorder struct {
	net.Conn
	raw   []byte
	again int // bytes at the front of raw that are still to be given once more
}

func (r *recorder) Read(p []byte) (int, error) {
	if r.again > 0 {
		n := copy(p, r.raw[len(r.raw)-r.again:])
		r.again -= n
		return n, nil
	}
	room := wire.MaxPeek - len(r.raw)
	if room <= 0 {
		return 0, ErrTooLong
	}
	n, err := r.Conn.Read(p[:min(len(p), room)])
	r.raw = append(r.raw, p[:n]...)
	return n, err
}

func (r *recorder) Write(p []byte) (int, error) { return len(p), nil }

func (r *recorder) Close() error { return nil }
