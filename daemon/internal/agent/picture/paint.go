package picture

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/daemon/internal/agent/plan"
	"github.com/sallyport/sallyport/daemon/internal/connector"
	"github.com/sallyport/sallyport/daemon/internal/forward"
	"github.com/sallyport/sallyport/daemon/internal/link"
	"github.com/sallyport/sallyport/daemon/internal/store"
	"github.com/sallyport/sallyport/wire"
)

// How a forward keeps others away.
const (
	checkEnforced    = "enforced"
	checkFilesystem  = "filesystem"
	checkUnsupported = "unsupported"
)

// IsUnix says whether a forward listens on a Unix socket.
func IsUnix(listen string) bool { return strings.HasPrefix(listen, "unix:") }

// Facts are everything that a picture is made of, from one moment.
type Facts struct {
	At       time.Time
	Version  string
	Contents store.Contents
	Memory   plan.Memory // what is held by requests
	Clients  map[plan.ClientKey]Client
	Hosts    map[string]Host
	Entries  map[string]forward.Snapshot
	// Failed says why the link of a client, or of a host (owner store.Machine),
	// could not be started.
	Failed map[plan.ClientKey]*api.Problem
	// OwnerCheck is true where this system tells whose a connection is.
	OwnerCheck bool
	Problems   []api.Problem
	// UserName gives the name of an OS user.
	UserName func(uid string) string
}

// Client is how a client is.
type Client struct {
	Link       link.Snapshot
	HasSession bool
	Logins     []api.Login
}

// Host is how a host is.
type Host struct {
	Link       link.Snapshot
	Registered map[string]wire.RegisterResult
	Stats      map[string]connector.Stats
	Logins     map[string][]api.Login // by the OS user who asked
}

// Painter makes pictures, and remembers since when things are as they are.
type Painter struct{ stamps stamps }

// NewPainter has seen nothing yet.
func NewPainter() *Painter { return &Painter{stamps{}} }

// Paint makes the picture of some facts.
func (p *Painter) Paint(f Facts) *Picture {
	c := canvas{Facts: f, Picture: &Picture{at: f.At, version: f.Version, edges: f.Contents.Edges, problems: f.Problems}, stamps: p.stamps}
	c.paintLinks()
	c.paintSessions()
	c.paintLogins()
	c.paintForwards()
	c.paintEnrolments()
	c.paintTunnels()
	p.stamps.sweep()
	return c.Picture
}

// canvas is a picture that is being made.
type canvas struct {
	Facts
	*Picture
	stamps stamps
}

func (c *canvas) paintLinks() {
	c.links, c.hostLinks = map[plan.ClientKey]api.Link{}, map[string]api.Link{}
	for k, s := range c.Clients {
		c.links[k] = s.Link.Link
	}
	for edge, s := range c.Hosts {
		c.hostLinks[edge] = s.Link.Link
	}
	for k, problem := range c.Failed {
		since := c.stamps.since("failed "+k.Owner+" "+k.Edge, "", c.At).UTC()
		l := api.Link{State: api.LinkWaiting, Since: since, Problem: problem}
		if k.Owner == store.Machine {
			c.hostLinks[k.Edge] = l
		} else {
			c.links[k] = l
		}
	}
}

func (c *canvas) paintSessions() {
	for _, row := range c.Contents.Sessions {
		if row.Info == nil {
			continue
		}
		info := *row.Info
		live := c.Clients[plan.ClientKey{Owner: row.Scope, Edge: row.Edge}].Link.Session
		if live != nil && live.ID == info.ID {
			info.ExpiresAt = live.ExpiresAt
		}
		s := api.Session{
			ID: info.ID, Edge: row.Edge, Owner: c.UserName(row.Scope),
			Person:    api.Person{Email: info.Email, Name: info.Name, Groups: info.Groups},
			StartedAt: info.StartedAt.UTC(), ExpiresAt: info.ExpiresAt.UTC(),
		}
		s.State, s.Problem = sessionState(row, live, c.At)
		c.sessions = append(c.sessions, owned[api.Session]{row.Scope, s})
	}
}

func (c *canvas) paintLogins() {
	for _, k := range slices.SortedFunc(maps.Keys(c.Clients), plan.ClientKey.Compare) {
		c.addLogins(k.Owner, c.Clients[k].Logins)
	}
	for _, edge := range slices.Sorted(maps.Keys(c.Hosts)) {
		logins := c.Hosts[edge].Logins
		for _, owner := range slices.Sorted(maps.Keys(logins)) {
			c.addLogins(owner, logins[owner])
		}
	}
}

func (c *canvas) addLogins(owner string, list []api.Login) {
	for _, l := range list {
		c.logins = append(c.logins, owned[api.Login]{owner, l})
	}
}

