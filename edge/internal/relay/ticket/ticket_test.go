package ticket

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/edge/internal/relay/peek"
	"github.com/sallyport/sallyport/wire"
)

func issue(t *testing.T, table *Table, session, connector string) Ticket {
	t.Helper()
	tk, err := table.Issue(wire.NewTrunkID(), wire.CarrierTrunk, session, connector)
	if err != nil {
		t.Fatal(err)
	}
	return tk
}

func TestLabelsAreUnrelatedAndUsedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		table := New(func(Ticket, *peek.Conn, Side) {})
		tk := issue(t, table, "s", "c")
		if tk.Client == tk.Host {
			t.Error("one label for both sides")
		}
		var wins atomic.Int32
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				if _, side, ok := table.Take(tk.Host); ok {
					if side != Host {
						t.Errorf("side = %s", side)
					}
					wins.Add(1)
				}
			})
		}
		wg.Wait()
		if wins.Load() != 1 {
			t.Errorf("the label was taken %d times", wins.Load())
		}
		if _, _, ok := table.Take(wire.NewLabel()); ok {
			t.Error("an unknown label was taken")
		}
		table.Void(tk.Trunk)
	})
}

func TestJoin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		table := New(func(Ticket, *peek.Conn, Side) { t.Error("a joined ticket expired") })
		tk := issue(t, table, "s", "c")
		a, b := &peek.Conn{}, &peek.Conn{}
		if other, ok := table.Join(tk.Trunk, Client, a); !ok || other != nil {
			t.Fatalf("first Join = %v, %v", other, ok)
		}
		if other, ok := table.Join(tk.Trunk, Host, b); !ok || other != a {
			t.Fatalf("second Join = %v, %v", other, ok)
		}
		if _, ok := table.Join(tk.Trunk, Host, b); ok {
			t.Error("joined a third time")
		}
		<-time.After(2 * wire.TicketLife) // fake time: no expiry may come
		if table.Len() != 0 {
			t.Errorf("%d tickets left", table.Len())
		}
	})
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		got := make(chan *peek.Conn, 2)
		table := New(func(_ Ticket, parked *peek.Conn, _ Side) { got <- parked })
		tk := issue(t, table, "s", "c")
		table.Take(tk.Client)
		parked := &peek.Conn{}
		table.Join(tk.Trunk, Client, parked)
		<-time.After(wire.TicketLife - time.Millisecond)
		synctest.Wait()
		if len(got) != 0 {
			t.Error("expired early")
		}
		<-time.After(2 * time.Millisecond)
		synctest.Wait()
		if len(got) != 1 || <-got != parked {
			t.Error("not expired once with the connection that waited")
		}
		if _, _, ok := table.Take(tk.Host); ok {
			t.Error("a label of an expired ticket was taken")
		}
	})
}

func TestLimits(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		max     int
		session func(i int) string
	}{
		{"per session", wire.MaxHalfJoinedSession, func(int) string { return "s" }},
		{"per connector", wire.MaxHalfJoinedConnector, func(i int) string { return string(rune('a' + i)) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				table := New(func(Ticket, *peek.Conn, Side) {})
				var first Ticket
				for i := range tt.max {
					first = issue(t, table, tt.session(i), "c")
				}
				if _, err := table.Issue(wire.NewTrunkID(), wire.CarrierTrunk, tt.session(tt.max), "c"); !errors.Is(err, ErrLimit) {
					t.Fatalf("error = %v, want ErrLimit", err)
				}
				table.Void(first.Trunk)
				issue(t, table, tt.session(tt.max), "c")
				<-time.After(2 * wire.TicketLife)
				synctest.Wait()
				if len(table.sessions) != 0 || len(table.connectors) != 0 || len(table.labels) != 0 {
					t.Error("counters or labels left behind")
				}
			})
		})
	}
}
