package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"time"

	"github.com/sallyport/sallyport/test/harness"
)

// transferBytes goes both ways at once.
const transferBytes = 64 << 20

// check signs in, moves the bytes and says how it went.
func (s *stage) check(ctx context.Context) error {
	fmt.Printf("signing %s in by the login pages\n", s.person.Email)
	if err := s.client.SignIn(ctx, s.edge, s.person, harness.Loopback); err != nil {
		return fmt.Errorf("sign in: %w", err)
	}
	if !s.own {
		return s.checkOpen(ctx)
	}
	began := time.Now()
	up, down, err := transfer(ctx, s.forward)
	if err != nil {
		return fmt.Errorf("transfer: %w", err)
	}
	took := time.Since(began)
	fmt.Printf("sent     %d MiB  sha256 %x\n", transferBytes>>20, up)
	fmt.Printf("received %d MiB  sha256 %x\n", transferBytes>>20, down)
	if !bytes.Equal(up, down) {
		return errors.New("the checksums differ")
	}
	fmt.Printf("ok: %d MiB each way through %s in %.1f s, checksums equal\n", transferBytes>>20, s.forward, took.Seconds())
	return nil
}

// checkOpen is what can be said of a service whose language is unknown: the
// connection opens and is not ended at once.
func (s *stage) checkOpen(ctx context.Context) error {
	c, err := dial(ctx, s.forward)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetReadDeadline(time.Now().Add(2 * time.Second))
	var timeout net.Error
	if _, err := c.Read(make([]byte, 1)); err != nil && !(errors.As(err, &timeout) && timeout.Timeout()) {
		return fmt.Errorf("connection through %s to %s: %w", s.forward, s.origin, err)
	}
	fmt.Printf("ok: a connection through %s reaches %s\n", s.forward, s.origin)
	return nil
}

func dial(ctx context.Context, addr string) (*net.TCPConn, error) {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return c.(*net.TCPConn), nil
}

// transfer sends random bytes, which the service sends back, and gives the
// checksums of what went and what came.
func transfer(ctx context.Context, addr string) (up, down []byte, err error) {
	c, err := dial(ctx, addr)
	if err != nil {
		return nil, nil, err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.SetDeadline(time.Now()) })()
	sent := make(chan error, 1)
	sums := make(chan []byte, 1)
	go send(c, sent, sums) // ends with the connection
	got := sha256.New()
	if _, err := io.CopyN(got, c, transferBytes); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("receive: %w", err), context.Cause(ctx))
	}
	if err := <-sent; err != nil {
		return nil, nil, err
	}
	return <-sums, got.Sum(nil), nil
}

func send(c *net.TCPConn, done chan<- error, sum chan<- []byte) {
	h := sha256.New()
	if _, err := fmt.Fprintf(c, "echo %d\n", transferBytes); err != nil {
		done <- err
		return
	}
	source := io.LimitReader(rand.NewChaCha8([32]byte{}), transferBytes)
	if _, err := io.Copy(io.MultiWriter(c, h), source); err != nil {
		done <- fmt.Errorf("send: %w", err)
		return
	}
	done <- c.CloseWrite()
	sum <- h.Sum(nil)
}
