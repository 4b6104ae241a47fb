//go:build linux

package portal

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/sys/unix"
)

// Names is a name server that gives the same answer to everything.
type Names struct {
	conn net.PacketConn

	mu    sync.Mutex
	addrs []netip.Addr
}

// NewNames makes one that takes the socket over; it starts nothing.
func NewNames(conn net.PacketConn) *Names { return &Names{conn: conn} }

// Say gives the addresses of all names from now on.
func (n *Names) Say(addrs ...netip.Addr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.addrs = addrs
}

// Run answers until ctx ends.
func (n *Names) Run(ctx context.Context) {
	stop := context.AfterFunc(ctx, func() { n.conn.Close() })
	defer stop()
	buf := make([]byte, 1500)
	for {
		size, from, err := n.conn.ReadFrom(buf)
		if err != nil {
			return
		}
		if answer, err := n.answer(buf[:size]); err == nil {
			n.conn.WriteTo(answer, from)
		}
	}
}

func (n *Names) answer(question []byte) ([]byte, error) {
	var m dnsmessage.Message
	if err := m.Unpack(question); err != nil {
		return nil, err
	}
	if len(m.Questions) != 1 {
		return nil, errors.New("one question at a time")
	}
	q := m.Questions[0]
	out := dnsmessage.Message{Header: dnsmessage.Header{ID: m.ID, Response: true, Authoritative: true, RecursionAvailable: true}, Questions: m.Questions}
	n.mu.Lock()
	addrs := n.addrs
	n.mu.Unlock()
	for _, a := range addrs {
		head := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}
		switch {
		case a.Is4() && q.Type == dnsmessage.TypeA:
			out.Answers = append(out.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.AResource{A: a.As4()}})
		case a.Is6() && q.Type == dnsmessage.TypeAAAA:
			out.Answers = append(out.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}})
		}
	}
	return out.Pack()
}

// Ask makes programs of this process's mount namespace, which is to be its own,
// ask one name server, until undo.
func Ask(dir string, server netip.Addr) (undo func() error, err error) {
	const file, space = "/etc/resolv.conf", "/proc/%d/ns/mnt"
	mine, err := os.Readlink(fmt.Sprintf(space, os.Getpid()))
	if err != nil {
		return nil, err
	}
	parents, err := os.Readlink(fmt.Sprintf(space, os.Getppid()))
	if err != nil {
		return nil, err
	}
	if mine == parents {
		return nil, errors.New("the mount namespace is not this process's own")
	}
	own := filepath.Join(dir, "resolv.conf")
	if err := os.WriteFile(own, fmt.Appendf(nil, "nameserver %s\noptions timeout:1 attempts:2\n", server), 0o644); err != nil {
		return nil, err
	}
	if err := unix.Mount(own, file, "", unix.MS_BIND, ""); err != nil {
		return nil, fmt.Errorf("put another %s in place: %w", file, err)
	}
	return func() error { return unix.Unmount(file, 0) }, nil
}
