package connector

import (
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/daemon/internal/link/linktest"
	"github.com/sallyport/sallyport/wire"
)

// resumer is a rig whose host keeps streams, with an origin that echoes.
type resumer struct {
	*rig
	dials   atomic.Int32
	ends    chan error // of what the origin reads
	control chan wire.Message
}

func newResumer(t *testing.T, change func(c *Config)) *resumer {
	t.Helper()
	r := &resumer{ends: make(chan error, 64), control: make(chan wire.Message, 4096)}
	r.rig = newRig(t, func(e *linktest.Edge, c *Config) {
		c.ResumeWindow = time.Minute
		e.Handle = func(_ *linktest.Conn, _ uint32, m wire.Message) bool {
			switch m.(type) {
			case *wire.CutDone, *wire.StreamEnded:
				r.control <- m
			}
			return false
		}
		if change != nil {
			change(c)
		}
	})
	r.origin("tcp", func(c net.Conn) {
		r.dials.Add(1)
		_, err := io.Copy(c, struct{ io.Reader }{c})
		r.ends <- err
	})
	t.Cleanup(func() { r.stop() }) // before the origin is waited for
	return r
}

// originOnce takes the place of the echo.
func (r *resumer) originOnce(serve func(net.Conn)) {
	r.origin("tcp", serve)
	r.t.Cleanup(func() { r.stop() })
}

// trunk makes a trunk of a peer on which streams are kept.
func (r *resumer) trunk(p *linktest.Peer) *wire.Trunk {
	r.t.Helper()
	return r.carrier(p, wire.CarrierTrunk)
}

