package socket

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

// direct is used where a *net.TCPConn was: it has to look the same.
func TestDirect(t *testing.T) {
	t.Parallel()
	t.Run("bytes and end", func(t *testing.T) {
		t.Parallel()
		a, b := directPair(t)
		sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<18) // more than the sockets hold
		go func() {
			a.Write(sent)
			a.(interface{ CloseWrite() error }).CloseWrite()
		}()
		got, err := io.ReadAll(b)
		if err != nil || !bytes.Equal(got, sent) {
			t.Fatalf("%d of %d bytes, %v", len(got), len(sent), err)
		}
		if n, err := b.Read(nil); n != 0 || err != nil {
			t.Errorf("read of nothing: %d, %v", n, err)
		}
	})
	t.Run("deadline", func(t *testing.T) {
		t.Parallel()
		a, b := directPair(t)
		a.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
		var ne net.Error
		if _, err := a.Read(make([]byte, 1)); !errors.As(err, &ne) || !ne.Timeout() || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read past the deadline: %v", err)
		}
		go func() {
			b.Read(make([]byte, 1)) // so that some is written
			a.SetWriteDeadline(time.Now())
		}()
		n, err := a.Write(make([]byte, 64<<20))
		if n == 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("write past the deadline: %d, %v", n, err)
		}
	})
	t.Run("reset", func(t *testing.T) {
		t.Parallel()
		a, b := directPair(t)
		b.(*direct).SetLinger(0)
		b.Close()
		var op *net.OpError
		if _, err := a.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) || !errors.As(err, &op) {
			t.Errorf("read after a reset: %v", err)
		}
		if _, err := a.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("write after a reset: %v", err)
		}
	})
	t.Run("closed while it waits", func(t *testing.T) {
		t.Parallel()
		a, _ := directPair(t)
		failed := make(chan error)
		go func() {
			_, err := a.Read(make([]byte, 1))
			failed <- err
		}()
		a.Close()
		if err := <-failed; !errors.Is(err, net.ErrClosed) {
			t.Errorf("read of a closed connection: %v", err)
		}
	})
	t.Run("anything else", func(t *testing.T) {
		t.Parallel()
		near, far := net.Pipe()
		defer near.Close()
		defer far.Close()
		if Direct(near) != near {
			t.Error("a pipe was wrapped")
		}
	})
}

func directPair(t *testing.T) (a, b net.Conn) {
	a, b = pair(t, "tcp")
	return Direct(a), Direct(b)
}
