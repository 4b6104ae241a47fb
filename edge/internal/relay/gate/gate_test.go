package gate

import (
	"net"
	"net/netip"
	"testing"
)

// conn knows whether it was closed.
type conn struct {
	net.Conn
	closed bool
}

func (c *conn) Close() error { c.closed = true; return nil }

func TestTheOldestIsDropped(t *testing.T) {
	t.Parallel()
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	tests := []struct {
		name  string
		total int
		from  []netip.Addr
		leave []int // who has left before the last one comes
		drop  int   // index of the one dropped, -1 for none
	}{
		{"room", 9, []netip.Addr{a, a}, nil, -1},
		{"address full", 9, []netip.Addr{b, a, a, a}, nil, 1},
		{"who left is not dropped", 9, []netip.Addr{a, a, a}, []int{0}, -1},
		{"all full", 2, []netip.Addr{a, b, b}, nil, 0},
		{"address before all", 3, []netip.Addr{b, a, a, a}, nil, 1},
		{"same /64", 9, []netip.Addr{
			netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2"), netip.MustParseAddr("2001:db8::3"),
		}, nil, 0},
		{"other /64", 9, []netip.Addr{
			netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8:0:1::2"), netip.MustParseAddr("2001:db8:0:2::3"),
		}, nil, -1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			culled := 0
			g := New(tt.total, 2, func() { culled++ })
			var conns []*conn
			var slots []*Slot
			for i, addr := range tt.from {
				if i == len(tt.from)-1 {
					for _, j := range tt.leave {
						slots[j].Leave()
					}
				}
				c := &conn{}
				conns = append(conns, c)
				slots = append(slots, g.Enter(c, addr))
			}
			for i, c := range conns {
				if c.closed != (i == tt.drop) {
					t.Errorf("connection %d closed: %v", i, c.closed)
				}
			}
			if want := min(1, tt.drop+1); culled != want {
				t.Errorf("culled %d, want %d", culled, want)
			}
			for _, s := range slots {
				s.Leave()
				s.Leave()
			}
			if g.order.Len() != 0 || len(g.from) != 0 {
				t.Errorf("left behind: %d, %d", g.order.Len(), len(g.from))
			}
		})
	}
}
