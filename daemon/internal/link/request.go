package link

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/daemon/internal/link/dial"
	"github.com/sallyport/sallyport/wire"
)

const (
	// registerTimeout bounds the answer to a table, registerRetry is when a
	// table that was not taken, or of which something was noted, is told again.
	registerTimeout = 10 * time.Second
	registerRetry   = 5 * time.Second
)

// call sends a request on the instance that is online, and waits for an answer
// of type A. Its errors are problems.
func call[A wire.Message](ctx context.Context, l *Link, m wire.Message) (A, error) {
	var none A
	inst, err := l.online(ctx)
	if err != nil {
		return none, ProblemOf(err)
	}
	answer, err := inst.Call(ctx, m)
	if err != nil {
		return none, ProblemOf(err)
	}
	a, ok := answer.(A)
	if !ok {
		return none, ProblemOf(fmt.Errorf("answer %T to %T", answer, m))
	}
	return a, nil
}

// Open opens a stream to the app of a hostname and waits for its Verdict. Its
// errors are *api.Problem that name the broken hop.
func (l *Link) Open(ctx context.Context, hostname string) (*wire.Stream, error) {
	s, _, err := l.OpenWith(ctx, hostname, nil)
	return s, err
}

// OpenWith is Open with payload that goes ahead of the Verdict, at most
// wire.EarlyWindow; sent says how much of it did, all or nothing.
func (l *Link) OpenWith(ctx context.Context, hostname string, early []byte) (s *wire.Stream, sent int, err error) {
	s, sent, err = l.trunks.Open(ctx, hostname, early)
	if err == nil {
		return s, sent, nil
	}
	p := ProblemOf(err)
	if p.Code == api.CodeInternal {
		p = &api.Problem{
			Code: api.CodeConnectorLost, Title: "The connection to the host was lost", Detail: err.Error(),
			Hint: "Try again in a moment.",
		}
	}
	return nil, 0, p
}

// Apps asks which hostnames the session's person may reach.
func (l *Link) Apps(ctx context.Context) ([]api.App, error) {
	if _, err := l.online(ctx); err != nil {
		return nil, ProblemOf(err)
	}
	session, err := l.session()
	if err != nil {
		return nil, err
	}
	answer, err := call[*wire.Apps](ctx, l, &wire.AppsRequest{Session: session})
	if err != nil {
		return nil, err
	}
	apps := make([]api.App, 0, len(answer.Apps))
	for _, a := range answer.Apps {
		apps = append(apps, api.App{Hostname: a.Hostname, Online: a.Online})
	}
	return apps, nil
}

// session is the id of the live session; its error says why there is none.
func (l *Link) session() (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch f := &l.facts; {
	case f.session != nil:
		return f.session.ID, nil
	case f.end != nil:
		return "", dial.Reason(*f.end)
	}
	return "", dial.Reason(wire.Reason{Code: wire.CodeLoginNeeded})
}

// StartLogin begins an attempt at the edge.
func (l *Link) StartLogin(ctx context.Context, m *wire.LoginStart) (*wire.LoginStarted, error) {
	return call[*wire.LoginStarted](ctx, l, m)
}

// Redeem shows the code of an attempt. A session that it brings is stored when
// Redeem returns.
func (l *Link) Redeem(ctx context.Context, m *wire.LoginRedeem) (*wire.LoginDone, error) {
	done, err := call[*wire.LoginDone](ctx, l, m)
	if err != nil {
		return nil, err
	}
	if done.Session != nil {
		if err := l.saveSession(done.SessionToken, done.Session); err != nil {
			return nil, err
		}
	}
	if done.Connector != nil {
		l.enrolled(done.Connector)
	}
	return done, nil
}

// CancelLogin gives an attempt up. It does not wait.
func (l *Link) CancelLogin(attempt string) {
	l.tasks.Run(func(ctx context.Context) {
		inst := l.current()
		if inst == nil {
			return // the edge forgets the attempt by itself
		}
		if _, err := inst.Call(ctx, &wire.LoginCancel{Attempt: attempt}); err != nil {
			l.log.Debug("login not cancelled", "attempt", attempt, "err", err)
		}
	})
}

