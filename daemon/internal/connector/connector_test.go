package connector

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/daemon/internal/link/linktest"
	"github.com/sallyport/sallyport/wire"
)

// rig is a connector on a hand-written link, and a client that meets it.
type rig struct {
	*Connector
	t      *testing.T
	edge   *linktest.Edge
	host   *linktest.Peer
	client *linktest.Peer

	mu      sync.Mutex
	table   map[string]string
	reports chan *wire.StreamEnded
	health  chan bool
	stop    context.CancelFunc
}

// person is who the edge says that the client is.
var person = wire.PersonInfo{Issuer: "i", Subject: "alice"}

// amend says what the edge of linktest leaves out.
func amend(m wire.Message) wire.Message {
	switch m := m.(type) {
	case *wire.Offer:
		m.Person, m.ResumeMS = person, time.Hour.Milliseconds()
	case *wire.Grant:
		m.Person = person
	}
	return m
}

func newRig(t *testing.T, change func(e *linktest.Edge, c *Config)) *rig {
	t.Helper()
	e := linktest.New(t)
	r := &rig{t: t, edge: e, table: make(map[string]string), reports: make(chan *wire.StreamEnded, 4096), health: make(chan bool, 64)}
	c := Config{
		Table: r.lookup, Log: slog.New(slog.DiscardHandler),
		Report: func(m *wire.StreamEnded) { r.reports <- m },
		Health: func(_ string, sick bool) { r.health <- sick },
		Dial: func(ctx context.Context, id string, _ wire.Label) (net.Conn, string, error) {
			if id != linktest.EdgeID {
				return nil, "", errors.New("another edge")
			}
			var d net.Dialer
			conn, err := d.DialContext(ctx, "tcp", e.Addr())
			return conn, linktest.Name, err
		},
		Timing: Timing{Probe: 10 * time.Millisecond},
	}
	if change != nil {
		change(e, &c)
	}
	r.host = linktest.NewPeer(t, e, wire.RoleHost)
	c.Cert = r.host.Cert
	r.Connector = New(c)
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	var wg sync.WaitGroup
	wg.Go(func() { r.Run(ctx) })
	until(t, "Run to begin", func() bool { return r.tasks.Run(func(context.Context) {}) })
	wg.Go(func() {
		r.Online(r.host.Link)
		for {
			select {
			case m := <-r.host.Got:
				r.Handle(r.host.Link, amend(m))
			case <-ctx.Done():
				return
			}
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	r.client = linktest.NewPeer(t, e, wire.RoleClient)
	return r
}

func (r *rig) lookup(hostname string, port uint16) (string, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	origin, ok := r.table[hostname]
	return origin, ok && port == 0
}

func (r *rig) publish(origin string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.table[linktest.Hostname] = origin
}

// origin listens, publishes itself and gives each connection to serve.
func (r *rig) origin(network string, serve func(net.Conn)) {
	r.t.Helper()
	addr := "127.0.0.1:0"
	if network == "unix" {
		addr = filepath.Join(r.t.TempDir(), "origin.sock")
	}
	l, err := net.Listen(network, addr)
	if err != nil {
		r.t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { defer conn.Close(); serve(conn) })
		}
	})
	r.t.Cleanup(func() { l.Close(); wg.Wait() })
	if network == "unix" {
		r.publish("unix:" + addr)
	} else {
		r.publish("tcp://" + l.Addr().String())
	}
}

// upper answers in capitals what it was sent, once it has the whole.
func upper(conn net.Conn) {
	b, err := io.ReadAll(conn)
	if err != nil {
		return
	}
	io.WriteString(conn, strings.ToUpper(string(b)))
}

