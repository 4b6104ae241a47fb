package connector

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"time"

	"github.com/sallyport/sallyport/daemon/internal/connector/origin"
	"github.com/sallyport/sallyport/internal/pipe"
	"github.com/sallyport/sallyport/internal/procs"
	"github.com/sallyport/sallyport/internal/sockopt"
	"github.com/sallyport/sallyport/wire"
)

// stream is one stream, from its Open until edge and client know of its end. Its
// fields are guarded by Connector.mu, but for those that never change.
type stream struct {
	wire *wire.Stream // never changes
	// granted has one slot and takes one grant.
	granted  chan *wire.Grant
	trunk    *trunk // that carries it, or carried it last
	hostname string // "" until the grant is there
	port     uint16
	origin   net.Conn     // nil until dialled
	cut      *wire.Reason // set where the edge ended it
	said     bool         // the edge was told of its end
	untold   bool         // its trunk was lost: the client does not know how it goes on
	over     bool         // it has ended, and is kept because it is untold
}

// grantLocked takes a grant; false where there was one.
func (s *stream) grantLocked(g *wire.Grant) bool {
	if s.hostname != "" {
		return false
	}
	s.hostname, s.port = g.Hostname, g.Port
	s.granted <- g
	return true
}

// endedLocked is what the edge is to be told of the stream's end, once.
func (s *stream) endedLocked(code wire.Code) *wire.StreamEnded {
	if s.said || s.hostname == "" {
		return nil
	}
	s.said = true
	toClient, toOrigin := s.wire.Counters()
	return &wire.StreamEnded{
		Trunk: s.trunk.offer.Trunk, Stream: s.wire.ID(), BytesToOrigin: toOrigin, BytesToClient: toClient,
		BytesReplayed: s.wire.Replayed(), Code: code,
	}
}

// accept takes an Open. What is without grant is bounded per trunk.
func (c *Connector) accept(t *trunk, w *wire.Stream) {
	s := &stream{wire: w, trunk: t, granted: make(chan *wire.Grant, 1)}
	c.mu.Lock()
	g := t.dropGrantLocked(w.ID())
	var refusal *wire.Reason
	switch {
	case t.streams[w.ID()] != nil || c.held[w.ID()] != nil:
		refusal = &wire.Reason{Code: wire.CodeProtocol, Text: "the stream is open already"}
	case g != nil && g.Resumes:
		refusal = &wire.Reason{Code: wire.CodeProtocol, Text: "the stream is to go on, not to be opened"}
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
		} else {
			c.held[w.ID()] = s
		}
	}
	c.mu.Unlock()
	if refusal == nil && c.tasks.Soon(func(ctx context.Context) { c.serve(ctx, t, s, g == nil) }) {
		return
	}
	if refusal == nil {
		refusal = errStopped
		c.mu.Lock()
		c.dropLocked(s)
		c.mu.Unlock()
	}
	if g != nil {
		c.neverOpened(g)
	}
	w.Refuse(refusal)
}

