package link

import (
	"errors"
	"io"
	"testing"
	"time"

	"github.com/sallyport/sallyport/daemon/internal/link/linktest"
	"github.com/sallyport/sallyport/wire"
)

// A stream that has ended while it was parked ends at the client with the reason, once
// and for all, and those beside it go on undisturbed.
func TestEndWhileParkedIsHeard(t *testing.T) {
	t.Parallel()
	for _, code := range []wire.Code{wire.CodeReset, wire.CodeClosed, wire.CodeDenied} {
		t.Run(string(code), func(t *testing.T) {
			t.Parallel()
			dead := make(chan wire.StreamID, 1)
			l := newLanes(t, nil, func(c *linktest.Conn, _ uint32, m wire.Message) bool {
				if m, ok := m.(*wire.Resume); ok {
					id := <-dead
					c.Send(&wire.Denied{Trunk: m.Trunk, Stream: id, Reason: wire.Reason{Code: code, Text: "the stream has ended"}})
				}
				return false // the other one is granted
			})
			over, err := l.Open(t.Context(), linktest.Hostname)
			if err != nil {
				t.Fatal(err)
			}
			live, err := l.Open(t.Context(), linktest.Hostname)
			if err != nil {
				t.Fatal(err)
			}
			echoed := func(s *wire.Stream) {
				t.Helper()
				if _, err := s.Write([]byte("x")); err != nil {
					t.Fatal(err)
				}
				if _, err := io.ReadFull(s, make([]byte, 1)); err != nil {
					t.Fatal(err)
				}
			}
			echoed(over)
			echoed(live)
			dead <- over.ID()
			l.edge.CloseTrunks()
			over.SetReadDeadline(time.Now().Add(4 * time.Second)) // less than until a denial that passes is tried again
			_, err = over.Read(make([]byte, 1))
			var r *wire.Reason
			if !errors.As(err, &r) || r.Code != code {
				t.Errorf("the stream that is over reads %v", err)
			}
			echoed(live)
			if n := l.edge.Tickets(); n != 2 {
				t.Errorf("%d trunks, want the first and its successor", n)
			}
		})
	}
}

// A program that tries again without a pause asks for tickets, and opens streams, no
// faster than the edge lets a whole session do in vain.
func TestVainTriesAreSlow(t *testing.T) {
	t.Parallel()
	e := linktest.New(t) // no host
	tl := start(t, e, func(c *Config) { c.Timing.Settle = time.Nanosecond })
	began := time.Now()
	const tries = 15
	for range tries {
		if _, err := tl.Open(t.Context(), linktest.Hostname); err == nil {
			t.Fatal("opened without a host")
		}
	}
	if took := time.Since(began); took < 600*time.Millisecond {
		t.Errorf("%d tickets in vain within %v", tries, took)
	}
}
