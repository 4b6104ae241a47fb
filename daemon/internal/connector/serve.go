package connector

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/sallyport/sallyport/internal/pipe"
	"github.com/sallyport/sallyport/internal/sockopt"
	"github.com/sallyport/sallyport/wire"
)

// stream is one stream of a trunk, from its Open on. Its fields are guarded by
// Connector.mu, but for those that never change.
type stream struct {
	wire *wire.Stream // never changes
	// granted has one slot and takes one grant.
	granted  chan *wire.Grant
	hostname string       // "" until the grant is there
	origin   net.Conn     // nil until dialled
	cut      *wire.Reason // set where the edge ended it
}

// grantLocked takes a grant; false where there was one.
func (s *stream) grantLocked(g *wire.Grant) bool {
	if s.hostname != "" {
		return false
	}
	s.hostname = g.Hostname
	s.granted <- g
	return true
}

// accept takes an Open. What is without grant is bounded per trunk.
func (c *Connector) accept(t *trunk, w *wire.Stream, group *sync.WaitGroup) {
	s := &stream{wire: w, granted: make(chan *wire.Grant, 1)}
	c.mu.Lock()
	g := t.dropGrantLocked(w.ID())
	var refusal *wire.Reason
	switch {
	case t.streams[w.ID()] != nil:
		refusal = &wire.Reason{Code: wire.CodeProtocol, Text: "the stream is open already"}
	case g != nil:
		s.grantLocked(g)
	case t.isOrphan():
		refusal = &wire.Reason{Code: wire.CodeNoConnector, Text: "the host has lost the link that the trunk was offered on"}
	case t.waiting >= maxWaiting:
		refusal = &wire.Reason{Code: wire.CodeLimit, Text: "too many streams wait for the edge's word"}
	}
	if refusal == nil {
		t.streams[w.ID()] = s
		if g == nil {
			t.waiting++
		}
	}
	c.mu.Unlock()
	if refusal != nil {
		w.Reset(refusal)
		return
	}
	group.Go(func() { c.serve(t, s, g == nil) })
}

// serve carries one stream. waits says that it is counted in t.waiting.
func (c *Connector) serve(t *trunk, s *stream, waits bool) {
	g, refusal := c.await(t, s)
	c.mu.Lock()
	if waits {
		t.waiting--
	}
	if refusal != nil {
		delete(t.streams, s.wire.ID())
	}
	unused := refusal != nil && s.hostname != "" // the grant came at the same moment
	c.mu.Unlock()
	if unused {
		c.report(&wire.StreamEnded{Trunk: t.offer.Trunk, Stream: s.wire.ID(), Code: refusal.Code})
	}
	if refusal != nil {
		s.wire.Refuse(refusal)
		return
	}
	c.begin(g.Hostname)
	log := c.log
	if log.Enabled(context.Background(), slog.LevelDebug) { // it costs more than the lines that are not written
		log = log.With("trunk", g.Trunk, "stream", g.Stream, "trace", s.wire.Trace(), "hostname", g.Hostname)
	}
	log.Debug("stream granted", "session", g.Session, "person", g.Person.Email, "rule", g.Rule)
	err := c.carry(t, s, g)
	toClient, toOrigin := s.wire.Counters()
	c.finish(t, s, toOrigin, toClient)
	code := c.codeOf(s, err)
	log.Debug("stream closed", "code", code, "bytes_to_origin", toOrigin, "bytes_to_client", toClient, "err", err)
	c.report(&wire.StreamEnded{Trunk: g.Trunk, Stream: g.Stream, BytesToOrigin: toOrigin, BytesToClient: toClient, Code: code})
}

