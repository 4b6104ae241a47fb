//go:build linux

package load

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// reno sets the congestion control of a socket on loopback before it is used; an
// accepted socket inherits it from its listener. Elsewhere the system's stays.
func reno(_, address string, c syscall.RawConn) error {
	if at, err := netip.ParseAddrPort(address); err != nil || !at.Addr().IsLoopback() {
		return nil
	}
	var err error
	if cerr := c.Control(func(fd uintptr) {
		err = unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, "reno")
	}); cerr != nil {
		return cerr
	}
	return err
}

func Listen(ctx context.Context, addr string) (*net.TCPListener, error) {
	l, err := (&net.ListenConfig{Control: reno}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return l.(*net.TCPListener), nil
}

func Dial(ctx context.Context, addr string) (*net.TCPConn, error) {
	d := net.Dialer{Control: reno, Timeout: 10 * time.Second}
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return c.(*net.TCPConn), nil
}

// Announce tells the parent where a child listens: the first line of its output.
func Announce(l net.Listener) { fmt.Println("listening", l.Addr()) }

// Serve calls handle for each connection, each on a goroutine of its own, until
// ctx ends; then it closes what is open and waits for all of them.
func Serve(ctx context.Context, l *net.TCPListener, handle func(*net.TCPConn)) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	defer context.AfterFunc(ctx, func() { l.Close() })()
	for {
		c, err := l.AcceptTCP()
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return nil
			}
			return err
		}
		wg.Go(func() {
			defer context.AfterFunc(ctx, func() { c.Close() })()
			defer c.Close()
			handle(c)
		})
	}
}
