package decide

import (
	"github.com/sallyport/sallyport/edge/internal/audit"
	"github.com/sallyport/sallyport/edge/internal/config"
	"github.com/sallyport/sallyport/edge/internal/enrol"
	"github.com/sallyport/sallyport/edge/internal/policy"
	"github.com/sallyport/sallyport/edge/internal/registry"
	"github.com/sallyport/sallyport/edge/internal/sessions"
	"github.com/sallyport/sallyport/wire"
)

// Link is one link of one device key.
type Link interface {
	Key() wire.KeyID
	Role() wire.Role
	BootID() string
	// Address is where the link comes from.
	Address() string
	// Host is the link as an instance of a connector, nil where it is none.
	Host() *registry.Host
	// Whole says that every stream which the daemon lists has its row; SetWhole says so.
	Whole() bool
	SetWhole(bool)
	// Tell queues a message; it never blocks.
	Tell(wire.Message)
	// Err is nil while the link lives.
	Err() error
}

// Decider joins the rooms that are asked. All are required.
type Decider struct {
	Settings func() *config.Config
	Sessions *sessions.Service
	Apps     *policy.Apps
	Enrol    *enrol.Service
	Registry *registry.Registry
	// Link returns the newest link of a key, nil where there is none.
	Link func(wire.KeyID) Link
}

// SessionOf returns a live session that a link may name: one of its own key.
func (d *Decider) SessionOf(l Link, id string) (sessions.Session, *wire.Reason) {
	s, ok := d.Sessions.Get(id)
	if !ok || s.Key != l.Key() || l.Role() != wire.RoleClient {
		return sessions.Session{}, LoginNeeded()
	}
	return s, nil
}

// May asks the policy. hostname is in normal form.
func (d *Decider) May(hostname string, s sessions.Session) (policy.Decision, *wire.Reason) {
	app, _ := d.Apps.Get(hostname)
	decision := policy.Decide(app, s.Subject())
	if !decision.Allow {
		return decision, d.Denied(hostname, decision.Contact)
	}
	return decision, nil
}

// Pick chooses a host: any that serves the hostname, or the process that holds
// streams of the client already.
func (d *Decider) Pick(s sessions.Session, hostname string, process *wire.HostProcess) (*registry.Host, *wire.Reason) {
	if process == nil {
		if host, ok := d.Registry.Pick(s.ID, hostname); ok {
			return host, nil
		}
		return nil, NoConnector(hostname)
	}
	l := d.Link(process.Key)
	if l == nil || l.Host() == nil {
		return nil, NoConnector(hostname)
	}
	if l.BootID() != process.BootID {
		return nil, HostRestarted()
	}
	host := l.Host()
	if host == nil || !d.Registry.Serves(host, hostname) {
		return nil, NoConnector(hostname) // it has just come back, and not said yet what it publishes
	}
	return host, nil
}

// Passes says why what a session has at an app may not, or no longer, be; nil
// where it may. connector is "" where it is not known.
func (d *Decider) Passes(session, hostname, connector string) *wire.Reason {
	s, ok := d.Sessions.Get(session)
	if !ok {
		return LoginNeeded()
	}
	if _, why := d.May(hostname, s); why != nil {
		return why
	}
	if _, ok := d.Enrol.Get(connector); !ok && connector != "" {
		return NoConnector(hostname)
	}
	return nil
}

// PersonRecord begins a record about a person's session.
func PersonRecord(s sessions.Session) audit.Record {
	return audit.Record{
		Session: s.ID, Issuer: s.Person.Issuer, Subject: s.Person.Subject, Email: s.Person.Email,
		KeyHash: s.Key.String(), DeviceName: s.DeviceName, OSUser: s.OSUser,
	}
}
