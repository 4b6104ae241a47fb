package relay

import (
	"context"
	"crypto/tls"
	"errors"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/edge/internal/registry"
	"github.com/sallyport/sallyport/edge/internal/relay/decide"
	"github.com/sallyport/sallyport/edge/internal/relay/gate"
	"github.com/sallyport/sallyport/edge/internal/relay/listing"
	"github.com/sallyport/sallyport/edge/internal/relay/peek"
	"github.com/sallyport/sallyport/edge/internal/relay/queue"
	"github.com/sallyport/sallyport/edge/internal/sessions"
	"github.com/sallyport/sallyport/internal/sockopt"
	"github.com/sallyport/sallyport/wire"
	"github.com/sallyport/sallyport/wire/socket"
)

const (
	// maxLoose bounds the links of one address that have neither session nor connector.
	maxLoose = 1 << 10
	// retryAfter is asked of a device for which there is no room now.
	retryAfter = 5 * time.Second
	// maxQueue bounds the messages of one link that wait for their turn.
	maxQueue = 256
	// maxOpens bounds the streams of one link that are decided at once, and
	// maxOpenQueue those that wait for it.
	maxOpens     = 64
	maxOpenQueue = 16 << 10 // what one trunk carries may resume at once
)

var (
	errHello    = errors.New("no hello in time")
	errProtocol = errors.New("peer broke a rule of the protocol")
	errReplaced = errors.New("a newer link of the same key took its place")
	errLoose    = errors.New("neither session nor connector for too long")
	errRefused  = errors.New("link refused")
)

// peerState is where a link is:
//
//	new --hello--> greeting --welcome sent--> ready
type peerState = int32

const (
	peerNew peerState = iota
	peerGreeting
	peerReady
)

// peer is one link of one device key.
type peer struct {
	listing.Mark
	relay   *Relay
	link    *wire.Link
	key     wire.KeyID
	address netip.AddrPort
	since   time.Time
	slot    *gate.Slot
	state   atomic.Int32 // a peerState
	hello   *time.Timer  // ends a link without a hello
	orders  queue.Queue  // all but opens, in order
	opens   queue.Queue

	// Set by hello before the state is ready, then constant.
	role       wire.Role
	bootID     string
	deviceName string

	tunnels []wire.TunnelInfo // of the last Register; kept on orders only
	listed  listing.List      // of the link's reader

	// Guarded by Relay.mu.
	// host is this link instance in the registry, nil while it has no connector.
	host  *registry.Host
	loose *time.Timer // runs while it has neither session nor connector
	gone  bool
}

// link carries one link until it ends.
func (r *Relay) link(ctx context.Context, c *peek.Conn, s *gate.Slot, addr netip.AddrPort, deadline time.Time) {
	if !r.pace.Await(ctx, addr.Addr()) {
		r.refuse(c.Conn, s, causePaced)
		return
	}
	sockopt.Carrier(c.Conn)
	c.SetDeadline(deadline)
	c.Conn = socket.Direct(c.Conn)
	turn := r.turns.Begin(c, addr.Addr(), deadline)
	tc := tls.Server(turn, r.linkTLS)
	err := tc.HandshakeContext(ctx)
	turn.Finish()
	if err != nil {
		r.log.Debug("handshake of a link failed", "address", addr, "error", err)
		r.refuse(c.Conn, s, causeTLS)
		return
	}
	key, err := wire.PeerKeyID(tc.ConnectionState())
	if err != nil {
		r.refuse(c.Conn, s, causeTLS)
		return
	}
	c.SetDeadline(time.Time{})
	p := &peer{relay: r, link: wire.NewLink(tc), key: key, address: addr, since: time.Now(), slot: s}
	p.link.LimitPeer()
	p.orders = queue.Queue{Limit: 1, Max: maxQueue, Group: &r.wg}
	p.opens = queue.Queue{Limit: maxOpens, Max: maxOpenQueue, Group: &r.opening}
	p.hello = time.AfterFunc(time.Until(deadline), func() {
		r.meter.Refused(causeHello)
		p.link.CloseWith(errHello)
	})
	err = p.link.Run(ctx, func(req uint32, m wire.Message) { p.handle(ctx, req, m) })
	p.hello.Stop()
	s.Leave()
	if errors.Is(err, errProtocol) || wire.IsBreach(err) {
		r.pace.Breach(addr.Addr(), time.Now())
	}
	p.leave(err)
}

