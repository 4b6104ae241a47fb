package relay

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"time"

	"github.com/sallyport/sallyport/edge/internal/relay/gate"
	"github.com/sallyport/sallyport/edge/internal/relay/peek"
	"github.com/sallyport/sallyport/edge/internal/relay/splice"
	"github.com/sallyport/sallyport/edge/internal/relay/ticket"
	"github.com/sallyport/sallyport/wire"
)

// Causes for which a connection is refused.
const (
	causeCulled  = "culled"      // the gate was full
	causePeek    = "peek"        // no ClientHello in time
	causePlain   = "plain"       // plain HTTP where there is none
	causeLabel   = "label"       // unknown or used
	causeTicket  = "ticket"      // the other end, or the form, was wrong
	causeTLS     = "tls"         // handshake of a link failed
	causeHello   = "hello"       // no hello in time
	causeWebFull = "web-full"    // too many web connections
	causePaced   = "paced"       // links of its address break the protocol again and again
	causeLoose   = "loose-links" // too many links without a session from one address
)

// accept takes connections until ctx ends; they live until conns does.
func (r *Relay) accept(ctx, conns context.Context, l net.Listener) error {
	pause := time.Duration(0)
	for {
		raw, err := l.Accept()
		switch {
		case err == nil:
			pause = 0
			r.wg.Go(func() { r.front(conns, raw) })
			continue
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		}
		// Out of descriptors, mostly: it heals when connections end.
		pause = min(max(2*pause, 5*time.Millisecond), time.Second)
		r.log.Warn("accept failed", "error", err, "pause", pause)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

// front finds out what a connection is.
func (r *Relay) front(ctx context.Context, raw net.Conn) {
	addr := gate.AddressOf(raw)
	s := r.gate.Enter(raw, addr.Addr())
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	defer stop()
	started := time.Now()
	raw.SetDeadline(started.Add(r.wait.peek))
	c, err := peek.New(raw)
	if err != nil {
		r.refuse(raw, s, causePeek)
		return
	}
	raw.SetDeadline(time.Time{})
	label, isTicket := wire.LabelOf(c.Hello.ServerName)
	switch {
	case c.Hello.Plain && !r.cfg.Settings().Loopback() && !r.isProxy(addr.Addr()):
		r.refuse(raw, s, causePlain)
	case c.Hello.Plain:
		r.give(c, s)
	case slices.Contains(c.Hello.ALPN, wire.ALPNLink):
		r.link(ctx, c, s, addr, started.Add(r.wait.hello))
	case isTicket:
		r.ticket(ctx, c, s, label)
	default:
		r.give(tls.Server(c, r.webTLS), s)
	}
}

// give hands a connection to the web side.
func (r *Relay) give(c net.Conn, s *gate.Slot) {
	if !r.web.Give(c, s) {
		r.refuse(s.Conn, s, causeWebFull)
	}
}

// refuse drops a connection with a RST.
func (r *Relay) refuse(raw net.Conn, s *gate.Slot, cause string) {
	s.Leave()
	splice.Reset(raw)
	r.meter.Refused(cause)
	r.log.Debug("connection refused", "address", raw.RemoteAddr(), "reason", cause)
}

// ticket brings one end of a trunk, and stays while the trunk lives.
func (r *Relay) ticket(ctx context.Context, c *peek.Conn, s *gate.Slot, label wire.Label) {
	switch err := r.trunks.Arrive(ctx, c, label, s.Leave); {
	case errors.Is(err, ticket.ErrLabel):
		r.refuse(c.Conn, s, causeLabel)
	case err != nil:
		r.refuse(c.Conn, s, causeTicket)
	}
}