// carrier makes a trunk or a lane.
func (r *resumer) carrier(p *linktest.Peer, kind wire.CarrierKind) *wire.Trunk {
	r.t.Helper()
	answer, err := p.Call(r.t.Context(), &wire.TicketRequest{Session: "s1", Hostname: linktest.Hostname, Carrier: kind})
	if err != nil {
		r.t.Fatal(err)
	}
	ticket := answer.(*wire.Ticket)
	raw, err := net.Dial("tcp", r.edge.Addr())
	if err != nil {
		r.t.Fatal(err)
	}
	t, err := wire.DialTrunk(r.t.Context(), raw, wire.TrunkConfig{
		ID: ticket.Trunk, Cert: p.Cert, PeerKey: ticket.HostKey, ServerName: ticket.Label.ServerName(linktest.Name), Resume: true,
		Carrier: kind,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { t.CloseWith(nil); <-t.Done() })
	return t
}

// served is a stream that carried something.
func (r *resumer) served(t *wire.Trunk, id wire.StreamID) *wire.Stream {
	r.t.Helper()
	s, err := t.Open(r.t.Context(), id, wire.NewTraceID(), false)
	if err != nil {
		r.t.Fatal(err)
	}
	r.ask(t, s.ID())
	if err := s.Verdict(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	r.echo(s)
	r.t.Cleanup(func() { s.Reset(nil) })
	return s
}

func (r *resumer) echo(s *wire.Stream) {
	r.t.Helper()
	io.WriteString(s, "hello")
	got := make([]byte, 5)
	if _, err := io.ReadFull(s, got); err != nil || string(got) != "hello" {
		r.t.Fatalf("echo %q, %v", got, err)
	}
}

// lose breaks all trunks; the host has parked their streams when it returns.
func (r *resumer) lose(t *wire.Trunk) {
	r.t.Helper()
	r.edge.CloseTrunks()
	<-t.Done()
	until(r.t, "the streams to be parked", func() bool {
		r.Connector.mu.Lock()
		defer r.Connector.mu.Unlock()
		at := r.trunks[t.ID()]
		return at == nil || at.isLost()
	})
}

func (r *resumer) again(t *wire.Trunk, id wire.StreamID) *wire.Grant {
	return &wire.Grant{
		Trunk: t.ID(), Stream: id, Session: "s2", Person: person, Hostname: linktest.Hostname, Resumes: true,
	}
}

func (r *resumer) attach(t *wire.Trunk, s *wire.Stream) {
	r.t.Helper()
	if err := t.Attach(r.t.Context(), s); err != nil {
		r.t.Fatal(err)
	}
}

func (r *resumer) stat() Stats { return r.Stats()[linktest.Hostname] }

func TestStreamGoesOnWithAnotherTrunk(t *testing.T) {
	t.Parallel()
	for _, first := range []string{"grant", "attach", "before the loss is known"} {
		t.Run(first+" first", func(t *testing.T) {
			t.Parallel()
			r := newResumer(t, nil)
			before := r.trunk(r.client)
			s := r.served(before, wire.NewStreamID())
			live := first == "before the loss is known"
			if !live {
				r.lose(before)
				if st := r.stat(); st.Resuming != 1 || st.Since.IsZero() || st.Connections != 1 {
					t.Errorf("parked: %+v", st)
				}
			}
			if refs := r.Streams(); len(refs) != 1 || !refs[0].Parked || refs[0].Hostname != linktest.Hostname || refs[0].Trunk != before.ID() {
				t.Errorf("listed: %+v", refs)
			}
			after := r.trunk(r.client)
			g := r.again(after, s.ID())
			if first == "grant" {
				r.Handle(r.host.Link, g)
			}
			r.attach(after, s)
			if first != "grant" {
				until(t, "the attach", func() bool { return r.waiting(after) == 1 })
				r.Handle(r.host.Link, g)
			}
			r.echo(s)
			st := r.stat()
			if n := r.dials.Load(); n != 1 || st.Resuming != 0 || st.Resumed != 1 || st.Connections != 1 || st.TotalConns != 1 {
				t.Errorf("%d dials, %+v", n, st)
			}
			if refs := r.Streams(); len(refs) != 1 || refs[0].Trunk != after.ID() {
				t.Errorf("listed: %+v", refs)
			}
			s.CloseWrite()
			io.ReadAll(s)
			if m := <-r.reports; m.Stream != s.ID() || m.BytesToOrigin != 10 || m.BytesToClient != 10 || m.Code != wire.CodeClosed {
				t.Errorf("reported %+v", m)
			}
			until(t, "an empty table", func() bool {
				r.Connector.mu.Lock()
				defer r.Connector.mu.Unlock()
				return len(r.held) == 0 && r.trunks[before.ID()] == nil == !live
			})
		})
	}
}

// What the origin did meanwhile is told on the next trunk.
func TestEndsWhileItIsParked(t *testing.T) {
	t.Parallel()
	r := newResumer(t, nil)
	next := make(chan struct{})
	r.originOnce(func(c net.Conn) {
		io.ReadFull(c, make([]byte, 5))
		io.WriteString(c, "hello")
		<-next
		io.WriteString(c, "last words")
		c.(*net.TCPConn).CloseWrite()
		io.Copy(io.Discard, c)
	})
	before := r.trunk(r.client)
	s := r.served(before, wire.NewStreamID())
	r.lose(before)
	close(next)
	after := r.trunk(r.client)
	r.Handle(r.host.Link, r.again(after, s.ID()))
	r.attach(after, s)
	if got, err := io.ReadAll(s); err != nil || string(got) != "last words" {
		t.Errorf("read %q, %v", got, err)
	}
	s.CloseWrite()
	if m := <-r.reports; m.Code != wire.CodeClosed {
		t.Errorf("reported %+v", m)
	}
}

// A stream that its origin resets while it is parked is over for the edge, and its
// client hears why when it comes back.
func TestResetWhileItIsParked(t *testing.T) {
	t.Parallel()
	r := newResumer(t, nil)
	next := make(chan struct{})
	r.originOnce(func(c net.Conn) {
		io.ReadFull(c, make([]byte, 5))
		io.WriteString(c, "hello")
		<-next
		c.(*net.TCPConn).SetLinger(0)
	})
	before := r.trunk(r.client)
	s := r.served(before, wire.NewStreamID())
	r.lose(before)
	close(next)
	if m := <-r.reports; m.Code != wire.CodeReset {
		t.Errorf("reported %+v", m)
	}
	if refs := r.Streams(); len(refs) != 0 {
		t.Errorf("listed: %+v", refs)
	}
	after := r.trunk(r.client)
	r.Handle(r.host.Link, r.again(after, s.ID()))
	r.attach(after, s)
	<-s.Done()
	if reason(s.Err()) != wire.CodeReset {
		t.Errorf("the client hears %v", s.Err())
	}
	if m := <-r.reports; m.Code != wire.CodeReset || m.Trunk != after.ID() && m.Trunk != before.ID() {
		t.Errorf("the row that was made again ends with %+v", m)
	}
}

func TestParkedExpires(t *testing.T) {
	t.Parallel()
	r := newResumer(t, func(c *Config) { c.ResumeWindow = 50 * time.Millisecond })
	before := r.trunk(r.client)
	s := r.served(before, wire.NewStreamID())
	r.lose(before)
	if err := <-r.ends; err == nil {
		t.Error("the origin sees an orderly end")
	}
	if m := <-r.reports; m.Stream != s.ID() || m.Code != wire.CodeCarrierLost {
		t.Errorf("reported %+v", m)
	}
	until(t, "an empty table", func() bool {
		r.Connector.mu.Lock()
		defer r.Connector.mu.Unlock()
		return len(r.held)+len(r.trunks) == 0
	})
	if st := r.stat(); st.Expired != 1 || st.Connections != 0 || st.Resuming != 0 {
		t.Errorf("%+v", st)
	}
}

// Without a window of its own, or of the edge's, a host keeps nothing.
func TestNothingIsParkedWithoutWindow(t *testing.T) {
	t.Parallel()
	r := newResumer(t, func(c *Config) { c.ResumeWindow = 0 })
	before := r.trunk(r.client)
	r.served(before, wire.NewStreamID())
	r.edge.CloseTrunks()
	if err := <-r.ends; err == nil {
		t.Error("the origin sees an orderly end")
	}
	if m := <-r.reports; m.Code != wire.CodeCarrierLost {
		t.Errorf("reported %+v", m)
	}
}

// The cut of what is parked is at once, and its end is told before it is confirmed.
func TestCutWhileParked(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"by its id alone", "with its trunk"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newResumer(t, nil)
			before := r.trunk(r.client)
			s := r.served(before, wire.NewStreamID())
			r.lose(before)
			why := wire.Reason{Code: wire.CodeRevoked, Text: "by root"}
			edge := r.edge.WaitLink(wire.RoleHost)
			if name == "with its trunk" {
				edge.Send(&wire.Cut{Trunk: before.ID(), Reason: why})
			}
			edge.Send(&wire.Cut{Trunk: wire.NewTrunkID(), Stream: s.ID(), Reason: why})
			if err := <-r.ends; err == nil {
				t.Error("the origin sees an orderly end")
			}
			if m, ok := (<-r.control).(*wire.StreamEnded); !ok || m.Stream != s.ID() || m.Code != wire.CodeRevoked || m.BytesToOrigin != 5 {
				t.Errorf("told %+v", m)
			}
			if m, ok := (<-r.control).(*wire.CutDone); !ok || m.Stream != s.ID() {
				t.Errorf("told %+v", m)
			}
			after := r.trunk(r.client)
			r.attach(after, s)
			r.Handle(r.host.Link, r.again(after, s.ID()))
			<-s.Done()
			if reason(s.Err()) != wire.CodeCarrierLost {
				t.Errorf("a stream that was cut: %v", s.Err())
			}
		})
	}
}

