package unit

import (
	"context"
	"maps"
	"net"
	"slices"
	"sync"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/daemon/internal/agent/picture"
	"github.com/sallyport/sallyport/daemon/internal/agent/plan"
	"github.com/sallyport/sallyport/daemon/internal/connector"
	"github.com/sallyport/sallyport/daemon/internal/link"
	"github.com/sallyport/sallyport/daemon/internal/login"
	"github.com/sallyport/sallyport/daemon/internal/store"
	"github.com/sallyport/sallyport/wire"
)

// Host is this machine's connector at one edge.
type Host struct {
	parts
	Edge string
	Spec plan.Link

	cfg       Config
	link      *link.Link
	connector *connector.Connector

	mu    sync.Mutex
	table map[string]string // hostname -> origin
	// attempts to enrol, by the OS user who asks.
	attempts map[string]*login.Attempts
}

// Host starts a host, with an empty table.
func (c Config) Host(edge string, spec plan.Link) (*Host, error) {
	cfg, err := c.linkConfig(store.Machine, edge, spec)
	if err != nil {
		return nil, err
	}
	u := &Host{Edge: edge, Spec: spec, cfg: c, table: map[string]string{}, attempts: map[string]*login.Attempts{}}
	// The connector and its link know each other.
	u.connector = connector.New(connector.Config{
		Table: u.origin,
		Dial: func(ctx context.Context, id string, label wire.Label) (net.Conn, string, error) {
			return u.link.DialEdge(ctx, id, label)
		},
		Report: func(m *wire.StreamEnded) { u.link.Report(m) },
		Health: func(hostname string, sick bool) { u.link.SetSick(hostname, sick) },
		Cert:   cfg.Cert, Log: c.Log, Changed: c.Touched, ResumeWindow: c.ResumeWindow,
	})
	cfg.Role, cfg.OSUser, cfg.Host = wire.RoleHost, store.Machine, u.connector
	u.link = link.New(cfg)
	u.link.OnLoginEnded(u.loginEnded)
	u.parts = c.launch("host at "+edge, c.Log, u.link.Run, u.connector.Run)
	return u, nil
}

// Stop gives up what waits, and ends it.
func (u *Host) Stop() {
	for _, a := range u.allAttempts() {
		a.Close()
	}
	u.parts.Stop()
}

// Wake lets its link and its trunks look whether they still live.
func (u *Host) Wake() {
	u.link.Wake()
	u.connector.Probe()
}

func (u *Host) loginEnded(attempt string, r wire.Reason) {
	for _, a := range u.allAttempts() {
		a.Ended(attempt, r)
	}
}

func (u *Host) allAttempts() []*login.Attempts {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Collect(maps.Values(u.attempts))
}

// Busy says whether somebody is enrolling this machine.
func (u *Host) Busy() bool {
	return slices.ContainsFunc(u.allAttempts(), func(a *login.Attempts) bool { return slices.ContainsFunc(a.List(), underWay) })
}

// Enrolling are the attempts of one administrator to make this machine a host.
func (u *Host) Enrolling(uid, name string) *login.Attempts {
	u.mu.Lock()
	defer u.mu.Unlock()
	at := u.attempts[uid]
	if at == nil {
		at = u.cfg.attempts(u.Edge, u.Spec, name, enrolLink{u.link}, u.cfg.Log)
		u.attempts[uid] = at
	}
	return at
}

// Attempts are those of one administrator, nil where there were none.
func (u *Host) Attempts(uid string) *login.Attempts {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.attempts[uid]
}

// enrolLink is the link as attempts to enrol see it: nothing but their own end
// is what they wait for.
type enrolLink struct{ *link.Link }

// HasSession is false: a host has none.
func (enrolLink) HasSession() bool { return false }

// Enrol shows a one-time join token.
func (u *Host) Enrol(ctx context.Context, token string) (*wire.ConnectorInfo, error) {
	return u.link.Enrol(ctx, token)
}

// SetTable gives it all that it is to serve: hostname -> origin.
func (u *Host) SetTable(table map[string]string) {
	u.mu.Lock()
	u.table = table
	u.mu.Unlock()
	var infos []wire.TunnelInfo
	for _, hostname := range slices.Sorted(maps.Keys(table)) {
		infos = append(infos, wire.TunnelInfo{Hostname: hostname})
	}
	u.link.Register(infos)
}

// origin is the connector's table. A tunnel has one origin, which is port 0.
func (u *Host) origin(hostname string, port uint16) (string, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	o, ok := u.table[hostname]
	return o, ok && port == 0
}

// Learn stores what the edge says about this machine as a host. have is what is
// stored, nil where nothing is. It says whether it wrote.
func (u *Host) Learn(have *store.Enrolment) (wrote bool, err error) {
	snap := u.link.Snapshot()
	info, end := snap.Connector, snap.ConnectorEnd
	if info == nil && end == nil && snap.Link.State == api.LinkOnline {
		// The edge welcomed this machine, and not as a host: while the daemon
		// was down the enrolment has ended.
		end = &wire.Reason{Code: wire.CodeNotEnrolled, Text: "the edge no longer knows this machine as a host"}
	}
	now := u.cfg.Now().UTC()
	var change func(row *store.Enrolment)
	switch {
	case info != nil && !sameEnrolment(have, info):
		change = func(row *store.Enrolment) {
			if row.ConnectorID != info.ID {
				row.Since = now
			}
			row.Edge, row.ConnectorID, row.Group, row.Site = u.Edge, info.ID, info.Group, info.Site
			row.Hostnames, row.Ended = info.Hostnames, nil
		}
	case info == nil && end != nil && have != nil && have.Ended == nil:
		change = func(row *store.Enrolment) {
			row.Ended = &store.Reason{Code: string(end.Code), Text: end.Text, Hint: end.Hint, At: now}
		}
	default:
		return false, nil
	}
	_, err = u.cfg.Store.Enrolments.Update(u.Edge, func(row *store.Enrolment) error { change(row); return nil })
	return err == nil, err
}

func sameEnrolment(have *store.Enrolment, info *wire.ConnectorInfo) bool {
	return have != nil && have.Ended == nil && have.ConnectorID == info.ID && have.Group == info.Group &&
		have.Site == info.Site && slices.Equal(have.Hostnames, info.Hostnames)
}

// Picture is how it is.
func (u *Host) Picture() picture.Host {
	p := picture.Host{
		Link: u.link.Snapshot(), Registered: u.link.Registered(), Stats: u.connector.Stats(), Logins: map[string][]api.Login{},
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	for uid, a := range u.attempts {
		p.Logins[uid] = a.List()
	}
	return p
}
