package gate

import (
	"net"
	"os"
	"sync/atomic"
	"time"
)

// Turns lets few TLS handshakes compute at a time, so that a thousand daemons
// that come back at once do not stand in the way of what lives. A handshake that
// waits for its peer holds no turn: who stalls keeps nobody.
type Turns struct{ free chan struct{} }

// NewTurns lets n compute at a time.
func NewTurns(n int) *Turns { return &Turns{free: make(chan struct{}, max(1, n))} }

// Begin waits for a turn. The connection that it gives is to be used for the
// handshake; call its Finish after that.
func (t *Turns) Begin(c net.Conn, deadline time.Time) *Handshake {
	h := &Handshake{Conn: c, turns: t, deadline: deadline}
	t.free <- struct{}{}
	return h
}

// Handshake is a connection whose reading gives the turn up while it waits.
type Handshake struct {
	net.Conn
	turns    *Turns
	deadline time.Time
	finished atomic.Bool
}

// Read waits for the peer without a turn, and then for a turn.
func (h *Handshake) Read(p []byte) (int, error) {
	if h.finished.Load() {
		return h.Conn.Read(p)
	}
	<-h.turns.free
	n, err := h.Conn.Read(p)
	h.turns.free <- struct{}{}
	if err == nil && time.Now().After(h.deadline) {
		return 0, os.ErrDeadlineExceeded // not worth computing any more
	}
	return n, err
}

// Finish gives the turn back for good.
func (h *Handshake) Finish() {
	if !h.finished.Swap(true) {
		<-h.turns.free
	}
}