// When the host's own link stays away its streams wait, too.
func TestLostLinkParksStreams(t *testing.T) {
	t.Parallel()
	r := newResumer(t, func(c *Config) { c.Timing.WithoutLink = 20 * time.Millisecond })
	before := r.trunk(r.client)
	s := r.served(before, wire.NewStreamID())
	r.Offline(r.host.Link)
	<-before.Done()
	if s.Parked().IsZero() {
		t.Errorf("the client's stream is not parked: %v", s.Err())
	}
	r.Online(r.host.Link)
	after := r.trunk(r.client)
	r.Handle(r.host.Link, r.again(after, s.ID()))
	r.attach(after, s)
	r.echo(s)
}

// Who may not go on with a stream is reset, and the one who may still can.
func TestStrangersDoNotResume(t *testing.T) {
	t.Parallel()
	bob := wire.PersonInfo{Issuer: "i", Subject: "bob"}
	tests := []struct {
		name  string
		other bool // by another key
		lost  bool // the trunk ends: with another one a grant may come
		grant func(g *wire.Grant) *wire.Grant
	}{
		{"another key", true, false, func(g *wire.Grant) *wire.Grant { return g }},
		{"another person", false, false, func(g *wire.Grant) *wire.Grant { g.Person = bob; return g }},
		{"another port", false, false, func(g *wire.Grant) *wire.Grant { g.Port = 22; return g }},
		{"no grant", false, true, func(*wire.Grant) *wire.Grant { return nil }},
		{"a grant to open", false, true, func(g *wire.Grant) *wire.Grant { g.Resumes = false; return g }},
		{"a grant for another stream", false, true, func(g *wire.Grant) *wire.Grant { g.Stream = wire.NewStreamID(); return g }},
		{"a grant for another trunk", false, true, func(g *wire.Grant) *wire.Grant { g.Trunk = wire.NewTrunkID(); return g }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newResumer(t, func(c *Config) { c.Timing.Grant = time.Second })
			before := r.trunk(r.client)
			s := r.served(before, wire.NewStreamID())
			r.lose(before)
			stolen := steal(t, s.ID())
			peer := r.client
			if tt.other {
				peer = linktest.NewPeer(t, r.edge, wire.RoleClient)
			}
			hers := r.trunk(peer)
			if g := tt.grant(r.again(hers, s.ID())); g != nil {
				r.Handle(r.host.Link, g)
			}
			r.attach(hers, stolen)
			select {
			case <-stolen.Done():
				if reason(stolen.Err()) != wire.CodeCarrierLost {
					t.Errorf("the stranger hears %v", stolen.Err())
				}
			case <-hers.Done():
				if !tt.lost {
					t.Error("the trunk ended")
				}
				stolen.Reset(nil)
			}
			after := r.trunk(r.client)
			r.Handle(r.host.Link, r.again(after, s.ID()))
			r.attach(after, s)
			r.echo(s)
			if n := r.dials.Load(); n != 1 {
				t.Errorf("the origin was dialled %d times", n)
			}
		})
	}
}