func (c *canvas) paintForwards() {
	kept := slices.SortedFunc(slices.Values(c.Contents.Forwards), func(a, b store.Forward) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	plan.ForEach(kept, c.Memory.Forwards, func(f store.Forward) {
		c.forwards = append(c.forwards, owned[api.Forward]{f.Owner, c.forward(f)})
	})
}

func (c *canvas) forward(f store.Forward) api.Forward {
	key := plan.ClientKey{Owner: f.Owner, Edge: f.Edge}
	facts := forwardFacts{paused: f.Paused, link: c.links[key], session: c.Clients[key].HasSession}
	_, facts.edge = plan.FindEdge(c.edges, f.Owner, f.Edge)
	facts.entry, facts.running = c.Entries[f.ID]
	if failed := c.Failed[key]; !facts.running && failed != nil {
		facts.running, facts.entry = true, forward.Snapshot{State: api.ForwardError, Problem: failed}
	}
	s := facts.entry
	_, hold := c.Memory.Forwards[f.ID]
	out := api.Forward{
		ID: f.ID, Hostname: f.Hostname, Listen: f.Listen, Edge: f.Edge, HTTP: f.HTTP, Paused: f.Paused, Hold: hold, Owner: f.OwnerName, Share: f.Share,
		Connections: s.Connections, Waiting: s.Waiting, TotalConns: s.TotalConns,
		BytesToOrigin: s.BytesToOrigin, BytesToLocal: s.BytesToLocal, LastError: s.LastError,
		Resuming: resuming(s.Resuming, s.ResumingSince), ResumedConns: s.Resumed, ExpiredConns: s.Expired, ReplayedBytes: s.Replayed,
		OwnerCheck: c.ownerCheck(f.Listen),
	}
	out.State, out.Problem = forwardState(facts)
	out.Since = c.stamps.since(f.ID, string(out.State), c.At).UTC()
	return out
}

// resuming is nil where nothing waits.
func resuming(n int, since time.Time) *api.Resuming {
	if n == 0 {
		return nil
	}
	return &api.Resuming{Connections: n, Since: since.UTC()}
}

func (c *canvas) ownerCheck(listen string) string {
	switch {
	case IsUnix(listen):
		return checkFilesystem
	case c.OwnerCheck:
		return checkEnforced
	}
	return checkUnsupported
}

func (c *canvas) paintEnrolments() {
	for _, e := range c.Contents.Enrolments {
		out := api.Enrolment{
			Edge: e.Edge, ConnectorID: e.ConnectorID, Group: e.Group, Site: e.Site, Hostnames: e.Hostnames, Since: e.Since.UTC(),
		}
		if e.Ended != nil {
			out.Problem = enrolmentEnded(e.Ended)
		}
		c.enrolments = append(c.enrolments, out)
	}
}

func (c *canvas) paintTunnels() {
	kept := slices.SortedFunc(slices.Values(c.Contents.Tunnels), func(a, b store.Tunnel) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	plan.ForEach(kept, c.Memory.Tunnels, func(t store.Tunnel) { c.tunnels = append(c.tunnels, c.tunnel(t)) })
}

func (c *canvas) tunnel(t store.Tunnel) api.Tunnel {
	facts := tunnelFacts{paused: t.Paused, link: c.hostLinks[t.Edge]}
	_, facts.edge = plan.FindEdge(c.edges, store.Machine, t.Edge)
	for _, e := range c.Contents.Enrolments {
		if e.Edge == t.Edge {
			facts.enrolled, facts.ended = e.Ended == nil, e.Ended
		}
	}
	h, running := c.Hosts[t.Edge]
	if running {
		facts.running = true
		if h.Link.Connector != nil {
			facts.enrolled, facts.ended = true, nil
		}
		facts.answer, facts.answered = h.Registered[t.Hostname]
		facts.stats = h.Stats[t.Hostname]
	}
	_, hold := c.Memory.Tunnels[t.ID]
	out := api.Tunnel{
		ID: t.ID, Hostname: t.Hostname, Origin: t.Origin, Edge: t.Edge, Paused: t.Paused, Hold: hold,
		Connections: facts.stats.Connections, TotalConns: facts.stats.TotalConns,
		BytesToOrigin: facts.stats.BytesToOrigin, BytesFromOrigin: facts.stats.BytesFromOrigin,
		Resuming: resuming(facts.stats.Resuming, facts.stats.Since), ResumedConns: facts.stats.Resumed,
		ExpiredConns: facts.stats.Expired, ReplayedBytes: facts.stats.Replayed,
	}
	out.State, out.Problem = tunnelState(facts)
	out.Since = c.stamps.since(t.ID, string(out.State), c.At).UTC()
	return out
}

// stamps remember since when things are in their state.
type stamps map[string]stamp

type stamp struct {
	state string
	since time.Time
	seen  bool
}

// since notes the state of a thing and says since when it has been in it.
func (s stamps) since(id, state string, now time.Time) time.Time {
	at := now
	if old, ok := s[id]; ok && old.state == state {
		at = old.since
	}
	s[id] = stamp{state: state, since: at, seen: true}
	return at
}

// sweep forgets what was not noted since the last sweep.
func (s stamps) sweep() {
	for id, st := range s {
		if !st.seen {
			delete(s, id)
			continue
		}
		st.seen = false
		s[id] = st
	}
}
