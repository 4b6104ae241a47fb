package splice

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// connect makes two ends of a TCP connection on loopback.
func connect(tb testing.TB) (near, far *net.TCPConn) {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	d, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		tb.Fatal(err)
	}
	a, err := l.Accept()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { d.Close(); a.Close() })
	return d.(*net.TCPConn), a.(*net.TCPConn)
}

// pair joins two connections and returns their outer ends.
func pair(tb testing.TB, endTime time.Duration) (p *Pair, a, b *net.TCPConn, ended chan error) {
	tb.Helper()
	a, innerA := connect(tb)
	b, innerB := connect(tb)
	var total atomic.Uint64
	p, ended = New(innerA, innerB, &total), make(chan error, 1)
	p.endTime = endTime
	go func() { ended <- p.Run() }()
	tb.Cleanup(func() { p.Reset(); <-p.Done() })
	deadline := time.Now().Add(20 * time.Second)
	a.SetDeadline(deadline)
	b.SetDeadline(deadline)
	return p, a, b, ended
}

func TestBothWaysByteExact(t *testing.T) {
	t.Parallel()
	p, a, b, ended := pair(t, EndTime)
	const size = 8 << 20
	send := func(c *net.TCPConn, seed uint64) []byte {
		data := make([]byte, size)
		src := rand.New(rand.NewPCG(seed, 1))
		for i := range data {
			data[i] = byte(src.Uint32())
		}
		go func() {
			for rest := data; len(rest) > 0; {
				n := min(len(rest), 1+src.IntN(100_000))
				if _, err := c.Write(rest[:n]); err != nil {
					return
				}
				rest = rest[n:]
			}
			c.CloseWrite()
		}()
		return data
	}
	fromA, fromB := send(a, 1), send(b, 2)
	var wg sync.WaitGroup
	check := func(c *net.TCPConn, want []byte) {
		got, err := io.ReadAll(c)
		if err != nil || sha256.Sum256(got) != sha256.Sum256(want) {
			t.Errorf("read %d bytes (%v), want the %d that were sent", len(got), err, len(want))
		}
	}
	wg.Go(func() { check(b, fromA) })
	wg.Go(func() { check(a, fromB) })
	wg.Wait()
	if err := <-ended; err != nil {
		t.Errorf("orderly end gave %v", err)
	}
	if x, y := p.Bytes(); x != size || y != size {
		t.Errorf("counted %d and %d, want %d each", x, y, size)
	}
	if p.total.Load() != 2*size {
		t.Errorf("total %d, want %d", p.total.Load(), 2*size)
	}
}

// A reader that does not read stops its own direction and no other.
func TestBlockedDirectionDoesNotBlockTheOther(t *testing.T) {
	t.Parallel()
	_, a, b, _ := pair(t, 100*time.Millisecond)
	go func() {
		zeros := make([]byte, 64<<10)
		for {
			if _, err := a.Write(zeros); err != nil { // b never reads
				return
			}
		}
	}()
	for range 100 {
		if _, err := b.Write([]byte("ping")); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 4)
		if _, err := io.ReadFull(a, got); err != nil || string(got) != "ping" {
			t.Fatalf("read %q, %v", got, err)
		}
	}
}

func TestErrorResetsBoth(t *testing.T) {
	t.Parallel()
	_, a, b, ended := pair(t, 100*time.Millisecond)
	a.SetLinger(0)
	a.Close()
	if _, err := b.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the other side reads %v, want a reset", err)
	}
	if err := <-ended; err == nil {
		t.Error("Run gave no error")
	}
}

func TestResetCutsBoth(t *testing.T) {
	t.Parallel()
	p, a, b, ended := pair(t, 100*time.Millisecond)
	p.Reset()
	for _, c := range []*net.TCPConn{a, b} {
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("read %v, want a reset", err)
		}
	}
	if err := <-ended; !errors.Is(err, ErrReset) {
		t.Errorf("Run gave %v", err)
	}
}

// One side ends; the other gets its EOF, may still send, and is closed in its end time.
func TestEndIsCarriedAndBounded(t *testing.T) {
	t.Parallel()
	_, a, b, ended := pair(t, time.Second) // in which this test writes, on a busy machine
	a.CloseWrite()
	if n, err := b.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Fatalf("the other side reads %d, %v, want EOF", n, err)
	}
	if _, err := b.Write([]byte("last")); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(a)
	if err != nil || !bytes.Equal(got, []byte("last")) {
		t.Errorf("read %q, %v", got, err)
	}
	if err := <-ended; err != nil {
		t.Errorf("Run gave %v", err)
	}
}
