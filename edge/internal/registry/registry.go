// Package registry knows which hosts serve which hostnames at this moment.
//
// Shapes: a Host is one live link of a connector; its pointer is the identity of
// the link instance. The registry maps hostnames to hosts and picks one for a
// session: the one it had before, else the one with the fewest streams. A host
// whose origin is sick is passed over while another is well; where all are sick
// one is picked all the same, so that the person hears of the origin.
//
// Concurrency: everything may be called from any goroutine; nothing blocks.
package registry

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/wire"
)

// Host is one live link of a connector: its pointer is the link instance.
type Host struct {
	Connector string
	Key       wire.KeyID
	// BootID names the daemon process behind the link.
	BootID string
	// Send queues a message on the link; it never blocks.
	Send func(wire.Message) error

	streams atomic.Int64
}

// AddStreams counts streams that the host carries; n may be negative.
func (h *Host) AddStreams(n int) { h.streams.Add(int64(n)) }

// Streams is how many streams the host carries.
func (h *Host) Streams() int { return int(h.streams.Load()) }

// Registry is the table. Use New.
type Registry struct {
	mu     sync.Mutex
	tables map[*Host][]wire.TunnelInfo
	routes map[string][]route             // by hostname
	sticky map[string]map[string]choice   // by session, then hostname
	failed map[string]map[*Host]time.Time // by session: until when a host is passed over
	now    func() time.Time
}

// failedFor is how long a host that has failed a session is passed over for it,
// where another serves the hostname, and maxFailed how many are kept of a session.
const (
	failedFor = time.Minute
	maxFailed = 64
	// patience is how long a host may take to come before its session asks again and
	// that means that it did not.
	patience = 5 * time.Second
)

// choice is who was picked: since when the session waits for it, zero once both met.
type choice struct {
	host  *Host
	since time.Time
}

type route struct {
	host *Host
	sick bool
}

// New makes an empty registry.
func New() *Registry {
	return &Registry{
		tables: make(map[*Host][]wire.TunnelInfo),
		routes: make(map[string][]route),
		sticky: make(map[string]map[string]choice),
		failed: make(map[string]map[*Host]time.Time),
		now:    time.Now,
	}
}

// Failed says that a host did not serve a session as it should. For that session
// another is picked for a while, where there is one. Others hear nothing of it: a
// session may be wrong, or lie.
func (r *Registry) Failed(session string, h *Host) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failedLocked(session, h)
}

// Met says that a session and the host picked for it have met.
func (r *Registry) Met(session, hostname string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c, ok := r.sticky[session][hostname]; ok {
		r.sticky[session][hostname] = choice{host: c.host}
	}
}

func (r *Registry) failedLocked(session string, h *Host) {
	if len(r.tables[h]) == 0 {
		return
	}
	if r.failed[session] == nil || len(r.failed[session]) >= maxFailed {
		r.failed[session] = make(map[*Host]time.Time)
	}
	r.failed[session][h] = r.now().Add(failedFor)
}

// Set replaces the table of h: the hostnames that are routed to it.
func (r *Registry) Set(h *Host, tunnels []wire.TunnelInfo) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.removeLocked(h)
	if len(tunnels) == 0 {
		return
	}
	r.tables[h] = slices.Clone(tunnels)
	for _, t := range tunnels {
		r.routes[t.Hostname] = append(r.routes[t.Hostname], route{h, t.Sick})
	}
}

// Remove forgets h and what was sticky to it.
func (r *Registry) Remove(h *Host) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.removeLocked(h)
	for _, hosts := range r.sticky {
		maps.DeleteFunc(hosts, func(_ string, x choice) bool { return x.host == h })
	}
	for session, hosts := range r.failed {
		if delete(hosts, h); len(hosts) == 0 {
			delete(r.failed, session)
		}
	}
}

func (r *Registry) removeLocked(h *Host) {
	for _, t := range r.tables[h] {
		left := slices.DeleteFunc(r.routes[t.Hostname], func(x route) bool { return x.host == h })
		if len(left) == 0 {
			delete(r.routes, t.Hostname)
		} else {
			r.routes[t.Hostname] = left
		}
	}
	delete(r.tables, h)
}

// Pick chooses a host for a session; ok is false where none serves the hostname.
func (r *Registry) Pick(session, hostname string) (h *Host, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	routes := r.routes[hostname]
	if len(routes) == 0 {
		return nil, false
	}
	before, now := r.sticky[session][hostname], r.now()
	if !before.since.IsZero() && now.Sub(before.since) > patience {
		r.failedLocked(session, before.host)
	}
	best := choose(r.passedOverLocked(session, routes), before.host)
	if r.sticky[session] == nil {
		r.sticky[session] = make(map[string]choice)
	}
	if best != before.host || before.since.IsZero() {
		before.since = now
	}
	r.sticky[session][hostname] = choice{best, before.since}
	return best, true
}

// passedOverLocked are routes, with those as sick whose host has just failed the
// session.
func (r *Registry) passedOverLocked(session string, routes []route) []route {
	failed := r.failed[session]
	if len(failed) == 0 {
		return routes
	}
	now := r.now()
	routes = slices.Clone(routes)
	for i, x := range routes {
		routes[i].sick = x.sick || now.Before(failed[x.host])
	}
	return routes
}

// Serves says whether a hostname is routed to h.
func (r *Registry) Serves(h *Host, hostname string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.routes[hostname], func(x route) bool { return x.host == h })
}

// choose prefers the well ones, then before, then the fewest streams.
func choose(routes []route, before *Host) *Host {
	var best *route
	for i := range routes {
		x := &routes[i]
		switch {
		case best == nil, best.sick && !x.sick:
			best = x
		case x.sick != best.sick:
		case best.host == before:
		case x.host == before, x.host.Streams() < best.host.Streams():
			best = x
		}
	}
	return best.host
}

// Online says whether a host serves the hostname now.
func (r *Registry) Online(hostname string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.routes[hostname]) > 0
}

// Forget drops what was sticky for a session.
func (r *Registry) Forget(session string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.sticky, session)
	delete(r.failed, session)
}
