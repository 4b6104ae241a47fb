package link

import (
	"bytes"
	"context"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/daemon/internal/link/linktest"
	"github.com/sallyport/sallyport/wire"
)

// lanes is a client whose streams may go on elsewhere, and a host that lets them.
type lanes struct {
	*testLink
	edge    *linktest.Edge
	asked   chan *wire.TicketRequest // for lanes
	resumed chan *wire.Resume
}

func newLanes(t *testing.T, change func(*Config), handle func(*linktest.Conn, uint32, wire.Message) bool) *lanes {
	t.Helper()
	e := linktest.New(t)
	e.ResumeMS = 60_000
	l := &lanes{edge: e, asked: make(chan *wire.TicketRequest, 64), resumed: make(chan *wire.Resume, 64)}
	e.Handle = func(c *linktest.Conn, req uint32, m wire.Message) bool {
		switch m := m.(type) {
		case *wire.TicketRequest:
			if m.Carrier == wire.CarrierLane {
				l.asked <- m
			}
		case *wire.Resume:
			l.resumed <- m
		}
		return handle != nil && handle(c, req, m)
	}
	var mu sync.Mutex
	held := make(map[wire.StreamID]*wire.Stream)
	linktest.NewPeer(t, e, wire.RoleHost).Host(func(tr *wire.Trunk, s *wire.Stream) {
		mu.Lock()
		old := held[s.ID()]
		if old == nil {
			held[s.ID()] = s
		}
		mu.Unlock()
		if old == nil {
			linktest.Echo(tr, s)
		} else if err := old.GoOn(s); err != nil {
			t.Errorf("go on: %v", err)
		}
	})
	l.testLink = start(t, e, func(c *Config) {
		c.ResumeWindow = time.Minute
		if change != nil {
			change(c)
		}
	})
	return l
}

// pour echoes pieces on a stream until stop says so, and checks every byte.
func pour(t *testing.T, s *wire.Stream, stop func() bool) {
	t.Helper()
	piece, got := make([]byte, 128<<10), make([]byte, 128<<10)
	for n := byte(0); !stop(); n++ {
		for i := range piece {
			piece[i] = n + byte(i)
		}
		go s.Write(piece)
		if _, err := io.ReadFull(s, got); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, piece) {
			t.Fatal("other bytes came back")
		}
	}
}

// came says, for pour, that something came.
func came[T any](c <-chan T, at *T) func() bool {
	return func() bool {
		select {
		case *at = <-c:
			return true
		default:
			return false
		}
	}
}

// A stream that carries much gets a lane of its own, without that its ends notice;
// when it is quiet it goes back to the trunk.
func TestBulkMovesToALaneAndBack(t *testing.T) {
	t.Parallel()
	l := newLanes(t, func(c *Config) { c.Timing.LaneQuiet = 50 * time.Millisecond }, nil)
	s, err := l.Open(t.Context(), linktest.Hostname)
	if err != nil {
		t.Fatal(err)
	}
	trunk := l.edge.Trunks()[0]
	var to, back *wire.Resume
	pour(t, s, came(l.resumed, &to))
	if len(to.Streams) != 1 || to.Streams[0].Stream != s.ID() || to.Streams[0].From != trunk || to.Trunk == trunk {
		t.Errorf("moved by %+v", to)
	}
	if ask := <-l.asked; ask.Host == nil || ask.Host.BootID != "peer" || ask.Hostname != linktest.Hostname {
		t.Errorf("asked for %+v", ask)
	}
	select {
	case back = <-l.resumed:
	case <-time.After(20 * time.Second):
		t.Fatal("the stream stays on its lane")
	}
	if back.Trunk != trunk || back.Streams[0].Stream != s.ID() || back.Streams[0].From != to.Trunk {
		t.Errorf("moved back by %+v, lane %s, trunk %s", back, to.Trunk, trunk)
	}
	pour(t, s, came(l.resumed, &to)) // and again
	echoThrough(t, s)
	if ended := l.edge.WaitEnded(1); ended[0].Stream != s.ID() || ended[0].Code != wire.CodeClosed {
		t.Errorf("reported %+v", ended[0])
	}
}

// What is not much gets none, and whoever says that there are none is not asked
// again.
func TestNoLane(t *testing.T) {
	t.Parallel()
	l := newLanes(t, nil, func(c *linktest.Conn, req uint32, m wire.Message) bool {
		if m, ok := m.(*wire.TicketRequest); ok && m.Carrier == wire.CarrierLane {
			c.Reply(req, &wire.Failure{Reason: wire.Reason{Code: wire.CodeInvalid, Text: "this edge joins trunks only"}})
			return true
		}
		return false
	})
	open := func() *wire.Stream {
		s, err := l.Open(t.Context(), linktest.Hostname)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	n := 0
	s := open()
	pour(t, s, func() bool { n++; return n == 2 })
	echoThrough(t, s)
	if len(l.asked) > 0 {
		t.Error("a lane was asked for 128 KiB")
	}
	s = open()
	var ask *wire.TicketRequest
	pour(t, s, came(l.asked, &ask))
	n = 0
	pour(t, s, func() bool { n++; return n == 8 })
	echoThrough(t, s)
	s, n = open(), 0
	pour(t, s, func() bool { n++; return n == 64 })
	echoThrough(t, s)
	if len(l.asked)+len(l.resumed) > 0 {
		t.Errorf("%d lanes asked for, %d moves", 1+len(l.asked), len(l.resumed))
	}
	l.edge.WaitEnded(3)
}

// Parked streams wait for their host; new ones do not, since another may serve them.
func TestNewStreamsDoNotWaitForParkedOnes(t *testing.T) {
	t.Parallel()
	asked := make(chan func(), 1) // answers the first ticket to the host that is away
	first := true
	l := newLanes(t, nil, func(c *linktest.Conn, req uint32, m wire.Message) bool {
		r, ok := m.(*wire.TicketRequest)
		if !ok || r.Host == nil || !first {
			return false
		}
		first = false
		asked <- func() { c.Reply(req, &wire.Failure{Reason: wire.Reason{Code: wire.CodeNoConnector}}) }
		return true
	})
	parked, err := l.Open(t.Context(), linktest.Hostname)
	if err != nil {
		t.Fatal(err)
	}
	l.edge.CloseTrunks()
	answer := <-asked
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if s, err := l.Open(ctx, linktest.Hostname); err != nil {
		t.Error(err)
	} else {
		echoThrough(t, s)
	}
	answer()
	<-l.resumed
	echoThrough(t, parked)
}
