package link

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/daemon/internal/link/linktest"
	"github.com/sallyport/sallyport/wire"
)

// After a change of this machine's network a link that does not answer is given
// up, and a new one made at once; one that answers stays.
func TestWakeReplacesAMuteLink(t *testing.T) {
	t.Parallel()
	e := linktest.New(t)
	through := newRelay(t, e.Addr())
	tl := start(t, e, func(c *Config) {
		c.Edge.Address = through.addr
		c.Timing = Timing{RetryFirst: time.Hour, RetryMin: time.Hour, RetryMax: time.Hour}
	})
	first := tl.online().Link.Since
	tl.Wake()
	through.mute()
	tl.Wake()
	tl.until("another link", func(s Snapshot) bool { return s.Link.State == api.LinkOnline && !s.Link.Since.Equal(first) })
}

// After a change of this machine's network a trunk that does not answer is lost as
// soon as a link is, and its streams go on with another; one that answers stays.
func TestWakeLosesAMuteTrunk(t *testing.T) {
	t.Parallel()
	var through *relay
	var tickets atomic.Int32
	l := newLanes(t, func(c *Config) {
		through = newRelay(t, c.Edge.Address)
		c.Edge.Address = through.addr
	}, func(_ *linktest.Conn, _ uint32, m wire.Message) bool {
		if _, ok := m.(*wire.TicketRequest); ok {
			tickets.Add(1)
		}
		return false
	})
	l.online()
	s, err := l.Open(t.Context(), linktest.Hostname)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	say := func(within time.Duration) {
		t.Helper()
		s.SetDeadline(time.Now().Add(within))
		if _, err := s.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(s, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	say(20 * time.Second)
	l.Wake()
	<-time.After(wire.ProbeTime + 500*time.Millisecond)
	if n := tickets.Load(); n != 1 {
		t.Errorf("%d tickets, want one: a trunk that lives was replaced", n)
	}
	through.mute()
	l.Wake()
	say(wire.DeadAfter - 3*time.Second) // without a probe it is dead after 10 s
}

// An attempt that hangs when this machine's network changes is given up, however
// young it was; that it was says nothing of the edge.
func TestWakeGivesUpAHangingAttempt(t *testing.T) {
	t.Parallel()
	e := linktest.New(t)
	through := newRelay(t, e.Addr())
	through.now.Store(true)
	tl := start(t, e, func(c *Config) {
		c.Edge.Address = through.addr
		c.Timing = Timing{Dial: time.Hour, RetryFirst: time.Hour, RetryMin: time.Hour, RetryMax: time.Hour}
	})
	<-through.took
	through.mute()
	tl.Wake()
	tl.until("no problem, then a link", func(s Snapshot) bool {
		if s.Link.Problem != nil {
			t.Fatalf("problem %+v", s.Link.Problem)
		}
		return s.Link.State == api.LinkOnline
	})
}

// relay passes bytes on to an edge, until it is mute for the connections it has.
type relay struct {
	addr string
	mu   sync.Mutex
	now  *atomic.Bool  // of the connections of now
	took chan struct{} // each connection, as far as there is room
}

func newRelay(t *testing.T, edge string) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(func() { l.Close(); wg.Wait() })
	r := &relay{addr: l.Addr().String(), now: new(atomic.Bool), took: make(chan struct{}, 1)}
	wg.Go(func() {
		for {
			a, err := l.Accept()
			if err != nil {
				return
			}
			b, err := net.Dial("tcp", edge)
			if err != nil {
				a.Close()
				continue
			}
			r.mu.Lock()
			mute := r.now
			r.mu.Unlock()
			wg.Go(func() { pass(a, b, mute) })
			wg.Go(func() { pass(b, a, mute) })
			signal(r.took)
		}
	})
	return r
}

func (r *relay) mute() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now.Store(true)
	r.now = new(atomic.Bool)
}

func pass(from, to net.Conn, mute *atomic.Bool) {
	defer to.Close()
	buf := make([]byte, 4096)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		if !mute.Load() {
			to.Write(buf[:n])
		}
	}
}