// Key is the device key.
func (p *peer) Key() wire.KeyID { return p.key }

// Role is what the link is for.
func (p *peer) Role() wire.Role { return p.role }

// BootID names the daemon's process.
func (p *peer) BootID() string { return p.bootID }

// Address is where the link comes from.
func (p *peer) Address() string { return p.address.String() }

// Err is nil while the link lives.
func (p *peer) Err() error { return p.link.Err() }

// Host is the link as an instance of a connector, nil where it is none.
func (p *peer) Host() *registry.Host {
	p.relay.mu.Lock()
	defer p.relay.mu.Unlock()
	return p.host
}

// leave undoes what the link stood for.
func (p *peer) leave(err error) {
	r := p.relay
	r.mu.Lock()
	p.gone = true
	if r.peers[p.key] == p {
		delete(r.peers, p.key)
	}
	p.tightenLocked()
	host := p.host
	r.mu.Unlock()
	if host != nil {
		r.trunks.HostGone(host)
	}
	if p.state.Load() == peerReady {
		r.log.Info("link ended", "role", p.role, "key", p.key, "address", p.address, "error", err)
	}
}

// handle takes one message on the link's reader: it must not wait.
func (p *peer) handle(ctx context.Context, req uint32, m wire.Message) {
	if hello, ok := m.(*wire.Hello); ok {
		if !p.state.CompareAndSwap(peerNew, peerGreeting) {
			p.link.CloseWith(errProtocol)
			return
		}
		p.listed.Begin(hello)
		p.orders.Put(func() { p.greet(ctx, req, hello) })
		return
	}
	if p.state.Load() != peerReady {
		p.link.CloseWith(errProtocol) // everything waits for the welcome
		return
	}
	switch m := m.(type) {
	case *wire.Streams:
		p.list(req, m)
	case *wire.OpenRequest:
		p.open(ctx, req, m)
	case *wire.Resume:
		p.resume(ctx, m)
	case *wire.StreamEnded:
		p.relay.trunks.StreamEnded(p, m)
	case *wire.CutDone:
		p.relay.trunks.CutDone(p, m)
	case *wire.OfferFailed:
		p.relay.trunks.OfferFailed(p, m)
	default:
		job := p.order(ctx, req, m)
		if job == nil {
			p.link.CloseWith(errProtocol)
			return
		}
		if !p.orders.Put(job) {
			p.fail(req, busy("too many requests at once"))
		}
	}
}

// order is the work of a request that is done in its turn, nil where the
// message is not one for an edge.
func (p *peer) order(ctx context.Context, req uint32, m wire.Message) func() {
	switch m := m.(type) {
	case *wire.LoginStart:
		return func() { p.loginStart(ctx, req, m) }
	case *wire.LoginRedeem:
		return func() { p.loginRedeem(ctx, req, m) }
	case *wire.LoginCancel:
		return func() { p.loginCancel(req, m) }
	case *wire.Logout:
		return func() { p.logout(ctx, req, m) }
	case *wire.Enrol:
		return func() { p.enrol(ctx, req, m) }
	case *wire.Register:
		return func() { p.register(ctx, req, m) }
	case *wire.TicketRequest:
		return func() { p.ticket(req, m) }
	case *wire.AppsRequest:
		return func() { p.apps(req, m) }
	}
	return nil
}

