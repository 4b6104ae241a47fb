package impair

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// echo is the target: it sends back what comes, and counts connections.
func echo(t *testing.T) (string, *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	var n atomic.Int64
	go func() { // ends with the listener
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			n.Add(1)
			go func() { // ends with the connection
				defer c.Close()
				if _, err := io.Copy(c, c); err != nil {
					c.(*net.TCPConn).SetLinger(0)
				}
			}()
		}
	}()
	return l.Addr().String(), &n
}

func start(t *testing.T) (*Proxy, *atomic.Int64) {
	t.Helper()
	target, n := echo(t)
	p, err := New(Config{Target: target, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return p, n
}

func connect(t *testing.T, p *Proxy) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(20 * time.Second))
	t.Cleanup(func() { c.Close() })
	return c.(*net.TCPConn)
}

// round sends n bytes and their FIN, and gives what came back.
func round(c *net.TCPConn, n int) (got []byte, err error) {
	go func() { // ends with the connection
		c.Write(payload(n))
		c.CloseWrite()
	}()
	return io.ReadAll(c)
}

func payload(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * 7)
	}
	return b
}

func TestShapesLoseNothing(t *testing.T) {
	t.Parallel()
	for _, s := range []Shape{
		{}, {Pieces: 3}, {Delay: 20 * time.Millisecond, Jitter: 10 * time.Millisecond}, {Rate: 500_000}, {Delay: time.Millisecond, Pieces: 100, Rate: 1 << 20},
	} {
		p, _ := start(t)
		p.Set(s)
		begin := time.Now()
		got, err := round(connect(t, p), 50_000)
		if err != nil || !bytes.Equal(got, payload(50_000)) {
			t.Errorf("%+v: %d bytes, %v", s, len(got), err)
		}
		least := 2 * s.Delay
		if s.Rate > 0 {
			least += time.Duration(40_000) * time.Second / time.Duration(s.Rate)
		}
		if d := time.Since(begin); d < least {
			t.Errorf("%+v: took %s, at least %s expected", s, d, least)
		}
	}
}

func TestTraps(t *testing.T) {
	t.Parallel()
	flipped := payload(10_000)
	flipped[5000] ^= 1
	for _, test := range []struct {
		trap Trap
		want []byte
		ends func(error) bool
	}{
		{Trap{Down, 5000, Reset}, payload(5000), func(err error) bool { return errors.Is(err, syscall.ECONNRESET) }},
		{Trap{Down, 5000, HalfClose}, payload(5000), func(err error) bool { return err == nil }},
		{Trap{Down, 5000, Flip}, flipped, func(err error) bool { return err == nil }},
		{Trap{Up, 5000, Stall}, payload(5000), func(err error) bool {
			var ne net.Error
			return errors.As(err, &ne) && ne.Timeout()
		}},
	} {
		p, _ := start(t)
		p.Traps(func(n int) []Trap {
			if n == 1 {
				return []Trap{test.trap}
			}
			return nil
		})
		if got, err := round(connect(t, p), 10_000); err != nil || len(got) != 10_000 {
			t.Errorf("before the trap: %d bytes, %v", len(got), err)
		}
		c := connect(t, p)
		if test.trap.Action == Stall {
			c.SetDeadline(time.Now().Add(300 * time.Millisecond))
		}
		got, err := round(c, 10_000)
		// A reset may overtake bytes that came before it.
		if test.trap.Action == Reset {
			test.want = test.want[:min(len(got), len(test.want))]
		}
		if !bytes.Equal(got, test.want) || !test.ends(err) {
			t.Errorf("%+v: %d bytes, %v", test.trap, len(got), err)
		}
	}
}

func TestHoleAndCut(t *testing.T) {
	t.Parallel()
	p, _ := start(t)
	old := connect(t, p)
	old.Write([]byte("a"))
	one := make([]byte, 1)
	if _, err := io.ReadFull(old, one); err != nil {
		t.Fatal(err)
	}
	p.Hole(true)
	old.Write([]byte("b"))
	old.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if n, err := old.Read(one); err == nil {
		t.Errorf("%d bytes out of the hole", n)
	}
	p.Heal()
	old.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.ReadFull(old, one); err != nil || one[0] != 'b' {
		t.Errorf("after healing: %q, %v", one, err)
	}
	if n := p.Cut(func(c *Conn) bool { return string(c.Head()) == "ab" }); n != 1 {
		t.Errorf("%d connections cut", n)
	}
	if _, err := old.Read(one); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("after the cut: %v", err)
	}
	p.Refuse(true)
	c, err := net.Dial("tcp", p.Addr()) // sees the reset already where that is fast
	if err == nil {
		defer c.Close()
		_, err = c.Read(one)
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("refused: %v", err)
	}
}

func TestDouble(t *testing.T) {
	t.Parallel()
	p, n := start(t)
	p.Double(true)
	got, err := round(connect(t, p), 1000)
	if err != nil || !bytes.Equal(got, payload(1000)) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if n.Load() != 2 {
		t.Errorf("%d connections at the target, want 2", n.Load())
	}
}
