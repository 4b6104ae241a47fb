//go:build linux

package portal

import (
	"bytes"
	"context"
	"net"
	"sync"
)

// Trick is what a Middle does with a connection. It returns when that is over;
// the connection is closed then.
type Trick func(ctx context.Context, c *Conn)

// Middle is a listener with its connections.
type Middle struct {
	listener net.Listener
	wg       sync.WaitGroup

	mu    sync.Mutex
	trick Trick
	conns map[*Conn]bool
	turns int // how often it was turned
	heard Heard
}

// Heard is what a Middle was told since it was turned.
type Heard struct {
	// Conns counts connections.
	Conns int
	// Bytes is all that came, inside of TLS that it ended too, but for the
	// credentials of CONNECT.
	Bytes []byte
	// Shown is the last credentials that CONNECT was asked with.
	Shown string
	// Devices counts the certificates of devices that it was shown.
	Devices int
}

// Has says whether a secret is in what came.
func (h Heard) Has(secret string) bool { return bytes.Contains(h.Bytes, []byte(secret)) }

// New makes a Middle that takes the listener over; it starts nothing.
func New(l net.Listener, first Trick) *Middle {
	return &Middle{listener: l, trick: first, conns: map[*Conn]bool{}}
}

// Addr is where it listens.
func (m *Middle) Addr() string { return m.listener.Addr().String() }

// Turn makes it do something else from now on: what is open is reset, and what
// was heard is forgotten.
func (m *Middle) Turn(t Trick) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.trick, m.heard = t, Heard{}
	m.turns++
	m.resetLocked()
}

func (m *Middle) resetLocked() {
	for c := range m.conns {
		c.tcp.SetLinger(0)
		c.tcp.Close()
	}
}

// Heard gives what came.
func (m *Middle) Heard() Heard {
	m.mu.Lock()
	defer m.mu.Unlock()
	h := m.heard
	h.Bytes = bytes.Clone(h.Bytes)
	return h
}

// Run serves until ctx ends; it resets what is left and joins it.
func (m *Middle) Run(ctx context.Context) {
	defer m.wg.Wait()
	stop := context.AfterFunc(ctx, func() {
		m.listener.Close()
		m.mu.Lock()
		defer m.mu.Unlock()
		m.resetLocked()
	})
	defer stop()
	for {
		raw, err := m.listener.Accept()
		if err != nil {
			return
		}
		m.wg.Go(func() { m.take(ctx, raw.(*net.TCPConn)) })
	}
}

func (m *Middle) take(ctx context.Context, raw *net.TCPConn) {
	m.mu.Lock()
	c := &Conn{Conn: raw, tcp: raw, middle: m, turn: m.turns}
	trick := m.trick
	m.conns[c] = true
	m.heard.Conns++
	m.mu.Unlock()
	defer func() {
		raw.Close()
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.conns, c)
	}()
	if ctx.Err() == nil { // else it came after what is left was reset
		trick(ctx, c)
	}
}

// Conn is one connection; what is read of it is kept.
type Conn struct {
	net.Conn
	tcp    *net.TCPConn
	middle *Middle
	turn   int // that it came in
}

// Read keeps what it reads.
func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.note(func(h *Heard) { h.Bytes = append(h.Bytes, p[:n]...) })
	return n, err
}

// note keeps something, unless the Middle was turned since.
func (c *Conn) note(f func(*Heard)) {
	c.middle.mu.Lock()
	defer c.middle.mu.Unlock()
	if c.turn == c.middle.turns {
		f(&c.middle.heard)
	}
}

// inside is the same connection where TLS ends.
func (c *Conn) inside(tls net.Conn) *Conn { return &Conn{tls, c.tcp, c.middle, c.turn} }