// answer replies to a request; one without a number gets a plain message.
func (p *peer) answer(req uint32, m wire.Message) {
	if req == 0 {
		p.Tell(m)
		return
	}
	if err := p.link.Reply(req, m); err != nil && p.link.Err() == nil {
		p.relay.log.Error("reply not sent", "key", p.key, "error", err)
		p.link.Reply(req, &wire.Failure{Reason: *decide.TooLarge()}) // else it waits for ever
	}
}

// Tell sends a message; a link that has ended needs none.
func (p *peer) Tell(m wire.Message) {
	if err := p.link.Send(m); err != nil && p.link.Err() == nil {
		p.relay.log.Error("message not sent", "key", p.key, "error", err)
	}
}

// fail answers with a reason; any other error is ours, logged and not told.
func (p *peer) fail(req uint32, err error) {
	var why *wire.Reason
	if !errors.As(err, &why) {
		p.relay.log.Error("request failed", "key", p.key, "address", p.address, "error", err)
		why = decide.Internal()
	}
	p.answer(req, &wire.Failure{Reason: *why})
}

func busy(text string) *wire.Reason {
	return &wire.Reason{Code: wire.CodeLimit, Text: text, Hint: "try again in a moment"}
}

// greet answers a hello.
func (p *peer) greet(ctx context.Context, req uint32, m *wire.Hello) {
	r := p.relay
	p.role, p.bootID, p.deviceName = m.Role, decide.Clip(m.BootID), decide.Clip(m.DeviceName)
	switch {
	case !slices.Contains(m.Versions, wire.Version):
		p.part(req, &wire.Reason{Code: wire.CodeProtocol, Text: "this edge speaks version 1 of the protocol only", Hint: "update the daemon or the edge"})
		return
	case m.Role != wire.RoleClient && m.Role != wire.RoleHost:
		p.part(req, &wire.Reason{Code: wire.CodeInvalid, Text: "unknown role of a link"})
		return
	}
	c := r.cfg.Settings()
	welcome := &wire.Welcome{Version: wire.Version, EdgeID: c.ID, EdgeName: c.Name, EdgeTime: time.Now().UTC()}
	bound, err := p.identify(ctx, m, welcome)
	if err != nil {
		r.log.Error("hello not answered", "key", p.key, "error", err)
		p.part(req, decide.Internal())
		return
	}
	old, ok := p.take(bound, func() { p.answer(req, welcome) })
	if !ok && r.leaving() {
		p.part(req, decide.Draining())
		return
	}
	if !ok {
		r.meter.Refused(causeLoose)
		p.part(req, busy("too many devices without a session from this address"))
		return
	}
	p.hello.Stop()
	p.slot.Leave()
	if old != nil {
		old.link.CloseWith(errReplaced)
		if host := old.Host(); host != nil {
			r.trunks.HostGone(host) // before Reconcile looks at its trunks
		}
	}
	p.recheck(ctx, welcome)
	r.log.Info("link up", "role", p.role, "key", p.key, "address", p.address, "person", personOf(welcome), "version", decide.Clip(m.DaemonVersion))
	if !m.More {
		r.trunks.Reconcile(p, p.since, m.Streams)
	}
}

// list goes on with the list of the hello.
func (p *peer) list(req uint32, m *wire.Streams) {
	whole, ok := p.listed.Add(m)
	if !ok {
		p.link.CloseWith(errProtocol)
		return
	}
	p.answer(req, &wire.OK{})
	if whole != nil {
		p.orders.Put(func() { p.relay.trunks.Reconcile(p, p.since, whole) })
	}
}

