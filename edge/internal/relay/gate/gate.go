// Package gate bounds the connections that have not said yet, or not shown, what
// they are.
//
// Concurrency: all methods may be called from any goroutine. Gate never blocks; Turns and
// Pace.Await do, as they say.
package gate

import (
	"container/list"
	"net"
	"net/netip"
	"sync"

	"github.com/sallyport/sallyport/edge/internal/relay/splice"
)

// Gate holds connections before their admission. Where it is full the oldest of them is dropped, first of the same
// address: whoever stalls is the oldest, an honest handshake is not.
type Gate struct {
	total, perAddress int
	culled            func()

	mu    sync.Mutex
	order *list.List // of *Slot, the oldest first
	from  map[netip.Prefix]*list.List
}

// Slot is one connection in the gate.
type Slot struct {
	gate   *Gate
	Conn   net.Conn
	prefix netip.Prefix
	// inOrder and inFrom are nil once it has left; guarded by gate.mu.
	inOrder, inFrom *list.Element
}

const (
	// MaxTotal bounds memory: a stalled handshake holds some 20 KiB.
	MaxTotal = 16 << 10
	// MaxAddress leaves room for an organisation behind one address.
	MaxAddress = 1 << 10
)

// New makes an empty gate; culled is told of every connection that was dropped.
func New(total, perAddress int, culled func()) *Gate {
	return &Gate{
		total: total, perAddress: perAddress, culled: culled,
		order: list.New(), from: make(map[netip.Prefix]*list.List),
	}
}

// PrefixOf is what counts as one address: an IPv4 address, an IPv6 /64.
func PrefixOf(addr netip.Addr) netip.Prefix {
	bits := 32
	if addr.Is6() {
		bits = 64
	}
	p, err := addr.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// Enter takes a connection in; where the gate is full another is dropped.
func (g *Gate) Enter(conn net.Conn, addr netip.Addr) *Slot {
	s := &Slot{gate: g, Conn: conn, prefix: PrefixOf(addr)}
	g.mu.Lock()
	same := g.from[s.prefix]
	if same == nil {
		same = list.New()
		g.from[s.prefix] = same
	}
	var drop *Slot
	switch {
	case same.Len() >= g.perAddress:
		drop = same.Front().Value.(*Slot)
	case g.order.Len() >= g.total:
		drop = g.order.Front().Value.(*Slot)
	}
	if drop != nil {
		drop.leaveLocked()
	}
	s.inOrder = g.order.PushBack(s)
	s.inFrom = same.PushBack(s)
	g.from[s.prefix] = same // leaving may have emptied and dropped it
	g.mu.Unlock()
	if drop != nil {
		splice.Reset(drop.Conn)
		g.culled()
	}
	return s
}

// Leave takes the connection out of the gate; more than once is no error.
func (s *Slot) Leave() {
	s.gate.mu.Lock()
	defer s.gate.mu.Unlock()
	s.leaveLocked()
}

func (s *Slot) leaveLocked() {
	if s.inOrder == nil {
		return
	}
	s.gate.order.Remove(s.inOrder)
	same := s.gate.from[s.prefix]
	same.Remove(s.inFrom)
	if same.Len() == 0 {
		delete(s.gate.from, s.prefix)
	}
	s.inOrder, s.inFrom = nil, nil
}
