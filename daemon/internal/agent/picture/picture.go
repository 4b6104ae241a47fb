// Package picture puts what runs in the words of the API: pure functions from
// rows and snapshots to an api.Status for each caller.
//
// Shapes: Facts are what a Painter is shown; it makes a Picture of all owners,
// which never changes; Status takes from it what one caller may see. Whoever
// asks, OS users see what is theirs; administrators also the machine's tunnels
// and enrolments; root also the forwards of all.
//
// Concurrency: a Picture may be read by many goroutines. A Painter belongs to
// one.
package picture

import (
	"cmp"
	"slices"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/daemon/internal/agent/plan"
	"github.com/sallyport/sallyport/daemon/internal/link/proxy"
	"github.com/sallyport/sallyport/daemon/internal/store"
	"github.com/sallyport/sallyport/internal/ipc"
)

// owned is a thing and the OS user it belongs to.
type owned[T any] struct {
	owner string
	value T
}

// Picture is how everything was at one moment, of all owners. It never changes.
type Picture struct {
	at         time.Time
	version    string
	edges      []store.Edge
	links      map[plan.ClientKey]api.Link
	hostLinks  map[string]api.Link
	forwards   []owned[api.Forward]
	sessions   []owned[api.Session]
	logins     []owned[api.Login]
	tunnels    []api.Tunnel
	enrolments []api.Enrolment
	problems   []api.Problem
}

// Status is the part of the picture that one caller may see.
func (p *Picture) Status(who ipc.Identity) api.Status {
	s := api.Status{
		At: p.at.UTC(), User: who.Name, Administrator: who.Administrator, Version: p.version,
		Edges:    p.edgesOf(who),
		Sessions: ownedBy(p.sessions, func(o string) bool { return o == who.Owner() }),
		Logins:   ownedBy(p.logins, func(o string) bool { return o == who.Owner() }),
		Forwards: ownedBy(p.forwards, func(o string) bool { return MaySee(who, o) }),
		Tunnels:  []api.Tunnel{}, Enrolments: []api.Enrolment{},
		Problems: append([]api.Problem{}, p.problems...),
	}
	if who.Administrator {
		s.Tunnels = append(s.Tunnels, p.tunnels...)
		s.Enrolments = append(s.Enrolments, p.enrolments...)
	}
	s.Headline, s.Text = api.HeadlineOf(s)
	return s
}

// MaySee says whether a caller sees (and may change) the forwards of an owner:
// root those of all, everybody else their own.
func MaySee(who ipc.Identity, owner string) bool { return who.Root || who.Owner() == owner }

func ownedBy[T any](all []owned[T], mine func(owner string) bool) []T {
	list := []T{}
	for _, o := range all {
		if mine(o.owner) {
			list = append(list, o.value)
		}
	}
	return list
}

// edgesOf are a caller's own edges and the machine's, the one used last first.
func (p *Picture) edgesOf(who ipc.Identity) []api.Edge {
	var rows []store.Edge
	for _, e := range p.edges {
		if e.Scope == who.Owner() || e.Scope == store.Machine {
			rows = append(rows, e)
		}
	}
	slices.SortStableFunc(rows, func(a, b store.Edge) int {
		if (a.Scope == store.Machine) != (b.Scope == store.Machine) {
			if a.Scope == store.Machine {
				return 1
			}
			return -1
		}
		return cmp.Or(b.UsedAt.Compare(a.UsedAt), cmp.Compare(a.Name, b.Name))
	})
	list := []api.Edge{}
	for _, e := range rows {
		list = append(list, p.Edge(e, who))
	}
	return list
}

// Edge shows a row to a caller: with the caller's link; for the machine's edge, where the caller
// has none, an administrator sees the host's.
func (p *Picture) Edge(e store.Edge, who ipc.Identity) api.Edge {
	l, ok := p.links[plan.ClientKey{Owner: who.Owner(), Edge: e.Name}]
	if !ok && e.Scope == store.Machine && who.Administrator {
		l, ok = p.hostLinks[e.Name]
	}
	if !ok {
		l = api.Link{State: api.LinkIdle, Since: e.UsedAt.UTC()}
	}
	return api.Edge{ID: e.ID, Name: e.Name, Address: e.Address, CAPEM: e.CAPEM, Proxy: proxy.Redacted(e.Proxy), HostKeys: e.HostKeys, Machine: e.Scope == store.Machine, Link: l}
}

// Forward is one forward that a caller may see.
func (p *Picture) Forward(who ipc.Identity, id string) (api.Forward, bool) {
	for _, f := range p.forwards {
		if f.value.ID == id && MaySee(who, f.owner) {
			return f.value, true
		}
	}
	return api.Forward{}, false
}

// Tunnel is one tunnel, for an administrator.
func (p *Picture) Tunnel(id string) (api.Tunnel, bool) {
	for _, t := range p.tunnels {
		if t.ID == id {
			return t, true
		}
	}
	return api.Tunnel{}, false
}

// Starting says whether a forward is still being bound.
func (p *Picture) Starting(id string) bool {
	for _, f := range p.forwards {
		if f.value.ID == id {
			return f.value.State == api.ForwardStarting
		}
	}
	return false
}
