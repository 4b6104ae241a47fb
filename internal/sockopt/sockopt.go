// Package sockopt sets the socket options that the protocol asks for: on local
// sockets (those of applications and to origins) and on carriers (the
// connections to the edge, or of the edge to daemons). Where a platform lacks
// an option, nothing happens; the options make things better, never right.
//
// Source: docs/protocol.md, rules 16, 18 and 22.
package sockopt

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/sallyport/sallyport/wire"
	"github.com/sallyport/sallyport/wire/socket"
)

// Local prepares an accepted or dialled local socket: closing it is a reset
// until Linger says otherwise, so that the death of the daemon is one, too. Keep
// alive is Go's default. Towards loopback the congestion control is one that
// does not pace.
func Local(c net.Conn) {
	Linger(c, true)
	if raw := tcpOf(c); raw != nil && isLoopback(c) {
		avoidPacing(raw)
	}
}

// Linger says whether closing c sends a reset at once (and discards what was
// not sent) or ends in order.
func Linger(c net.Conn, abortive bool) {
	l, ok := bare(c).(interface{ SetLinger(sec int) error })
	if !ok {
		return
	}
	if abortive {
		l.SetLinger(0)
	} else {
		l.SetLinger(-1)
	}
}

// Carrier prepares the socket under a link or trunk: a dead network is noticed
// within half a minute, little waits unsent in the kernel, so that what is urgent
// is not stuck behind it, and nothing waits for company.
func Carrier(c net.Conn) { prepare(c, wire.NotSentLowAt) }

// Lane prepares the socket under a lane like Carrier, but much may wait unsent:
// nothing else is behind it.
func Lane(c net.Conn) { prepare(c, wire.LaneUnsent) }

func prepare(c net.Conn, unsent int) {
	if t, ok := bare(c).(*net.TCPConn); ok {
		t.SetNoDelay(true)
		t.SetKeepAliveConfig(net.KeepAliveConfig{
			Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3,
		})
	}
	raw := tcpOf(c)
	if raw == nil {
		return
	}
	carrier(raw, unsent)
	if isLoopback(c) {
		avoidPacing(raw)
	}
}

// HungUp says whether both directions of a TCP connection are over (socket.HungUp);
// of anything else it is not known.
func HungUp(c net.Conn) bool {
	raw := tcpOf(c)
	return raw != nil && socket.HungUp(raw)
}

// CloseWrite ends one direction of a connection. It fails where the peer has reset it,
// and where one direction cannot be ended alone.
func CloseWrite(c net.Conn) error {
	if t, ok := c.(*net.TCPConn); ok {
		raw, err := t.SyscallConn()
		if err != nil {
			return err
		}
		return socket.CloseWrite(raw)
	}
	h, ok := c.(interface{ CloseWrite() error })
	if !ok {
		return errNoHalfClose
	}
	return h.CloseWrite()
}

var errNoHalfClose = errors.New("connection cannot end one direction alone")

// bare takes wrappers such as TLS off.
func bare(c net.Conn) net.Conn {
	for {
		w, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			return c
		}
		c = w.NetConn()
	}
}

// tcpOf gives the descriptor of a TCP connection, nil for anything else.
func tcpOf(c net.Conn) syscall.RawConn {
	t, ok := bare(c).(*net.TCPConn)
	if !ok {
		return nil
	}
	raw, err := t.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}

func isLoopback(c net.Conn) bool {
	a, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return false
	}
	ip, ok := netip.AddrFromSlice(a.IP)
	return ok && ip.Unmap().IsLoopback()
}
