//go:build linux

package e2e

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/test/harness"
)

// together runs f n times at once and joins the errors.
func together(n int, f func(i int) error) error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = f(i) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// checked sends n bytes of a sequence of its own through an echo while it reads
// them back, and compares each.
func checked(ctx context.Context, addr string, seed uint64, n int64) error {
	c, err := connect(ctx, addr, 2*time.Minute)
	if err != nil {
		return err
	}
	defer c.Close()
	return echoed(c, seed, n)
}

// echoed is checked on a connection that is open.
func echoed(c *net.TCPConn, seed uint64, n int64) error {
	sent := make(chan error, 1)
	go func() { // ends with the connection
		_, err := io.CopyN(c, stream(seed), n)
		sent <- errors.Join(err, c.CloseWrite())
	}()
	want, got := stream(seed), io.LimitReader(c, n+1)
	a, b := make([]byte, 16<<10), make([]byte, 16<<10)
	var at int64
	for {
		k, err := got.Read(b)
		if _, werr := io.ReadFull(want, a[:k]); werr != nil {
			return werr
		}
		if !bytes.Equal(a[:k], b[:k]) {
			return fmt.Errorf("connection %d: wrong bytes at %d", seed, at)
		}
		at += int64(k)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("connection %d after %d bytes: %w", seed, at, err)
		}
	}
	if at != n {
		return fmt.Errorf("connection %d: %d bytes, want %d: %w", seed, at, n, errShort)
	}
	return <-sent
}

// TestThousandConnections: 1,000 at once through one forward, each with bytes of
// its own, each byte checked.
func TestThousandConnections(t *testing.T) {
	s := standard(t)
	addr := s.forward(app)
	s.signIn(alice, harness.Loopback)
	done, all := make(chan error, 1), make(chan struct{})
	go func() {
		done <- together(1000, func(i int) error {
			c, err := connect(s.ctx, addr, 2*time.Minute)
			if err != nil {
				return err
			}
			defer c.Close()
			if err := say(c, "here"); err != nil {
				return err
			}
			<-all
			return echoed(c, uint64(i), int64(1+(i*7919)%(96<<10)))
		})
	}()
	err := s.client.Await(s.ctx, "1,000 at once", func(st api.Status) bool { return forwardOf(st, addr).Connections == 1000 })
	close(all)
	s.must(errors.Join(err, <-done))
	s.must(s.client.Await(s.ctx, "all to be over", func(st api.Status) bool {
		f := forwardOf(st, addr)
		return f.Connections == 0 && f.TotalConns >= 1000
	}))
}

// TestHalfClose: the client sends its request and its FIN; the reply of 256 MiB
// comes whole.
func TestHalfClose(t *testing.T) {
	t.Parallel()
	const reply = 256 << 20
	s := begin(t, harness.EdgeOptions{})
	s.publish(serve(t, replyAfterFIN))
	s.startClient()
	addr := s.forward(app)
	s.signIn(alice, harness.Loopback)
	c, err := connect(s.ctx, addr, 2*time.Minute)
	s.must(err)
	defer c.Close()
	_, err = c.Write(binary.BigEndian.AppendUint64(nil, reply))
	s.must(err)
	s.must(c.CloseWrite())
	got, err := sum(c, reply)
	s.must(err)
	want, err := sum(stream(7), reply)
	s.must(err)
	if !bytes.Equal(got, want) {
		t.Error("the reply differs from what was sent")
	}
	if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("after the reply: %d bytes, %v; want an orderly end", n, err)
	}
}

// TestOneLoginForAll: 200 connections at once on 10 forwards, with nobody signed
// in: one login, then all of them go on.
func TestOneLoginForAll(t *testing.T) {
	t.Parallel()
	s := standard(t)
	forwards := make([]string, 10)
	for i := range forwards {
		forwards[i] = s.forward(app)
	}
	done := make(chan error, 1)
	go func() {
		done <- together(200, func(i int) error { return checked(s.ctx, forwards[i%10], uint64(i), 1000) })
	}()
	s.must(s.client.Await(s.ctx, "all to wait for one login", func(st api.Status) bool {
		waiting := 0
		for _, f := range st.Forwards {
			waiting += f.Waiting
		}
		return waiting == 200 && len(st.Logins) == 1
	}))
	s.signIn(alice, harness.Loopback)
	s.must(<-done)
	if n := len(s.audited("login", alice)); n != 1 {
		t.Errorf("%d logins in the audit, want 1", n)
	}
}

// TestReaderThatRests: a connection that is not read blocks neither its own other
// direction nor another connection.
func TestReaderThatRests(t *testing.T) {
	t.Parallel()
	s := begin(t, harness.EdgeOptions{})
	received := make(chan int64, 2)
	s.publish(serve(t, func(c *net.TCPConn) {
		go io.Copy(c, stream(1)) // ends with the connection; nobody reads it at first
		n, _ := io.Copy(io.Discard, c)
		received <- n
	}))
	s.startClient()
	addr := s.forward(app)
	s.signIn(alice, harness.Loopback)
	resting, err := connect(s.ctx, addr, time.Minute)
	s.must(err)
	defer resting.Close()
	// The other direction of the same connection: far more than all buffers.
	const up = 32 << 20
	_, err = io.CopyN(resting, stream(2), up)
	s.must(err)
	// Another connection.
	other, err := connect(s.ctx, addr, time.Minute)
	s.must(err)
	defer other.Close()
	if _, err := sum(other, 8<<20); err != nil {
		t.Errorf("beside a resting reader: %v", err)
	}
	s.must(resting.CloseWrite())
	if n := <-received; n != up {
		t.Errorf("the origin received %d bytes, want %d", n, up)
	}
}