// await waits for the stream's grant.
func (c *Connector) await(t *trunk, s *stream) (*wire.Grant, *wire.Reason) {
	timer := time.NewTimer(c.timing.Grant)
	defer timer.Stop()
	select {
	case g := <-s.granted:
		return g, nil
	default:
	}
	select {
	case g := <-s.granted:
		return g, nil
	case <-timer.C:
		return nil, &wire.Reason{Code: wire.CodeGrantTimeout, Text: "the edge's word did not come to the host"}
	case <-t.orphaned:
		return nil, &wire.Reason{Code: wire.CodeNoConnector, Text: "the host lost its link to the edge"}
	case <-s.wire.Done():
		return nil, &wire.Reason{Code: wire.CodeClosed}
	case <-t.ctx.Done():
		return nil, reasonOf(context.Cause(t.ctx))
	}
}

// carry dials the origin of a granted stream and joins the two.
func (c *Connector) carry(t *trunk, s *stream, g *wire.Grant) error {
	origin, ok := c.cfg.Table(g.Hostname, g.Port)
	if !ok {
		r := &wire.Reason{Code: wire.CodeNoSuchTunnel, Text: "the host does not publish " + g.Hostname}
		s.wire.Refuse(r)
		return r
	}
	conn, err := dialOrigin(t.ctx, origin, c.timing.OriginDial)
	if t.ctx.Err() != nil && err != nil {
		s.wire.Refuse(reasonOf(context.Cause(t.ctx)))
		return context.Cause(t.ctx)
	}
	c.healthOf(g.Hostname, origin, err)
	if err != nil {
		r := originReason(err)
		s.wire.Refuse(r)
		return r
	}
	sockopt.Local(conn)
	if r := c.setOrigin(s, conn); r != nil {
		abort(conn)
		return r
	}
	if err := s.wire.Admit(); err != nil {
		abort(conn)
		return err
	}
	return pipe.Join(t.ctx, conn, s.wire).Err
}

// setOrigin notes what a cut has to reset; a cut that was faster is returned.
func (c *Connector) setOrigin(s *stream, conn net.Conn) *wire.Reason {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.origin = conn
	return s.cut
}

// cutStream resets both sides of a stream at once.
func (c *Connector) cutStream(s *stream, r *wire.Reason) {
	c.mu.Lock()
	if s.cut == nil {
		s.cut = r
	}
	origin := s.origin
	c.mu.Unlock()
	s.wire.Reset(r) // first, so that the client is told r and not what the origin's end looks like
	if origin != nil {
		abort(origin)
	}
}

// abort closes a connection with a reset.
func abort(conn net.Conn) {
	sockopt.Linger(conn, true)
	conn.Close()
}

// begin and finish keep the figures of a hostname.
func (c *Connector) begin(hostname string) {
	c.mu.Lock()
	st := c.statsLocked(hostname)
	st.Connections++
	st.TotalConns++
	c.mu.Unlock()
	c.changed()
}

func (c *Connector) finish(t *trunk, s *stream, toOrigin, toClient uint64) {
	c.mu.Lock()
	st := c.statsLocked(s.hostname)
	st.Connections--
	st.BytesToOrigin += toOrigin
	st.BytesFromOrigin += toClient
	delete(t.streams, s.wire.ID())
	c.mu.Unlock()
	c.changed()
}

// codeOf is what the edge is told of a stream's end.
func (c *Connector) codeOf(s *stream, err error) wire.Code {
	c.mu.Lock()
	cut := s.cut
	c.mu.Unlock()
	switch {
	case cut != nil:
		return cut.Code
	case s.wire.Err() != nil:
		return reasonOf(s.wire.Err()).Code
	case err != nil:
		return reasonOf(err).Code
	}
	return wire.CodeClosed
}

// reasonOf is what the other end is told of an error.
func reasonOf(err error) *wire.Reason {
	var r *wire.Reason
	switch {
	case err == nil || errors.Is(err, context.Canceled):
		return &wire.Reason{Code: wire.CodeClosed}
	case errors.As(err, &r):
		return r
	}
	return &wire.Reason{Code: wire.CodeCarrierLost}
}
