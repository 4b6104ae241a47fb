package dial

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/sallyport/sallyport/api"
)

// bothFamilies answers with loopback of the family that is asked for.
func bothFamilies() *net.Resolver {
	return resolver(netip.IPv6Loopback(), netip.AddrFrom4([4]byte{127, 0, 0, 1}))
}

// resolver answers questions with these addresses, by family.
func resolver(ips ...netip.Addr) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go answer(ours, ips) // ends with the connection
		return theirs, nil
	}}
}

func answer(c net.Conn, ips []netip.Addr) {
	defer c.Close()
	for {
		var size [2]byte
		if _, err := io.ReadFull(c, size[:]); err != nil {
			return
		}
		question := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(c, question); err != nil {
			return
		}
		var m dnsmessage.Message
		if m.Unpack(question) != nil || len(m.Questions) != 1 {
			return
		}
		m.Response, m.Additionals = true, nil
		q := m.Questions[0]
		head := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1}
		for _, ip := range ips {
			switch {
			case q.Type == dnsmessage.TypeA && ip.Is4():
				m.Answers = append(m.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.AResource{A: ip.As4()}})
			case q.Type == dnsmessage.TypeAAAA && ip.Is6():
				m.Answers = append(m.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.AAAAResource{AAAA: ip.As16()}})
			}
		}
		packed, err := m.Pack()
		if err != nil {
			return
		}
		if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(packed))), packed...)); err != nil {
			return
		}
	}
}

// A plain user may choose any name of an edge, and so what it leads to: the
// daemon's reach is not lent to that.
func TestNamesLeadToNoKeptAddress(t *testing.T) {
	t.Parallel()
	for _, ip := range []string{"169.254.169.254", "fe80::1", "::ffff:169.254.169.254", "224.0.0.1", "ff02::1", "0.0.0.0", "::", "255.255.255.255"} {
		d := net.Dialer{Timeout: 5 * time.Second, Resolver: resolver(netip.MustParseAddr(ip))}
		conn, err := tcp(t.Context(), Target{Name: "metadata.evil.com", Port: 1}, d)
		if err == nil {
			conn.Close()
		}
		if !errors.Is(err, errKept) {
			t.Errorf("%s: %v", ip, err)
			continue
		}
		if p := Problem(err); p.Code != api.CodeEdgeUnresolved || p.Hint == "" {
			t.Errorf("%s: told %+v", ip, p)
		}
	}
	address := netip.MustParseAddrPort(listen(t, func(c net.Conn) { c.Close() }))
	for _, target := range []Target{
		{Name: "edge.evil.com", Port: address.Port()},
		{Name: "edge.evil.com", Port: 1, Address: address.String()},
	} {
		conn, err := tcp(t.Context(), target, net.Dialer{Timeout: 5 * time.Second, Resolver: resolver(address.Addr())})
		if err != nil {
			t.Errorf("%+v: %v", target, err)
			continue
		}
		conn.Close()
	}
}