// recheck looks again at what was welcome: an end that came before the link could
// be found has not been told.
func (p *peer) recheck(ctx context.Context, w *wire.Welcome) {
	r := p.relay
	if w.Session != nil {
		if _, ok := r.cfg.Sessions.Get(w.Session.ID); !ok {
			p.Tell(&wire.SessionEnded{Session: w.Session.ID, Reason: r.cfg.Sessions.EndOf(ctx, w.Session.ID)})
			p.bind(false)
		}
	}
	if w.Connector == nil {
		return
	}
	if _, ok := r.cfg.Enrol.Get(w.Connector.ID); ok {
		return
	}
	why := r.cfg.Enrol.EndedByKey(p.key)
	if why == nil {
		why = notEnrolled()
	}
	if host := p.unsetHost(w.Connector.ID); host != nil {
		r.cfg.Registry.Remove(host)
		p.Tell(&wire.ConnectorEnded{Connector: w.Connector.ID, Reason: *why})
		p.bind(false)
	}
}

// identify finds the session or the connector of the key.
func (p *peer) identify(ctx context.Context, m *wire.Hello, w *wire.Welcome) (bound bool, err error) {
	r := p.relay
	if m.Role == wire.RoleHost {
		c, ok := r.cfg.Enrol.ByKey(p.key)
		if !ok {
			w.Ended = r.cfg.Enrol.EndedByKey(p.key)
			return false, nil
		}
		info := r.cfg.Enrol.Info(c)
		w.Connector = &info
		p.setHost(c)
		return true, nil
	}
	if m.SessionToken == "" {
		return false, nil
	}
	s, next, err := r.cfg.Sessions.Resume(ctx, p.key, m.SessionToken)
	if errors.As(err, &w.Ended) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	info := sessions.Info(s)
	w.Session, w.SessionToken = &info, next
	return true, nil
}

// take makes the link the one of its key, and returns the one before it, nil
// where there was none. ok is false where its address has too many links that
// are bound to nothing. welcome is queued before anybody else can find the link:
// a daemon takes nothing before its welcome.
func (p *peer) take(bound bool, welcome func()) (old *peer, ok bool) {
	r := p.relay
	r.mu.Lock()
	defer r.mu.Unlock()
	if p.gone || r.draining || !bound && !p.loosenLocked() {
		return nil, false
	}
	old = r.peers[p.key]
	p.state.Store(peerReady)
	welcome()
	r.peers[p.key] = p
	return old, true
}

// loosenLocked starts the time of a link that has neither session nor connector.
func (p *peer) loosenLocked() bool {
	r, prefix := p.relay, gate.PrefixOf(p.address.Addr())
	if p.loose != nil || p.gone {
		return true
	}
	if r.loose[prefix] >= maxLoose {
		return false
	}
	r.loose[prefix]++
	p.loose = time.AfterFunc(r.wait.loose, func() { p.link.CloseWith(errLoose) })
	return true
}

// tightenLocked ends that time: it has a session or a connector, or is gone.
func (p *peer) tightenLocked() {
	if p.loose == nil {
		return
	}
	p.loose.Stop()
	p.loose = nil
	r, prefix := p.relay, gate.PrefixOf(p.address.Addr())
	if r.loose[prefix]--; r.loose[prefix] <= 0 {
		delete(r.loose, prefix)
	}
}

// bind says that the link now has a session or connector, or has it no more.
func (p *peer) bind(bound bool) {
	p.relay.mu.Lock()
	defer p.relay.mu.Unlock()
	if bound {
		p.tightenLocked()
	} else {
		p.loosenLocked()
	}
}

// part refuses the link and ends it once the refusal had time to arrive.
func (p *peer) part(req uint32, why *wire.Reason) {
	failure := &wire.Failure{Reason: *why}
	switch why.Code {
	case wire.CodeLimit:
		failure.RetryAfterMS = retryAfter.Milliseconds()
	case wire.CodeDraining:
		failure.RetryAfterMS = drainRetry.Milliseconds()
	}
	p.answer(req, failure)
	time.AfterFunc(p.relay.wait.parting, func() { p.link.CloseWith(errRefused) })
}

func personOf(w *wire.Welcome) string {
	if w.Session == nil {
		return ""
	}
	return w.Session.Person.Email
}