// open opens a stream on the trunk alone; ask has the edge grant it.
func (r *rig) open(t *wire.Trunk) *wire.Stream {
	r.t.Helper()
	s, err := t.Open(r.t.Context(), wire.NewStreamID(), wire.NewTraceID(), false)
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

func (r *rig) ask(t *wire.Trunk, id wire.StreamID) {
	r.t.Helper()
	if err := r.client.Send(&wire.OpenRequest{Trunk: t.ID(), Stream: id}); err != nil {
		r.t.Fatal(err)
	}
}

// serve opens a stream, has it granted and waits for the Verdict.
func (r *rig) serve(t *wire.Trunk) (*wire.Stream, error) {
	r.t.Helper()
	s := r.open(t)
	r.ask(t, s.ID())
	return s, s.Verdict(r.t.Context())
}

// transact sends a word, ends that direction and wants the answer.
func transact(t *testing.T, s *wire.Stream) {
	t.Helper()
	io.WriteString(s, "hello")
	if err := s.CloseWrite(); err != nil {
		t.Error(err)
	}
	if got, err := io.ReadAll(s); err != nil || string(got) != "HELLO" {
		t.Errorf("answer %q, %v", got, err)
	}
	s.Close()
}

func reason(err error) wire.Code {
	var r *wire.Reason
	if errors.As(err, &r) {
		return r.Code
	}
	return ""
}

func TestHalfCloseThroughARealOrigin(t *testing.T) {
	t.Parallel()
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, nil)
			r.origin(network, upper)
			trunk := r.client.Client(linktest.Hostname)
			s, err := r.serve(trunk)
			if err != nil {
				t.Fatal(err)
			}
			if st := r.Stats()[linktest.Hostname]; st.Connections != 1 || st.TotalConns != 1 {
				t.Errorf("%+v", st)
			}
			if refs := r.Streams(); len(refs) != 1 || refs[0].Stream != s.ID() || refs[0].Session != "s1" {
				t.Errorf("live streams %+v", refs)
			}
			transact(t, s)
			ended := <-r.reports
			if ended.Stream != s.ID() || ended.BytesToOrigin != 5 || ended.BytesToClient != 5 || ended.Code != wire.CodeClosed {
				t.Errorf("reported %+v", ended)
			}
			if st := r.Stats()[linktest.Hostname]; st.Connections != 0 || st.BytesToOrigin != 5 || st.BytesFromOrigin != 5 {
				t.Errorf("%+v", st)
			}
		})
	}
}

func TestOpenAndGrantInEitherOrder(t *testing.T) {
	t.Parallel()
	t.Run("grant first", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, nil)
		r.origin("tcp", upper)
		trunk := r.client.Client(linktest.Hostname)
		id := wire.NewStreamID()
		r.ask(trunk, id)
		until(t, "the grant", func() bool {
			r.Connector.mu.Lock()
			defer r.Connector.mu.Unlock()
			at := r.trunks[trunk.ID()]
			return at != nil && len(at.early) == 1
		})
		s, err := trunk.Open(t.Context(), id, wire.NewTraceID(), false)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Verdict(t.Context()); err != nil {
			t.Fatal(err)
		}
		transact(t, s)
	})
	t.Run("open first", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, nil)
		r.origin("tcp", upper)
		trunk := r.client.Client(linktest.Hostname)
		s := r.open(trunk)
		io.WriteString(s, "hello") // before the Verdict: held, and given to the origin after it
		until(t, "the open", func() bool { return r.waiting(trunk) == 1 })
		r.ask(trunk, s.ID())
		if err := s.Verdict(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.CloseWrite()
		if got, err := io.ReadAll(s); err != nil || string(got) != "HELLO" {
			t.Errorf("answer %q, %v", got, err)
		}
	})
}

func (r *rig) waiting(t *wire.Trunk) int {
	r.Connector.mu.Lock()
	defer r.Connector.mu.Unlock()
	if at := r.trunks[t.ID()]; at != nil {
		return at.waiting
	}
	return -1
}

// until asks until ok.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	late := time.After(20 * time.Second)
	for !ok() {
		select {
		case <-ticker.C:
		case <-late:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func TestNothingReachesTheOriginWithoutGrant(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(_ *linktest.Edge, c *Config) { c.Timing.Grant = 100 * time.Millisecond })
	r.origin("tcp", func(net.Conn) { t.Error("the origin was dialled") })
	trunk := r.client.Client(linktest.Hostname)
	s := r.open(trunk)
	io.WriteString(s, "secret")
	if err := s.Verdict(t.Context()); reason(err) != wire.CodeGrantTimeout {
		t.Errorf("without grant: %v", err)
	}
	until(t, "the end of the wait", func() bool { return r.waiting(trunk) == 0 })
}

func TestGrantWithoutOpenIsReported(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(_ *linktest.Edge, c *Config) { c.Timing.Grant = 50 * time.Millisecond })
	r.origin("tcp", upper)
	trunk := r.client.Client(linktest.Hostname)
	id := wire.NewStreamID()
	r.ask(trunk, id)
	if m := <-r.reports; m.Stream != id || m.Code != wire.CodeNeverOpened {
		t.Errorf("reported %+v", m)
	}
	// The grant has lapsed: an Open that comes now finds none.
	s, err := trunk.Open(t.Context(), id, wire.NewTraceID(), false)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Verdict(t.Context()); reason(err) != wire.CodeGrantTimeout {
		t.Errorf("a lapsed grant was used: %v", err)
	}
}

