//go:build unix

package socket

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func pair(t *testing.T, network string) (a, b net.Conn) {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		address = t.TempDir() + "/s"
	}
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if a, err = net.Dial(network, l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if b, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

// buffers counts what a Reader holds.
type buffers struct {
	mu   sync.Mutex
	held int
	buf  [8]byte
}

func (b *buffers) take() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held++
	return b.buf[:]
}

func (b *buffers) drop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held--
}

func (b *buffers) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.held
}

func TestReaderHoldsNoBufferWhileItWaits(t *testing.T) {
	t.Parallel()
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			a, b := pair(t, network)
			var bufs buffers
			r := NewReader(a, bufs.take, bufs.drop)
			type result struct {
				n   int
				err error
			}
			results := make(chan result)
			next := func() { n, err := r.Read(); results <- result{n, err} }
			go next()
			a.SetReadDeadline(time.Now().Add(30 * time.Millisecond))
			if got := <-results; got.n != 0 || !errors.Is(got.err, os.ErrDeadlineExceeded) {
				t.Fatalf("read without data: %+v", got)
			}
			if n := bufs.count(); n != 0 {
				t.Fatalf("%d buffers held after waiting", n)
			}
			a.SetReadDeadline(time.Time{})
			go next()
			b.Write([]byte("hello, world")) // more than the buffer takes
			if got := <-results; got.n != 8 || got.err != nil || string(bufs.buf[:]) != "hello, w" {
				t.Fatalf("read %+v, %q", got, bufs.buf)
			}
			bufs.drop()
			go next() // the rest is there without a further event
			if got := <-results; got.n != 4 || got.err != nil {
				t.Fatalf("read %+v", got)
			}
			bufs.drop()
			b.Close()
			go next()
			if got := <-results; got.n != 0 || got.err != io.EOF || bufs.count() != 0 {
				t.Fatalf("read %+v, %d buffers held", got, bufs.count())
			}
		})
	}
}

func TestReaderOfAnythingElse(t *testing.T) {
	t.Parallel()
	var bufs buffers
	r := NewReader(strings.NewReader("0123456789"), bufs.take, bufs.drop)
	for _, want := range []struct {
		n   int
		err error
	}{{8, nil}, {2, nil}, {0, io.EOF}} {
		n, err := r.Read()
		if n != want.n || err != want.err {
			t.Errorf("read %d, %v; want %+v", n, err, want)
		}
		if n > 0 {
			bufs.drop()
		}
	}
	if bufs.count() != 0 {
		t.Errorf("%d buffers held", bufs.count())
	}
}

func TestWriterDoesNotWait(t *testing.T) {
	t.Parallel()
	a, b := pair(t, "tcp")
	w := NewWriter(a)
	block := bytes.Repeat([]byte("x"), 1<<20)
	total := 0
	for range 100 {
		n, err := w.Write(block)
		if err != nil {
			t.Fatal(err)
		}
		if total += n; n < len(block) {
			break
		}
	}
	if total == 0 || total == 100<<20 {
		t.Fatalf("%d bytes taken by a socket that nobody reads", total)
	}
	a.Close()
	if n, err := io.Copy(io.Discard, b); n != int64(total) || err != nil {
		t.Errorf("read %d of %d, %v", n, total, err)
	}
	if _, err := w.Write(block); err == nil {
		t.Error("write to a closed socket succeeds")
	}
	if NewWriter(&bytes.Buffer{}) != nil {
		t.Error("a buffer is a socket")
	}
}

func TestWriterTellsReset(t *testing.T) {
	t.Parallel()
	a, b := pair(t, "tcp")
	w := NewWriter(a)
	b.(*net.TCPConn).SetLinger(0)
	b.Close()
	for {
		if _, err := w.Write([]byte("x")); err != nil {
			if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
				t.Errorf("write: %v, want a reset", err)
			}
			return
		}
	}
}

func TestProbe(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		act  func(peer *net.TCPConn)
		want bool
	}{
		{"open", func(*net.TCPConn) {}, false},
		{"with data", func(c *net.TCPConn) { c.Write([]byte("x")) }, false},
		{"ended in order", func(c *net.TCPConn) { c.CloseWrite() }, false},
		{"reset", func(c *net.TCPConn) { c.SetLinger(0); c.Close() }, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a, b := pair(t, "tcp")
			var mu sync.Mutex
			cond := sync.NewCond(&mu)
			p := NewProbe(a, &mu, cond)
			defer p.Stop()
			test.act(b.(*net.TCPConn))
			mu.Lock()
			defer mu.Unlock()
			got := p.BrokenLocked()
			for asked := 0; asked < 2 && !got; asked++ {
				cond.Wait()
				got = p.BrokenLocked()
			}
			if got != test.want {
				t.Errorf("broken: %v, want %v", got, test.want)
			}
		})
	}
	var mu sync.Mutex
	if NewProbe(strings.NewReader(""), &mu, sync.NewCond(&mu)).BrokenLocked() {
		t.Error("a string is broken")
	}
}
