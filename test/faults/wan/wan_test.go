//go:build linux

package wan

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"
)

// open joins two new namespaces and listens in the far one; what comes is sent back.
func open(t testing.TB) (n *Network, dial func() net.Conn) {
	t.Helper()
	if err := Available(); err != nil {
		t.Skip(err)
	}
	near, err := NewNamespace()
	if err != nil {
		t.Fatal(err)
	}
	far, err := NewNamespace()
	if err != nil {
		t.Fatal(err)
	}
	if n, err = Join(near, far, 1); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- n.Run(ctx) }()
	var l net.Listener
	if err := far.Do(func() (err error) { l, err = net.Listen("tcp4", netip.AddrPortFrom(Far, 7).String()); return err }); err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); io.Copy(c, c) }()
		}
	}()
	t.Cleanup(func() {
		l.Close()
		cancel()
		if err := errors.Join(<-ran, near.Close(), far.Close()); err != nil {
			t.Error(err)
		}
	})
	return n, func() net.Conn {
		t.Helper()
		var c net.Conn
		err := near.Do(func() (err error) { c, err = net.DialTimeout("tcp4", l.Addr().String(), 5*time.Second); return err })
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(20 * time.Second))
		return c
	}
}

// echo sends n bytes and reads them back, and says how long it took.
func echo(t *testing.T, c net.Conn, n int) time.Duration {
	t.Helper()
	began := time.Now()
	go c.Write(make([]byte, n))
	if _, err := io.ReadFull(c, make([]byte, n)); err != nil {
		t.Fatal(err)
	}
	return time.Since(began)
}

func TestDelay(t *testing.T) {
	t.Parallel()
	n, dial := open(t)
	c := dial()
	echo(t, c, 64)
	n.Set(Both(Path{Delay: 60 * time.Millisecond}))
	if d := echo(t, c, 64); d < 120*time.Millisecond {
		t.Errorf("there and back took %s", d)
	}
}

func TestRate(t *testing.T) {
	t.Parallel()
	n, dial := open(t)
	c := dial()
	n.Set(Both(Path{Rate: 8_000_000, Queue: 64 << 10}))
	if d := echo(t, c, 1<<20); d < 900*time.Millisecond {
		t.Errorf("1 MiB at 1 MB/s took %s", d)
	}
	if up, _ := n.Counts(); up.Carried == 0 {
		t.Errorf("counted %+v", up)
	}
}

// TestSpoilt: lost and late packets are counted by the seed, and TCP mends them.
func TestSpoilt(t *testing.T) {
	t.Parallel()
	n, dial := open(t)
	n.Set(Both(Path{Loss: 0.05, Reorder: 0.05, LateBy: 5 * time.Millisecond, Jitter: time.Millisecond}))
	c := dial()
	echo(t, c, 2<<20)
	up, down := n.Counts()
	for _, c := range []Counts{up, down} {
		if part := float64(c.Lost) / float64(c.Lost+c.Carried); part < 0.02 || part > 0.1 {
			t.Errorf("lost %.3f of the packets: %+v", part, c)
		}
	}
}

func TestHole(t *testing.T) {
	t.Parallel()
	n, dial := open(t)
	c := dial()
	n.Set(Both(Path{Hole: true}))
	c.Write([]byte{1})
	c.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("out of a black hole came %v", err)
	}
	n.Set([2]Path{})
	c.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := c.Read(make([]byte, 1)); err != nil {
		t.Errorf("healed: %v", err)
	}
}

// TestLargest: small packets pass, full ones vanish.
func TestLargest(t *testing.T) {
	t.Parallel()
	n, dial := open(t)
	c := dial()
	n.Set(Both(Path{Largest: 600}))
	echo(t, c, 100)
	c.Write(make([]byte, 4000))
	c.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	if k, err := io.ReadFull(c, make([]byte, 4000)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%d bytes came through: %v", k, err)
	}
}

// TestMoves: without a route there is none, and another address ends what was
// bound to the old one.
func TestMoves(t *testing.T) {
	t.Parallel()
	n, dial := open(t)
	c := dial()
	if err := n.Down(true); err != nil {
		t.Fatal(err)
	}
	err := n.near.Do(func() error {
		c, err := net.DialTimeout("tcp4", netip.AddrPortFrom(Far, 7).String(), time.Second)
		if err == nil {
			c.Close()
		}
		return err
	})
	if !errors.Is(err, syscall.ENETUNREACH) {
		t.Errorf("without a route: %v", err)
	}
	if err := n.Down(false); err != nil {
		t.Fatal(err)
	}
	echo(t, c, 64)
	if err := n.Address(netip.MustParseAddr("10.99.0.7")); err != nil {
		t.Fatal(err)
	}
	if d := dial(); d.LocalAddr().(*net.TCPAddr).IP.String() != "10.99.0.7" {
		t.Errorf("the new one is at %s", d.LocalAddr())
	}
	c.Write([]byte{1})
	c.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("the old address still works")
	}
}

// BenchmarkCarry prints what the emulator carries in one direction and back.
func BenchmarkCarry(b *testing.B) {
	_, dial := open(b)
	c := dial()
	const size = 32 << 20
	b.SetBytes(size)
	for b.Loop() {
		go c.Write(make([]byte, size))
		if _, err := io.ReadFull(c, make([]byte, size)); err != nil {
			b.Fatal(err)
		}
	}
}
