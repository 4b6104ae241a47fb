package linktest

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/wire"
)

// Name and ID of the edge, and the hostname that its tests use.
const (
	Name     = "edge.site.com"
	EdgeID   = "edge-1"
	Hostname = "tcp.site.com"
)

// Edge is one edge on loopback. Its hooks are set before the first connection.
type Edge struct {
	t    testing.TB
	ca   *CA
	cert tls.Certificate

	// Welcome answers a hello; nil means DefaultWelcome.
	Welcome func(c *Conn, h *wire.Hello) wire.Message
	// Handle may take a message; where it returns false, the edge does.
	Handle func(c *Conn, req uint32, m wire.Message) bool
	// ResumeMS is how long streams may wait for another trunk; 0: not at all.
	ResumeMS int64
	// Decide says why a stream is denied; nil admits.
	Decide func(hostname string) *wire.Reason

	mu       sync.Mutex
	listener net.Listener
	addr     string
	conns    map[net.Conn]struct{}
	links    map[*Conn]struct{}
	host     *Conn
	labels   map[wire.Label]side
	tickets  map[wire.TrunkID]*ticket
	ended    []*wire.StreamEnded
	hellos   []*wire.Hello
	wg       sync.WaitGroup
	stopped  chan struct{} // closed by Stop
	arrived  chan struct{} // closed, and replaced, when something happened
}

// Conn is one link as the edge sees it.
type Conn struct {
	*wire.Link
	Key   wire.KeyID
	Hello *wire.Hello
	raw   net.Conn
}

// ticket joins two connections.
type ticket struct {
	id       wire.TrunkID
	client   *Conn
	host     *Conn
	hostname string
	first    chan net.Conn // the side that came first waits here
	done     chan struct{} // closed when both are over
}

// side is one side of a ticket.
type side struct {
	*ticket
	host bool
}

// New starts an edge that ends with the test.
func New(t testing.TB) *Edge {
	t.Helper()
	ca := NewCA(t)
	e := &Edge{
		t: t, ca: ca, cert: ca.Issue(t, Name, time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)),
		conns: make(map[net.Conn]struct{}), links: make(map[*Conn]struct{}),
		labels: make(map[wire.Label]side), tickets: make(map[wire.TrunkID]*ticket), arrived: make(chan struct{}),
	}
	e.Start()
	t.Cleanup(func() { e.Stop(); e.wg.Wait() })
	return e
}

// Addr is where it listens, CAPEM what it is checked against.
func (e *Edge) Addr() string { return e.addr }

// CAPEM is what its certificate is checked against.
func (e *Edge) CAPEM() string { return e.ca.PEM }

// Start listens, again at the same address after Stop.
func (e *Edge) Start() {
	e.t.Helper()
	addr := e.addr
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		e.t.Fatal(err)
	}
	e.mu.Lock()
	e.listener, e.addr, e.stopped = l, l.Addr().String(), make(chan struct{})
	e.mu.Unlock()
	e.wg.Go(func() { e.accept(l) })
}

// Stop ends the listener and every connection, as a crash would.
func (e *Edge) Stop() {
	e.mu.Lock()
	l := e.listener
	e.listener = nil
	var all []net.Conn
	for c := range e.conns {
		all = append(all, c)
	}
	e.mu.Unlock()
	if l != nil {
		l.Close()
		close(e.stopped)
	}
	for _, c := range all {
		c.Close()
	}
}

func (e *Edge) accept(l net.Listener) {
	for {
		raw, err := l.Accept()
		if err != nil {
			return
		}
		e.mu.Lock()
		e.conns[raw] = struct{}{}
		e.mu.Unlock()
		e.wg.Go(func() {
			e.serve(raw)
			raw.Close()
			e.mu.Lock()
			delete(e.conns, raw)
			e.mu.Unlock()
		})
	}
}

// serve tells links from the two sides of tickets by their first record.
func (e *Edge) serve(raw net.Conn) {
	p := &peeked{Conn: raw}
	var name string
	config := &tls.Config{GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		name = h.ServerName
		return nil, errPeeked
	}}
	tls.Server(&recorder{p}, config).Handshake()
	if label, ok := wire.LabelOf(name); ok {
		e.side(p, label)
		return
	}
	e.serveLink(p)
}

func (e *Edge) serveLink(raw net.Conn) {
	conn := tls.Server(raw, wire.LinkServerConfig(func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &e.cert, nil }))
	if conn.Handshake() != nil {
		return
	}
	key, err := wire.PeerKeyID(conn.ConnectionState())
	if err != nil {
		return
	}
	c := &Conn{Link: wire.NewLink(conn), Key: key, raw: raw}
	c.Run(context.Background(), func(req uint32, m wire.Message) { e.handle(c, req, m) })
	e.mu.Lock()
	delete(e.links, c)
	if e.host == c {
		e.host = nil
	}
	e.mu.Unlock()
	e.happened()
}

