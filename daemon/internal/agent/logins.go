package agent

import (
	"context"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/daemon/internal/agent/check"
	"github.com/sallyport/sallyport/daemon/internal/agent/plan"
	"github.com/sallyport/sallyport/daemon/internal/agent/unit"
	"github.com/sallyport/sallyport/daemon/internal/login"
	"github.com/sallyport/sallyport/daemon/internal/store"
	"github.com/sallyport/sallyport/internal/ipc"
	"github.com/sallyport/sallyport/wire"
)

// clientFor gives the running client of a caller at an edge, and starts it
// where nothing else has.
func (a *Agent) clientFor(ctx context.Context, who ipc.Identity, edge string) (*unit.Client, error) {
	row, err := a.edgeFor(who.Owner(), edge, who)
	if err != nil {
		return nil, err
	}
	key := plan.ClientKey{Owner: who.Owner(), Edge: row.Name}
	a.mu.Lock()
	a.memory.Clients[key] = a.now().Add(wantFor)
	c := a.units.clients[key]
	a.mu.Unlock()
	if c != nil && !c.Over() {
		return c, nil
	}
	a.settle(ctx)
	a.mu.Lock()
	defer a.mu.Unlock()
	if c := a.units.clients[key]; c != nil {
		return c, nil
	}
	return nil, a.notStartedLocked(key)
}

// hostFor is the same for the machine's host.
func (a *Agent) hostFor(ctx context.Context, edge string, who ipc.Identity) (*unit.Host, error) {
	row, err := a.edgeFor(store.Machine, edge, who)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	a.memory.Hosts[row.Name] = a.now().Add(wantFor)
	h := a.units.hosts[row.Name]
	a.mu.Unlock()
	if h != nil && !h.Over() {
		return h, nil
	}
	a.settle(ctx)
	a.mu.Lock()
	defer a.mu.Unlock()
	if h := a.units.hosts[row.Name]; h != nil {
		return h, nil
	}
	return nil, a.notStartedLocked(plan.ClientKey{Owner: store.Machine, Edge: row.Name})
}

func (a *Agent) notStartedLocked(key plan.ClientKey) *api.Problem {
	if p := a.units.failed[key]; p != nil {
		return p
	}
	return &api.Problem{Code: api.CodeInternal, Title: "The daemon is busy or stopping", Hint: "Try again in a moment."}
}

// StartLogin begins an attempt, or joins the one under way. taker is the life
// of who holds it.
func (a *Agent) StartLogin(ctx, taker context.Context, who ipc.Identity, in api.LoginInput) (api.Login, error) {
	in, p := check.Login(in, who)
	if p != nil {
		return api.Login{}, p
	}
	var attempts *login.Attempts
	if in.Purpose == api.PurposeEnrol {
		h, err := a.hostFor(ctx, in.Edge, who)
		if err != nil {
			return api.Login{}, err
		}
		attempts = h.Enrolling(who.Owner(), who.Name)
	} else {
		c, err := a.clientFor(ctx, who, in.Edge)
		if err != nil {
			return api.Login{}, err
		}
		attempts = c.Attempts
	}
	l, err := attempts.Start(ctx, taker, in)
	a.settle(ctx)
	return l, err
}

// attemptsOf finds the attempts among which one of the caller's logins is.
func (a *Agent) attemptsOf(who ipc.Identity, id string) (*login.Attempts, api.Login, error) {
	for _, at := range a.ownAttempts(who) {
		if l, ok := at.Get(id); ok {
			return at, l, nil
		}
	}
	return nil, api.Login{}, notFound("login")
}

func (a *Agent) ownAttempts(who ipc.Identity) []*login.Attempts {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []*login.Attempts
	for key, c := range a.units.clients {
		if key.Owner == who.Owner() {
			all = append(all, c.Attempts)
		}
	}
	for _, h := range a.units.hosts {
		if at := h.Attempts(who.Owner()); at != nil {
			all = append(all, at)
		}
	}
	return all
}

