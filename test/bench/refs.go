//go:build linux

package main

import (
	"context"
	"crypto/tls"
	"flag"
	"io"
	"net"
	"sync"
	"time"

	"github.com/sallyport/sallyport/test/bench/load"
)

// The references R and E: client, relay and host as three processes. In R the
// relay ends TLS on both legs; in E it joins the two TCP connections.

// closeWriter is what both *net.TCPConn and *tls.Conn offer.
type closeWriter interface {
	io.ReadWriter
	CloseWrite() error
}

type refFlags struct{ listen, next, identity, kind string }

func parseRef(name string, args []string) (refFlags, error) {
	var f refFlags
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.StringVar(&f.listen, "listen", "127.0.0.1:0", "where to listen")
	fs.StringVar(&f.next, "next", "", "where to connect to")
	fs.StringVar(&f.identity, "identity", "", "file with certificate and key")
	fs.StringVar(&f.kind, "kind", "r", "r: decrypt and encrypt again; e: end to end")
	return f, fs.Parse(args)
}

// runRefClient accepts plain connections and carries each over TLS.
func runRefClient(ctx context.Context, args []string) error {
	return runRef(ctx, "client", args, func(f refFlags, id *identity, c *net.TCPConn) {
		out, err := dialTLS(ctx, f.next, id)
		if err == nil {
			defer out.Close()
			join(c, out)
		}
	})
}

// runRefRelay joins a connection of a client with one to the host.
func runRefRelay(ctx context.Context, args []string) error {
	return runRef(ctx, "relay", args, func(f refFlags, id *identity, c *net.TCPConn) {
		if f.kind == "e" {
			if out, err := load.Dial(ctx, f.next); err == nil {
				defer out.Close()
				splice(c, out)
			}
			return
		}
		in, err := acceptTLS(ctx, c, id)
		if err != nil {
			return
		}
		if out, err := dialTLS(ctx, f.next, id); err == nil {
			defer out.Close()
			join(in, out)
		}
	})
}

// runRefHost ends TLS and connects to the service.
func runRefHost(ctx context.Context, args []string) error {
	return runRef(ctx, "host", args, func(f refFlags, id *identity, c *net.TCPConn) {
		in, err := acceptTLS(ctx, c, id)
		if err != nil {
			return
		}
		if out, err := load.Dial(ctx, f.next); err == nil {
			defer out.Close()
			join(in, out)
		}
	})
}

func runRef(ctx context.Context, name string, args []string, handle func(refFlags, *identity, *net.TCPConn)) error {
	f, err := parseRef(name, args)
	if err != nil {
		return err
	}
	id, err := loadIdentity(f.identity)
	if err != nil {
		return err
	}
	l, err := load.Listen(ctx, f.listen)
	if err != nil {
		return err
	}
	load.Announce(l)
	return load.Serve(ctx, l, func(c *net.TCPConn) { handle(f, id, c) })
}

func dialTLS(ctx context.Context, addr string, id *identity) (*tls.Conn, error) {
	raw, err := load.Dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	return handshake(ctx, tls.Client(raw, id.client))
}

func acceptTLS(ctx context.Context, raw net.Conn, id *identity) (*tls.Conn, error) {
	return handshake(ctx, tls.Server(raw, id.server))
}

func handshake(ctx context.Context, c *tls.Conn) (*tls.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := c.HandshakeContext(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// join copies both ways with buffers of 32 KiB until both directions ended.
func join(a, b closeWriter) {
	var wg sync.WaitGroup
	wg.Go(func() { move(a, b) })
	move(b, a)
	wg.Wait()
}

func move(dst, src closeWriter) {
	buf := make([]byte, 32<<10)
	for {
		n, err := src.Read(buf)
		if n > 0 {
			if _, werr := dst.Write(buf[:n]); werr != nil {
				return
			}
		}
		if err != nil {
			dst.CloseWrite()
			return
		}
	}
}

// splice lets the kernel move the bytes: io.Copy between two TCP connections.
func splice(a, b *net.TCPConn) {
	var wg sync.WaitGroup
	wg.Go(func() { io.Copy(a, b); a.CloseWrite() })
	io.Copy(b, a)
	b.CloseWrite()
	wg.Wait()
}
