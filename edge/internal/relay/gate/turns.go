package gate

import (
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Turns lets few TLS handshakes compute at a time, and in a crowd rest as long as they
// computed, so that a thousand daemons that come back at once do not stand in the way of
// what lives. A handshake that waits for its peer holds no turn: who stalls keeps
// nobody. Addresses take their turns one after another, so that one that brings a
// thousand handshakes makes others wait for one of them, not for all; and every other
// turn is for an address that had none waiting, so that one that comes alone passes a
// thousand addresses that bring many.
type Turns struct {
	mu    sync.Mutex
	free  int
	lines map[netip.Prefix]*line
	// Those that wait, each once, in one of two queues: fresh has those of which no
	// handshake had a turn yet, served the others.
	fresh, served []*line
	wasFresh      bool // who had the last turn
}

// line is the handshakes of one address that wait, the oldest first.
type line struct {
	prefix  netip.Prefix
	waiting []chan struct{}
}

// NewTurns lets n compute at a time.
func NewTurns(n int) *Turns {
	return &Turns{free: max(1, n), lines: make(map[netip.Prefix]*line)}
}

// Begin waits for a turn of an address. The connection that it gives is to be
// used for the handshake; call its Finish after that.
func (t *Turns) Begin(c net.Conn, addr netip.Addr, deadline time.Time) *Handshake {
	h := &Handshake{Conn: c, turns: t, prefix: PrefixOf(addr), deadline: deadline}
	h.began = t.take(h.prefix)
	return h
}

// take waits for a turn, and says when it began.
func (t *Turns) take(prefix netip.Prefix) time.Time {
	t.mu.Lock()
	if t.free > 0 {
		t.free--
		t.mu.Unlock()
		return time.Now()
	}
	l := t.lines[prefix]
	if l == nil {
		l = &line{prefix: prefix}
		t.lines[prefix], t.fresh = l, append(t.fresh, l)
	}
	turn := make(chan struct{})
	l.waiting = append(l.waiting, turn)
	t.mu.Unlock()
	<-turn
	return time.Now()
}

// maxRest bounds the rest after a turn, whose length is also that of what else the
// machine did meanwhile.
const maxRest = 2 * time.Millisecond

// give passes a turn on that began at a time: in a crowd after a rest.
func (t *Turns) give(began time.Time) {
	t.mu.Lock()
	crowd := len(t.lines) > 0
	if !crowd {
		t.free++
	}
	t.mu.Unlock()
	if crowd {
		time.AfterFunc(min(time.Since(began), maxRest), t.pass)
	}
}

// pass gives a turn to who waits.
func (t *Turns) pass() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.lines) == 0 {
		t.free++
		return
	}
	queue := &t.served
	if len(t.served) == 0 || len(t.fresh) > 0 && !t.wasFresh {
		queue = &t.fresh
	}
	t.wasFresh = queue == &t.fresh
	l := (*queue)[0]
	*queue = (*queue)[1:]
	close(l.waiting[0])
	l.waiting = l.waiting[1:]
	if len(l.waiting) > 0 {
		t.served = append(t.served, l)
	} else {
		delete(t.lines, l.prefix)
	}
}

// Handshake is a connection whose reading gives the turn up while it waits.
type Handshake struct {
	net.Conn
	turns    *Turns
	prefix   netip.Prefix
	deadline time.Time
	began    time.Time // of the turn that it has
	finished atomic.Bool
}

// Read waits for the peer without a turn, and then for a turn.
func (h *Handshake) Read(p []byte) (int, error) {
	if h.finished.Load() {
		return h.Conn.Read(p)
	}
	h.turns.give(h.began)
	n, err := h.Conn.Read(p)
	h.began = h.turns.take(h.prefix)
	if err == nil && time.Now().After(h.deadline) {
		return 0, os.ErrDeadlineExceeded // not worth computing any more
	}
	return n, err
}

// Finish gives the turn back for good.
func (h *Handshake) Finish() {
	if !h.finished.Swap(true) {
		h.turns.give(h.began)
	}
}
