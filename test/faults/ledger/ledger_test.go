package ledger

import (
	"bytes"
	"context"
	"io"
	"net"
	"slices"
	"testing"
	"time"
)

func TestWordsLeadBack(t *testing.T) {
	t.Parallel()
	for _, s := range []sequence{{1, 0, Up}, {1, 1<<maxStreamBits - 1, Down}, {^uint64(0), 77, Up}} {
		for _, n := range []uint64{0, 1, 12345, 1<<numberBits - 2} {
			if got, at := origin(s.seed, s.word(n)); got != s || at != n {
				t.Errorf("word %d of %v leads to %d of %v", n, s, at, got)
			}
		}
	}
}

func bytesOf(s sequence, from, to uint64) []byte {
	b := make([]byte, to-from)
	s.fill(b, from)
	return b
}

// TestFaultsAreToldApart plants one fault of each kind, and wants it counted as
// what it is, whatever the sizes of the reads.
func TestFaultsAreToldApart(t *testing.T) {
	t.Parallel()
	own := sequence{42, 7, Up}
	of := func(from, to uint64) []byte { return bytesOf(own, from, to) }
	flipped := of(0, 5000)
	flipped[2003] ^= 1
	for _, test := range []struct {
		name     string
		came     [][]byte
		want     Faults
		received uint64
	}{
		{"nothing", [][]byte{of(0, 5000)}, Faults{}, 5000},
		{"lost", [][]byte{of(0, 1003), of(1303, 5000)}, Faults{Lost: 300}, 4700},
		{"doubled", [][]byte{of(0, 2005), of(1001, 5000)}, Faults{Doubled: 1004}, 5000},
		{"reordered", [][]byte{of(0, 1000), of(2003, 3007), of(1000, 2003), of(3007, 5000)}, Faults{Reordered: 1003}, 5000},
		{"another stream", [][]byte{of(0, 1000), bytesOf(sequence{42, 8, Up}, 500, 900), of(1000, 5000)}, Faults{Crossed: 400}, 5000},
		{"the other direction", [][]byte{of(0, 1000), bytesOf(sequence{42, 7, Down}, 3, 903), of(1000, 5000)}, Faults{Crossed: 900}, 5000},
		{"a flipped bit", [][]byte{flipped}, Faults{Corrupt: 1}, 5000},
		{"bytes of nobody", [][]byte{of(0, 1000), make([]byte, 20), of(1000, 5000)}, Faults{Corrupt: 20}, 5000},
		{"the end is missing", [][]byte{of(0, 4000)}, Faults{}, 4000},
	} {
		for _, size := range []int{1, 7, 64, 1000, 5000} {
			c := newChecker(own)
			for p := range slices.Chunk(slices.Concat(test.came...), size) {
				c.write(bytes.Clone(p))
			}
			if n, f := c.end(); f != test.want || n != test.received {
				t.Errorf("%s, %d bytes a read: %d bytes, %+v; want %d, %+v", test.name, size, n, f, test.received, test.want)
			}
		}
	}
}

// pair serves a ledger on loopback and gives how to reach it.
func pair(t *testing.T) (*Server, Dial) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Patience: time.Minute}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s, func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", l.Addr().String())
	}
}

func settle(t *testing.T, s *Server, c *Client, directions int) Tally {
	t.Helper()
	for {
		tally := Sum(s.Entries(), c.Entries())
		if n := len(s.Entries()) + len(c.Entries()); n == directions && tally.Open == 0 {
			return tally
		}
		select {
		case <-t.Context().Done():
			t.Fatal("streams never end")
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func TestAllKinds(t *testing.T) {
	t.Parallel()
	s, dial := pair(t)
	var c Client
	plans := Mixed(1, 1, 16, 1<<20, 50*time.Millisecond)
	for i := range 4 {
		plans = append(plans, Plan{Seed: 1, Stream: uint32(100 + i), Kind: Reset, Up: 100_000})
	}
	plans = append(plans, Ending(1, 200, 8, 100*time.Millisecond)...)
	if err := c.RunAll(t.Context(), dial, plans, time.Minute); err != nil {
		t.Fatal(err)
	}
	tally := settle(t, s, &c, 2*16+4+2+2+4*2)
	if err := tally.Broken(); err != nil || tally.Survived != 28 || tally.Streams != 28 {
		t.Errorf("%+v: %v", tally, err)
	}
}

// TestLiesAreSeen cuts connections half way, once with a FIN and once with a
// reset: the one is a lie, the other an honest loss.
func TestLiesAreSeen(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		linger      int
		lied, reset int
	}{{-1, 2, 0}, {0, 0, 1}} {
		s, dial := pair(t)
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go func() { // ends with its connections
			a, _ := l.Accept()
			b, _ := dial(context.Background())
			go io.Copy(a, b)
			io.CopyN(b, a, 50_000)
			for _, c := range []net.Conn{a, b} {
				c.(*net.TCPConn).SetReadBuffer(0)
				c.(*net.TCPConn).SetLinger(test.linger)
				if test.linger < 0 {
					c.(*net.TCPConn).CloseWrite()
				} else {
					c.Close()
				}
			}
			if test.linger < 0 {
				go io.Copy(io.Discard, b)
				io.Copy(io.Discard, a)
				a.Close()
				b.Close()
			}
		}()
		var c Client
		c.Run(t.Context(), func(ctx context.Context) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", l.Addr().String())
		}, Plan{Seed: 1, Stream: 1, Kind: Bulk, Up: 1 << 20, Down: 0, Lasts: 100 * time.Millisecond}, 10*time.Second)
		tally := settle(t, s, &c, 2)
		if (tally.Lied > 0) != (test.lied > 0) || tally.Reset != test.reset || tally.Survived != 0 {
			t.Errorf("linger %d: %+v", test.linger, tally)
		}
	}
}