// DefaultWelcome answers a hello without a session token by a plain welcome,
// and one with by the session "s1" and the token with "+" added.
func DefaultWelcome(h *wire.Hello) *wire.Welcome {
	w := &wire.Welcome{Version: wire.Version, EdgeID: EdgeID, EdgeName: Name, EdgeTime: time.Now()}
	if h.SessionToken != "" {
		w.Session, w.SessionToken = Session("s1"), h.SessionToken+"+"
	}
	if h.Role == wire.RoleHost {
		w.Connector = &wire.ConnectorInfo{ID: "c1", Group: "g1", Site: "site.com", Hostnames: []string{"*.site.com"}}
	}
	return w
}

// Session is alice's.
func Session(id string) *wire.SessionInfo {
	return &wire.SessionInfo{
		ID: id, Person: wire.PersonInfo{Issuer: "i", Subject: "alice", Email: "alice@site.com"},
		StartedAt: time.Now().Add(-time.Hour).UTC().Round(0), ExpiresAt: time.Now().Add(11 * time.Hour).UTC().Round(0),
	}
}

func (e *Edge) handle(c *Conn, req uint32, m wire.Message) {
	if h, ok := m.(*wire.Hello); ok {
		e.hello(c, req, h)
		return
	}
	if e.Handle != nil && e.Handle(c, req, m) {
		return
	}
	switch m := m.(type) {
	case *wire.Register:
		r := &wire.Registered{}
		for _, t := range m.Tunnels {
			r.Results = append(r.Results, wire.RegisterResult{Hostname: t.Hostname})
		}
		c.Reply(req, r)
	case *wire.TicketRequest:
		e.ticket(c, req, m)
	case *wire.OfferFailed:
		if t := e.ticketOf(m.Trunk); t != nil {
			t.client.Send(&wire.TicketFailed{Trunk: m.Trunk, Reason: m.Reason})
		}
	case *wire.OpenRequest:
		e.open(c, m)
	case *wire.StreamEnded:
		e.mu.Lock()
		e.ended = append(e.ended, m)
		e.mu.Unlock()
		e.happened()
	case *wire.Resume:
		if t := e.ticketOf(m.Trunk); t != nil {
			for _, s := range m.Streams {
				t.host.Send(&wire.Grant{Trunk: m.Trunk, Stream: s.Stream, Session: "s1", Hostname: t.hostname, Resumes: true})
			}
		}
	case *wire.Logout:
		c.Reply(req, &wire.OK{})
		c.Send(&wire.SessionEnded{Session: m.Session, Reason: wire.Reason{Code: wire.CodeLoggedOut}})
	case *wire.AppsRequest:
		c.Reply(req, &wire.Apps{Apps: []wire.AppInfo{{Hostname: Hostname, Online: true}}})
	case *wire.LoginStart:
		c.Reply(req, &wire.LoginStarted{Attempt: "a1", URL: "https://" + Name + "/login/a1", CompareCode: "42", ExpiresAt: time.Now().Add(10 * time.Minute)})
	case *wire.LoginRedeem:
		c.Reply(req, &wire.LoginDone{Session: Session("s1"), SessionToken: "fresh"})
	case *wire.LoginCancel, *wire.CutDone:
		if req != 0 {
			c.Reply(req, &wire.OK{})
		}
	case *wire.Enrol:
		c.Reply(req, &wire.Enrolled{Connector: wire.ConnectorInfo{ID: "c1", Group: "g1"}})
	}
}

func (e *Edge) hello(c *Conn, req uint32, h *wire.Hello) {
	c.Hello = h
	var answer wire.Message = DefaultWelcome(h)
	if e.Welcome != nil {
		answer = e.Welcome(c, h)
	}
	e.mu.Lock()
	e.hellos = append(e.hellos, h)
	_, welcome := answer.(*wire.Welcome)
	if welcome {
		e.links[c] = struct{}{}
		if h.Role == wire.RoleHost {
			e.host = c
		}
	}
	e.mu.Unlock()
	if answer == nil {
		return
	}
	c.Reply(req, answer)
	e.happened()
}

// ticket offers a trunk to the host and gives the client its label.
func (e *Edge) ticket(c *Conn, req uint32, m *wire.TicketRequest) {
	e.mu.Lock()
	host := e.host
	if host == nil {
		e.mu.Unlock()
		c.Reply(req, &wire.Failure{Reason: wire.Reason{Code: wire.CodeNoConnector, Text: "nobody publishes it"}})
		return
	}
	t := &ticket{id: wire.NewTrunkID(), client: c, host: host, hostname: m.Hostname, first: make(chan net.Conn), done: make(chan struct{})}
	clientLabel, hostLabel := wire.NewLabel(), wire.NewLabel()
	e.labels[clientLabel], e.labels[hostLabel], e.tickets[t.id] = side{t, false}, side{t, true}, t
	e.mu.Unlock()
	host.Send(&wire.Offer{
		Trunk: t.id, Carrier: m.Carrier, Label: hostLabel, ClientLabel: clientLabel, EdgeID: EdgeID,
		ClientKey: c.Key, Session: m.Session, Hostname: m.Hostname, ResumeMS: e.ResumeMS,
	})
	c.Reply(req, &wire.Ticket{
		Trunk: t.id, Label: clientLabel, EdgeID: EdgeID, HostKey: host.Key, BootID: host.Hello.BootID, ResumeMS: e.ResumeMS,
	})
}