// Login is one of the caller's attempts.
func (a *Agent) Login(who ipc.Identity, id string) (api.Login, error) {
	_, l, err := a.attemptsOf(who, id)
	return l, err
}

// Redeem shows the code that came back.
func (a *Agent) Redeem(ctx context.Context, who ipc.Identity, id, code string) (api.Login, error) {
	at, _, err := a.attemptsOf(who, id)
	if err != nil {
		return api.Login{}, err
	}
	if code == "" {
		return api.Login{}, check.Invalid("code", "A code is needed", "it is what the browser brought back, or shows")
	}
	l, err := at.Redeem(ctx, id, code)
	a.settle(ctx)
	return l, err
}

// CancelLogin gives an attempt up.
func (a *Agent) CancelLogin(ctx context.Context, who ipc.Identity, id string) error {
	at, _, err := a.attemptsOf(who, id)
	if err != nil {
		return err
	}
	if _, err := at.Cancel(id); err != nil {
		return err
	}
	a.settle(ctx)
	return nil
}

// Enrol makes this machine a host by a one-time join token. The caller is an
// administrator.
func (a *Agent) Enrol(ctx context.Context, who ipc.Identity, in api.EnrolmentInput) (api.Enrolment, error) {
	if in.Token == "" {
		return api.Enrolment{}, check.Invalid("token", "A join token is needed", "sallyport-edge token new makes one")
	}
	h, err := a.hostFor(ctx, "", who)
	if err != nil {
		return api.Enrolment{}, err
	}
	info, err := h.Enrol(ctx, in.Token)
	if err != nil {
		return api.Enrolment{}, err
	}
	a.settle(ctx) // stores it
	return api.Enrolment{
		Edge: h.Edge, ConnectorID: info.ID, Group: info.Group, Site: info.Site, Hostnames: info.Hostnames, Since: a.now().UTC(),
	}, nil
}

// EndSession signs the caller out: what hangs on the session is cut when it
// returns, and the edge is told now or as soon as it can be reached.
func (a *Agent) EndSession(ctx context.Context, who ipc.Identity, id string) error {
	rows, err := a.store.Sessions.List()
	if err != nil {
		return a.stored(err)
	}
	for _, row := range rows {
		if row.Scope != who.Owner() || row.Info == nil || row.Info.ID != id {
			continue
		}
		if row.Token == "" { // it has ended already: forget that it was
			if _, err := a.store.Sessions.Update(store.Key(row.Scope, row.Edge), func(row *store.Session) error {
				row.Info, row.Ended = nil, nil
				return nil
			}); err != nil {
				return a.stored(err)
			}
			a.settle(ctx)
			return nil
		}
		c, err := a.clientFor(ctx, who, row.Edge)
		if err != nil {
			return err
		}
		err = c.Logout(ctx)
		a.settle(ctx)
		return err
	}
	return notFound("session")
}

// Apps lists the hostnames that the signed-in person may reach.
func (a *Agent) Apps(ctx context.Context, who ipc.Identity, edge string) ([]api.App, error) {
	c, err := a.clientFor(ctx, who, edge)
	if err != nil {
		return nil, err
	}
	if !c.HasSession() {
		return nil, loginNeeded()
	}
	apps, err := c.Apps(ctx)
	if apps == nil {
		apps = []api.App{}
	}
	return apps, err
}

func loginNeeded() *api.Problem {
	return &api.Problem{Code: api.CodeLoginNeeded, Title: "Nobody is signed in", Hint: "Sign in: sallyport login"}
}

// OpenStream opens one stream to a hostname. Where there is no session it waits
// for a login, as a connection to a forward does.
func (a *Agent) OpenStream(ctx context.Context, who ipc.Identity, in api.StreamInput) (*wire.Stream, error) {
	hostname, p := check.Hostname(in.Hostname)
	if p != nil {
		return nil, p
	}
	c, err := a.clientFor(ctx, who, in.Edge)
	if err != nil {
		return nil, err
	}
	if err := c.Attempts.Wait(ctx); err != nil {
		return nil, err
	}
	return c.Open(ctx, hostname)
}
