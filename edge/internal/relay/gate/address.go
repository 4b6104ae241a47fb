package gate

import (
	"net"
	"net/netip"
)

// AddressOf is where a connection comes from.
func AddressOf(c net.Conn) netip.AddrPort { return AddressIn(c.RemoteAddr().String()) }

// AddressIn is the zero address where the text has none.
func AddressIn(text string) netip.AddrPort {
	a, err := netip.ParseAddrPort(text)
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}