func (e *Edge) ticketOf(id wire.TrunkID) *ticket {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.tickets[id]
}

// open decides one stream.
func (e *Edge) open(c *Conn, m *wire.OpenRequest) {
	t := e.ticketOf(m.Trunk)
	var r *wire.Reason
	switch {
	case t == nil:
		r = &wire.Reason{Code: wire.CodeNoConnector}
	case e.Decide != nil:
		r = e.Decide(t.hostname)
	}
	if r == nil && t.host.Err() != nil {
		r = &wire.Reason{Code: wire.CodeNoConnector, Text: "the host's link is gone"}
	}
	if r != nil {
		c.Send(&wire.Denied{Trunk: m.Trunk, Stream: m.Stream, Reason: *r})
		return
	}
	e.Grant(m.Trunk, m.Stream)
}

// Grant sends the grant of a stream to the host of its trunk.
func (e *Edge) Grant(trunk wire.TrunkID, stream wire.StreamID) {
	t := e.ticketOf(trunk)
	t.host.Send(&wire.Grant{Trunk: trunk, Stream: stream, Session: "s1", Hostname: t.hostname, Rule: "allow everyone (#1)"})
}

// side joins the two connections of a ticket: what the client says first goes
// on, what the host says first was its label only.
func (e *Edge) side(conn *peeked, label wire.Label) {
	e.mu.Lock()
	side, ok := e.labels[label]
	delete(e.labels, label)
	stopped := e.stopped
	e.mu.Unlock()
	if !ok {
		return
	}
	t := side.ticket
	if side.host {
		conn.replay.Reset()
	}
	var other net.Conn
	select {
	case t.first <- conn:
		select { // the one that comes second does the copying
		case <-t.done:
		case <-stopped:
		}
		return
	case other = <-t.first:
	case <-stopped:
		return
	}
	defer close(t.done)
	var wg sync.WaitGroup
	for _, pair := range [][2]net.Conn{{conn, other}, {other, conn}} {
		wg.Go(func() {
			io.Copy(pair[0], pair[1])
			pair[0].Close()
			pair[1].Close()
		})
	}
	wg.Wait()
}

// CloseTrunks breaks the carriers of all trunks.
func (e *Edge) CloseTrunks() {
	e.mu.Lock()
	defer e.mu.Unlock()
	links := make(map[net.Conn]bool)
	for c := range e.links {
		links[c.raw.(*peeked).Conn] = true
	}
	for c := range e.conns {
		if !links[c] {
			c.Close()
		}
	}
}

// errPeeked ends the handshake that was only meant to read the first record.
var errPeeked = errors.New("peeked")

// peeked gives again what was read from it to look at it.
type peeked struct {
	net.Conn
	replay bytes.Buffer
}

func (p *peeked) Read(b []byte) (int, error) {
	if p.replay.Len() > 0 {
		return p.replay.Read(b)
	}
	return p.Conn.Read(b)
}

// recorder keeps what is read and swallows what is written.
type recorder struct{ *peeked }

func (r *recorder) Read(b []byte) (int, error) {
	n, err := r.Conn.Read(b)
	r.replay.Write(b[:n])
	return n, err
}

func (r *recorder) Write(b []byte) (int, error) { return len(b), nil }

// happened wakes who waits for something.
func (e *Edge) happened() {
	e.mu.Lock()
	defer e.mu.Unlock()
	close(e.arrived)
	e.arrived = make(chan struct{})
}

// wait returns when ok does, which is asked with mu held.
func (e *Edge) wait(what string, ok func() bool) {
	e.t.Helper()
	timeout := time.After(20 * time.Second)
	for {
		e.mu.Lock()
		met, arrived := ok(), e.arrived
		e.mu.Unlock()
		if met {
			return
		}
		select {
		case <-arrived:
		case <-timeout:
			e.t.Fatalf("the edge waits in vain for %s", what)
		}
	}
}

// WaitLink waits for a link of a role and returns the newest.
func (e *Edge) WaitLink(role wire.Role) (found *Conn) {
	e.t.Helper()
	e.wait("a link of role "+string(role), func() bool {
		for c := range e.links {
			if c.Hello.Role == role {
				found = c
			}
		}
		return found != nil
	})
	return found
}

// WaitEnded waits until n ends of streams were reported, and returns them.
func (e *Edge) WaitEnded(n int) (ended []*wire.StreamEnded) {
	e.t.Helper()
	e.wait("ends of streams", func() bool {
		ended = append([]*wire.StreamEnded(nil), e.ended...)
		return len(ended) >= n
	})
	return ended
}

// Hellos are those that came so far.
func (e *Edge) Hellos() []*wire.Hello {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]*wire.Hello(nil), e.hellos...)
}

// Tickets is how many were given.
func (e *Edge) Tickets() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.tickets)
}

// Trunks are the ids of those that were given.
func (e *Edge) Trunks() (ids []wire.TrunkID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for id := range e.tickets {
		ids = append(ids, id)
	}
	return ids
}