// steal gives a stream of an id that is parked at its client.
func steal(t *testing.T, id wire.StreamID) *wire.Stream {
	t.Helper()
	r := newResumer(t, nil)
	trunk := r.trunk(r.client)
	s := r.served(trunk, id)
	r.lose(trunk)
	return s
}

// An id that the host does not know opens nothing.
func TestUnknownStreamIsNotOpened(t *testing.T) {
	t.Parallel()
	r := newResumer(t, nil)
	stolen := steal(t, wire.NewStreamID())
	trunk := r.trunk(r.client)
	r.attach(trunk, stolen)
	r.Handle(r.host.Link, r.again(trunk, stolen.ID()))
	<-stolen.Done()
	if reason(stolen.Err()) != wire.CodeCarrierLost || r.dials.Load() != 0 {
		t.Errorf("ended with %v after %d dials", stolen.Err(), r.dials.Load())
	}
	if m := <-r.reports; m.Stream != stolen.ID() {
		t.Errorf("reported %+v", m)
	}
}

// An ATTACH whose epoch is not higher breaks the protocol; the stream lives on.
func TestOldEpochEndsTheTrunk(t *testing.T) {
	t.Parallel()
	r := newResumer(t, nil)
	before := r.trunk(r.client)
	s := r.served(before, wire.NewStreamID())
	r.lose(before)
	stolen := steal(t, s.ID())
	after := r.trunk(r.client)
	r.Handle(r.host.Link, r.again(after, s.ID()))
	r.attach(after, s)
	r.echo(s)
	hers := r.trunk(r.client)
	r.Handle(r.host.Link, r.again(hers, s.ID()))
	r.attach(hers, stolen)
	<-hers.Done()
	r.echo(s)
}

// Of two ATTACHes on one trunk the second is refused while the first waits; the trunk
// that has the stream takes one, since its client has left it.
func TestAttachTwice(t *testing.T) {
	t.Parallel()
	r := newResumer(t, nil)
	before := r.trunk(r.client)
	s := r.served(before, wire.NewStreamID())
	stolen := steal(t, s.ID())
	r.attach(before, s)
	until(t, "the attach", func() bool { return r.waiting(before) == 1 })
	r.attach(before, stolen)
	<-stolen.Done()
	if reason(stolen.Err()) != wire.CodeCarrierLost {
		t.Errorf("ended with %v", stolen.Err())
	}
	for _, resumes := range []bool{true, false} {
		g := r.again(before, s.ID())
		g.Resumes = resumes
		if why := r.grant(r.host.Link, g); resumes != (why == "") {
			t.Errorf("a grant to go on, %t: %q", resumes, why)
		}
	}
	r.echo(s)
}

// The end of the daemon is a reset at the origin, also of what is parked.
func TestStopEndsWhatIsParked(t *testing.T) {
	t.Parallel()
	r := newResumer(t, nil)
	before := r.trunk(r.client)
	r.served(before, wire.NewStreamID())
	r.lose(before)
	r.stop()
	if err := <-r.ends; err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("the origin reads %v", err)
	}
}