func TestGrantsThatAreNotUsed(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(_ *linktest.Edge, c *Config) { c.Timing.Grant = time.Minute })
	r.origin("tcp", upper)
	trunk := r.client.Client(linktest.Hostname)
	other := r.client.Client(linktest.Hostname)
	link := r.host.Link

	s := r.open(trunk)
	until(t, "the open", func() bool { return r.waiting(trunk) == 1 })
	good := wire.Grant{Trunk: trunk.ID(), Stream: s.ID(), Session: "s1", Hostname: linktest.Hostname}
	wrongTrunk, wrongName := good, good
	wrongTrunk.Trunk, wrongName.Hostname = other.ID(), "payroll.site.com"
	tests := []struct {
		name string
		link *wire.Link
		m    wire.Grant
		why  string
	}{
		{"of a trunk that is not known", link, wire.Grant{Trunk: wire.NewTrunkID(), Stream: s.ID(), Hostname: linktest.Hostname}, "no such trunk"},
		{"by another instance of the link", r.client.Link, good, "another instance"},
		{"for another hostname", link, wrongName, "another hostname"},
		{"for another trunk", link, wrongTrunk, ""}, // it waits for an Open there
		{"the right one", link, good, ""},
		{"the right one twice", link, good, "granted already"},
		{"for another trunk twice", link, wrongTrunk, "granted already"},
	}
	for _, tt := range tests {
		if why := r.grant(tt.link, &tt.m); !strings.Contains(why, tt.why) || (tt.why == "") != (why == "") {
			t.Errorf("%s: %q, want %q", tt.name, why, tt.why)
		}
		if tt.name == "for another trunk" && r.waiting(trunk) != 1 {
			t.Error("a grant for another trunk was used")
		}
	}
	if err := s.Verdict(t.Context()); err != nil {
		t.Fatal(err)
	}
	if why := r.grant(link, &good); why != "granted already" {
		t.Errorf("a grant of a live stream: %q", why)
	}
	transact(t, s)
}

func TestOriginsThatDoNotAnswer(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	tests := []struct {
		name, origin string
		timeout      time.Duration
		code         wire.Code
	}{
		{"closed port", "tcp://" + closed.Addr().String(), time.Second, wire.CodeOriginRefused},
		{"no such socket", "unix:" + filepath.Join(t.TempDir(), "none.sock"), time.Second, wire.CodeOriginRefused},
		{"no time", "tcp://127.0.0.1:1", time.Nanosecond, wire.CodeOriginTimeout},
		{"nonsense", "http://x", time.Second, wire.CodeOriginError},
		{"not published", "", time.Second, wire.CodeNoSuchTunnel},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(_ *linktest.Edge, c *Config) { c.Timing.OriginDial, c.Timing.Probe = tt.timeout, time.Hour })
			if tt.origin != "" {
				r.publish(tt.origin)
			}
			_, err := r.serve(r.client.Client(linktest.Hostname))
			if reason(err) != tt.code {
				t.Errorf("%v, want %s", err, tt.code)
			}
			if tt.origin != "" && err != nil && strings.Contains(err.Error(), strings.TrimPrefix(tt.origin, "tcp://")) {
				t.Errorf("the client is told the origin's address: %v", err)
			}
			if m := <-r.reports; m.Code != tt.code {
				t.Errorf("reported %+v", m)
			}
			st := r.Stats()[linktest.Hostname]
			if sick := tt.origin != ""; st.Sick != sick || (st.Problem != nil) != sick {
				t.Errorf("%+v, %v", st, st.Problem)
			}
		})
	}
}

func TestSickOriginRecovers(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	r := newRig(t, nil)
	r.publish("tcp://" + addr)
	if _, err := r.serve(r.client.Client(linktest.Hostname)); reason(err) != wire.CodeOriginRefused {
		t.Fatal(err)
	}
	if !<-r.health {
		t.Error("told well")
	}
	if l, err = net.Listen("tcp", addr); err != nil {
		t.Skipf("the port was taken by another: %v", err)
	}
	defer l.Close()
	if <-r.health {
		t.Error("told sick twice")
	}
	if st := r.Stats()[linktest.Hostname]; st.Sick || st.Problem != nil {
		t.Errorf("%+v", st)
	}
}

