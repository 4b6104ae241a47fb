package relay

import (
	"context"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport/sallyport/edge/internal/relay/gate"
	"github.com/sallyport/sallyport/edge/internal/relay/peek"
	"github.com/sallyport/sallyport/internal/webconn"
	"github.com/sallyport/sallyport/wire"
)

// labelSize is the length of a ticket label as it is written.
const labelSize = 26

// carry takes the WebSockets of links and trunks out of what the web gets.
func (r *Relay) carry(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path != webconn.LinkPath && req.URL.Path != webconn.TrunkPath {
			next.ServeHTTP(w, req)
			return
		}
		r.wg.Add(1) // the server itself, in the same group, waits for requests until they are hijacked
		defer r.wg.Done()
		c, err := webconn.Accept(w, req)
		if err != nil {
			r.log.Debug("WebSocket refused", "address", req.RemoteAddr, "error", err)
			return
		}
		// The request's context lives until here, and ends with the edge.
		r.carried(req.Context(), c, gate.AddressIn(req.RemoteAddr), req.URL.Path == webconn.TrunkPath)
	})
}

// carried does for a connection in a WebSocket what front does for a direct one.
func (r *Relay) carried(ctx context.Context, conn *webconn.Conn, addr netip.AddrPort, trunk bool) {
	s := r.gate.Enter(conn, addr.Addr())
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	started := time.Now()
	conn.SetDeadline(started.Add(r.wait.peek))
	var said [labelSize]byte
	if trunk {
		if _, err := io.ReadFull(conn, said[:]); err != nil {
			r.refuse(conn, s, causePeek)
			return
		}
	}
	c, err := peek.New(conn)
	if err != nil {
		r.refuse(conn, s, causePeek)
		return
	}
	conn.SetDeadline(time.Time{})
	if !trunk {
		r.carriedLink(ctx, c, s, addr, started.Add(r.wait.hello))
		return
	}
	label, ok := wire.LabelOf(c.Hello.ServerName)
	if !ok || string(label) != string(said[:]) {
		r.refuse(conn, s, causeLabel)
		return
	}
	r.ticket(ctx, c, s, label)
}

func (r *Relay) carriedLink(ctx context.Context, c *peek.Conn, s *gate.Slot, addr netip.AddrPort, deadline time.Time) {
	if c.Hello.Plain || !slices.Contains(c.Hello.ALPN, wire.ALPNLink) {
		r.refuse(c.Conn, s, causeTLS)
		return
	}
	r.link(ctx, c, s, addr, deadline)
}

// proxied believes what a trusted proxy in front of the edge says of where a
// request comes from: the last address that is no such proxy's.
func (r *Relay) proxied(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if at := gate.AddressIn(req.RemoteAddr); r.isProxy(at.Addr()) {
			said := strings.Split(strings.Join(req.Header.Values("X-Forwarded-For"), ","), ",")
			for _, word := range slices.Backward(said) {
				ip, err := netip.ParseAddr(strings.TrimSpace(word))
				if err != nil {
					break // what stands before it is anybody's word
				}
				at = netip.AddrPortFrom(ip.Unmap().WithZone(""), 0)
				if !r.isProxy(at.Addr()) {
					break
				}
			}
			req.RemoteAddr = at.String()
		}
		next.ServeHTTP(w, req)
	})
}

// isProxy says whether an address is that of a trusted proxy.
func (r *Relay) isProxy(ip netip.Addr) bool {
	return slices.ContainsFunc(r.cfg.Settings().Proxies, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// guardPlain lets plain HTTP through only as http://localhost:PORT (at an
// address the browser would send the cookies to other ports as well), and from
// a trusted proxy, which ends the browser's TLS.
func (r *Relay) guardPlain(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		c := r.cfg.Settings()
		if req.TLS == nil && !r.isProxy(gate.AddressIn(req.RemoteAddr).Addr()) && req.Host != "localhost:"+strconv.Itoa(int(c.Port)) {
			http.Error(w, "Open this page as "+c.WebURL()+"/", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, req)
	})
}