// serve waits for a stream's grant, admits it and has it carried, on its trunk and on
// those that follow. waits says that it is counted in t.waiting.
func (c *Connector) serve(ctx context.Context, t *trunk, s *stream, waits bool) {
	procs.Stir()
	g, refusal := c.await(t, s.granted, s.wire)
	c.mu.Lock()
	if waits {
		t.waiting--
	}
	var ended *wire.StreamEnded
	if refusal != nil {
		ended = s.endedLocked(refusal.Code) // the grant came at the same moment
		if ended == nil && refusal == errGone {
			t.goneLocked(s.wire.ID())
		}
		c.dropLocked(s)
	}
	c.mu.Unlock()
	if ended != nil {
		c.report(ended)
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
	conn, err := c.admit(t, s, g)
	if err != nil {
		c.closed(s, err, log)
		return
	}
	carry := func(ctx context.Context) { c.closed(s, pipe.Join(ctx, conn, s.wire).Err, log) }
	if !c.tasks.Run(carry) { // it may rest for days, on a stack that dialling has not grown
		carry(ctx)
	}
}

// closed is what follows a stream that was granted.
func (c *Connector) closed(s *stream, err error, log *slog.Logger) {
	toClient, toOrigin := s.wire.Counters()
	ended, code := c.finish(s, err)
	log.Debug("stream closed", "code", code, "bytes_to_origin", toOrigin, "bytes_to_client", toClient, "err", err)
	if ended != nil {
		c.report(ended)
	}
	c.changed()
}

// errGone: the client has reset a stream before its Verdict.
var errGone = &wire.Reason{Code: wire.CodeNeverOpened}

// await waits for the grant of what began on a trunk.
func (c *Connector) await(t *trunk, granted <-chan *wire.Grant, w *wire.Stream) (*wire.Grant, *wire.Reason) {
	timer := time.NewTimer(c.timing.Grant)
	defer timer.Stop()
	select {
	case g := <-granted:
		return g, nil
	default:
	}
	select {
	case g := <-granted:
		return g, nil
	case <-timer.C:
		return nil, &wire.Reason{Code: wire.CodeGrantTimeout, Text: "the edge's word did not come to the host"}
	case <-t.orphaned:
		return nil, &wire.Reason{Code: wire.CodeNoConnector, Text: "the host lost its link to the edge"}
	case <-w.Done():
		return nil, errGone
	case <-t.ctx.Done():
		return nil, reasonOf(context.Cause(t.ctx))
	}
}

// admit dials the origin of a granted stream. Where it fails, the client is told.
func (c *Connector) admit(t *trunk, s *stream, g *wire.Grant) (net.Conn, error) {
	at, ok := c.cfg.Table(g.Hostname, g.Port)
	if !ok {
		r := &wire.Reason{Code: wire.CodeNoSuchTunnel, Text: "the host does not publish " + g.Hostname}
		s.wire.Refuse(r)
		return nil, r
	}
	conn, err := origin.Dial(t.ctx, at, c.timing.OriginDial)
	if t.ctx.Err() != nil && err != nil {
		s.wire.Refuse(reasonOf(context.Cause(t.ctx)))
		return nil, context.Cause(t.ctx)
	}
	c.healthOf(g.Hostname, at, err)
	if err != nil {
		r := origin.Reason(err)
		s.wire.Refuse(r)
		return nil, r
	}
	sockopt.Local(conn)
	if r := c.setOrigin(s, conn); r != nil {
		abort(conn)
		return nil, r
	}
	if err := s.wire.Admit(); err != nil {
		abort(conn)
		return nil, errGone
	}
	return conn, nil
}

// setOrigin notes what a cut has to reset; a cut that was faster is returned.
func (c *Connector) setOrigin(s *stream, conn net.Conn) *wire.Reason {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.origin = conn
	return s.cut
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

func (c *Connector) finish(s *stream, err error) (*wire.StreamEnded, wire.Code) {
	toClient, toOrigin := s.wire.Counters()
	c.mu.Lock()
	defer c.mu.Unlock()
	st := c.statsLocked(s.hostname)
	st.Connections--
	st.BytesToOrigin += toOrigin
	st.BytesFromOrigin += toClient
	st.Replayed += s.wire.Replayed()
	code := c.codeOfLocked(s, err)
	ended := s.endedLocked(code)
	s.origin = nil
	if s.untold && s.cut == nil {
		s.over = true // its client hears of it when it comes back
	} else {
		c.dropLocked(s)
	}
	return ended, code
}

// dropLocked forgets a stream.
func (c *Connector) dropLocked(s *stream) {
	id := s.wire.ID()
	if c.held[id] == s {
		delete(c.held, id)
	}
	if s.trunk.streams[id] == s {
		delete(s.trunk.streams, id)
	}
	c.emptyLocked(s.trunk)
}

// codeOfLocked is what the edge is told of a stream's end.
func (c *Connector) codeOfLocked(s *stream, err error) wire.Code {
	switch {
	case s.cut != nil:
		return s.cut.Code
	case err == errGone:
		return errGone.Code
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