// A cut resets the origin, tells the client why, and is confirmed.
func TestCut(t *testing.T) {
	t.Parallel()
	for _, whole := range []bool{false, true} {
		name := "a stream"
		if whole {
			name = "a trunk"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			done := make(chan *wire.CutDone, 1)
			r := newRig(t, func(e *linktest.Edge, _ *Config) {
				e.Handle = func(_ *linktest.Conn, _ uint32, m wire.Message) bool {
					if m, ok := m.(*wire.CutDone); ok {
						done <- m
					}
					return false
				}
			})
			atOrigin := make(chan error, 2)
			r.origin("tcp", func(c net.Conn) {
				io.WriteString(c, "x")
				_, err := c.Read(make([]byte, 1))
				atOrigin <- err
			})
			trunk := r.client.Client(linktest.Hostname)
			s, err := r.serve(trunk)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(s, make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			cut := &wire.Cut{Trunk: trunk.ID(), Stream: s.ID(), Reason: wire.Reason{Code: wire.CodeRevoked, Text: "by root"}}
			if whole {
				cut.Stream = wire.StreamID{}
			}
			r.edge.WaitLink(wire.RoleHost).Send(cut)
			if err := <-atOrigin; err == nil || errors.Is(err, io.EOF) {
				t.Errorf("the origin reads %v, not a reset", err)
			}
			if !whole {
				if m := <-done; m.Stream != s.ID() || m.Trunk != trunk.ID() {
					t.Errorf("confirmed %+v", m)
				}
				<-s.Done()
				if reason(s.Err()) != wire.CodeRevoked {
					t.Errorf("the client is told %v", s.Err())
				}
			}
			if m := r.edge.WaitEnded(1)[0]; m.Code != wire.CodeRevoked || m.BytesToClient != 1 {
				t.Errorf("reported %+v", m)
			}
		})
	}
}

func TestLostLink(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		back   bool
		closes bool
	}{{"for good", false, true}, {"and back", true, false}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(_ *linktest.Edge, c *Config) { c.Timing.WithoutLink = 300 * time.Millisecond })
			r.origin("tcp", upper)
			trunk := r.client.Client(linktest.Hostname)
			s, err := r.serve(trunk)
			if err != nil {
				t.Fatal(err)
			}
			waiting := r.open(trunk)
			until(t, "the open", func() bool { return r.waiting(trunk) == 1 })
			r.Offline(r.host.Link)
			if err := waiting.Verdict(t.Context()); reason(err) != wire.CodeNoConnector {
				t.Errorf("an open without grant: %v", err)
			}
			if err := r.open(trunk).Verdict(t.Context()); reason(err) != wire.CodeNoConnector {
				t.Errorf("an open after the loss: %v", err)
			}
			if tt.back {
				r.Online(r.client.Link) // any other instance
			}
			limit := time.NewTimer(600 * time.Millisecond)
			select {
			case <-trunk.Done():
				if !tt.closes {
					t.Error("the trunk was closed although the host is back")
				}
			case <-limit.C:
				if tt.closes {
					t.Error("the trunk outlives the host's link")
				} else {
					transact(t, s) // what was granted goes on
				}
			}
		})
	}
}

func TestTooManyUngranted(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.origin("tcp", upper)
	trunk := r.client.Client(linktest.Hostname)
	var streams []*wire.Stream
	for range wire.MaxUngranted {
		streams = append(streams, r.open(trunk))
	}
	until(t, "the opens", func() bool { return r.waiting(trunk) == wire.MaxUngranted })
	for _, s := range streams {
		s.Reset(&wire.Reason{Code: wire.CodeDenied})
	}
	until(t, "their ends", func() bool { return r.waiting(trunk) == 0 })
	s, err := r.serve(trunk)
	if err != nil {
		t.Fatalf("an honest stream afterwards: %v", err)
	}
	transact(t, s)
}

func TestOffersThatAreNotTaken(t *testing.T) {
	t.Parallel()
	failed := make(chan *wire.OfferFailed, 4)
	r := newRig(t, func(e *linktest.Edge, _ *Config) {
		e.Handle = func(_ *linktest.Conn, _ uint32, m wire.Message) bool {
			if m, ok := m.(*wire.OfferFailed); ok {
				failed <- m
			}
			return false
		}
	})
	good := wire.Offer{Carrier: wire.CarrierTrunk, Label: wire.NewLabel(), ClientLabel: wire.NewLabel(), EdgeID: linktest.EdgeID}
	lane, otherEdge, noTicket := good, good, good
	lane.Carrier, otherEdge.EdgeID = wire.CarrierLane, "edge-of-mallory"
	for _, tt := range []struct {
		name  string
		offer *wire.Offer
		code  wire.Code
	}{
		{"a lane", &lane, wire.CodeInvalid},
		{"an edge that is not configured", &otherEdge, wire.CodeTicketFailed},
		{"a ticket that the edge does not know", &noTicket, wire.CodeTicketFailed},
	} {
		tt.offer.Trunk = wire.NewTrunkID()
		r.Handle(r.host.Link, tt.offer)
		if m := <-failed; m.Trunk != tt.offer.Trunk || m.Reason.Code != tt.code {
			t.Errorf("%s: told %+v, want %s", tt.name, m, tt.code)
		}
	}
	until(t, "an empty table", func() bool {
		r.Connector.mu.Lock()
		defer r.Connector.mu.Unlock()
		return len(r.trunks) == 0
	})
}