// Enrol shows a one-time join token.
func (l *Link) Enrol(ctx context.Context, token string) (*wire.ConnectorInfo, error) {
	answer, err := call[*wire.Enrolled](ctx, l, &wire.Enrol{Token: token})
	if err != nil {
		return nil, err
	}
	l.enrolled(&answer.Connector)
	return &answer.Connector, nil
}

func (l *Link) enrolled(c *wire.ConnectorInfo) {
	l.update(func(f *facts) { f.connector, f.connectorEnd = c, nil })
	signal(l.table)
}

// Register gives the table of published hostnames. It is kept and repeated at
// each reconnect.
func (l *Link) Register(tunnels []wire.TunnelInfo) {
	same := func(a, b wire.TunnelInfo) bool {
		return a.Hostname == b.Hostname && a.Sick == b.Sick && slices.Equal(a.Ports, b.Ports)
	}
	l.mu.Lock()
	changed := !slices.EqualFunc(l.facts.tunnels, tunnels, same)
	l.facts.tunnels = slices.Clone(tunnels)
	l.mu.Unlock()
	if changed {
		signal(l.table)
	}
}

// SetSick marks a hostname of the table, kept and told to the edge.
func (l *Link) SetSick(hostname string, sick bool) {
	l.mu.Lock()
	changed := l.facts.sick[hostname] != sick
	if sick {
		l.facts.sick[hostname] = true
	} else {
		delete(l.facts.sick, hostname)
	}
	l.mu.Unlock()
	if changed {
		signal(l.table)
	}
}

// Registered is what the edge answered, per hostname. A hostname that is missing has not been answered yet.
func (l *Link) Registered() map[string]wire.RegisterResult {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.facts.registered)
}

// registerLoop tells the table whenever it changes, as long as the instance lives.
func (l *Link) registerLoop(ctx context.Context, inst *instance) {
	var again <-chan time.Time
	for {
		select {
		case <-l.table:
		case <-again:
		case <-ctx.Done():
			return
		}
		again = nil
		noted, err := l.register(ctx, inst)
		if err != nil && ctx.Err() == nil {
			l.log.Warn("tunnels not registered", "err", err)
		}
		if err != nil || noted {
			again = time.After(registerRetry)
		}
	}
}

// register tells the table once, and says whether the edge noted something about
// it that may change by itself.
func (l *Link) register(ctx context.Context, inst *instance) (noted bool, err error) {
	l.mu.Lock()
	enrolled := l.facts.connector != nil
	tunnels := slices.Clone(l.facts.tunnels)
	for i := range tunnels {
		tunnels[i].Sick = tunnels[i].Sick || l.facts.sick[tunnels[i].Hostname]
	}
	l.mu.Unlock()
	if !enrolled {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, registerTimeout)
	defer cancel()
	answer, err := inst.Call(ctx, &wire.Register{Tunnels: tunnels})
	results := make(map[string]wire.RegisterResult, len(tunnels))
	var refused *wire.Reason
	switch r, ok := answer.(*wire.Registered); {
	case errors.As(err, &refused):
		for _, t := range tunnels {
			results[t.Hostname] = wire.RegisterResult{Hostname: t.Hostname, Reason: refused}
		}
	case err != nil:
		return false, err
	case !ok:
		return false, fmt.Errorf("answer %T to register", answer)
	default:
		for _, result := range r.Results {
			results[result.Hostname] = result
			noted = noted || result.Note != nil
		}
	}
	l.update(func(f *facts) {
		if f.inst == inst {
			f.registered = results
		}
	})
	return noted, err
}

// DialEdge connects to the edge of an id that an offer or a ticket names, with
// the label that it gives, and returns the edge's own name, to which labels are
// put in front. An id that is not of the configured edge is refused (rule 12).
func (l *Link) DialEdge(ctx context.Context, edgeID string, label wire.Label) (net.Conn, string, error) {
	inst := l.current()
	if inst == nil {
		return nil, "", fmt.Errorf("dial edge: %w", l.offline())
	}
	if edgeID != inst.edgeID {
		return nil, "", &wire.Reason{Code: wire.CodeProtocol, Text: fmt.Sprintf("edge id %q is not of the configured edge", edgeID)}
	}
	conn, err := l.dialer.Trunk(ctx, label, l.timing.Dial)
	if err != nil {
		return nil, "", err
	}
	return conn, inst.edgeName, nil
}
