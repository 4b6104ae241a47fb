package picture

import (
	"testing"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/daemon/internal/agent/plan"
	"github.com/sallyport/sallyport/daemon/internal/connector"
	"github.com/sallyport/sallyport/daemon/internal/forward"
	"github.com/sallyport/sallyport/daemon/internal/link"
	"github.com/sallyport/sallyport/daemon/internal/store"
	"github.com/sallyport/sallyport/internal/ipc"
	"github.com/sallyport/sallyport/wire"
)

var (
	now     = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	trouble = &api.Problem{Code: api.CodeEdgeRefused, Title: "trouble"}
	online  = api.Link{State: api.LinkOnline}
	waiting = api.Link{State: api.LinkWaiting, Problem: trouble}
)

func codeOf(p *api.Problem) api.Code {
	if p == nil {
		return ""
	}
	return p.Code
}

func TestForwardState(t *testing.T) {
	t.Parallel()
	bound := forward.Snapshot{State: api.ForwardReady}
	for _, tt := range []struct {
		name  string
		facts forwardFacts
		want  api.ForwardState
		code  api.Code
	}{
		{"paused", forwardFacts{paused: true}, api.ForwardPaused, ""},
		{"no edge", forwardFacts{}, api.ForwardError, api.CodeNoEdge},
		{"not yet", forwardFacts{edge: true}, api.ForwardStarting, ""},
		{"being bound", forwardFacts{edge: true, running: true, entry: forward.Snapshot{State: api.ForwardStarting}}, api.ForwardStarting, ""},
		{"not bound", forwardFacts{edge: true, running: true, entry: forward.Snapshot{State: api.ForwardError, Problem: trouble}, session: true, link: online}, api.ForwardError, api.CodeEdgeRefused},
		{"no session", forwardFacts{edge: true, running: true, entry: bound, link: online}, api.ForwardLoginNeeded, ""},
		{"no session, no link", forwardFacts{edge: true, running: true, entry: bound, link: waiting}, api.ForwardLoginNeeded, api.CodeEdgeRefused},
		{"no link", forwardFacts{edge: true, running: true, entry: bound, session: true, link: waiting}, api.ForwardConnecting, api.CodeEdgeRefused},
		{"ready", forwardFacts{edge: true, running: true, entry: bound, session: true, link: online}, api.ForwardReady, ""},
	} {
		if got, p := forwardState(tt.facts); got != tt.want || codeOf(p) != tt.code {
			t.Errorf("%s: %s %q, want %s %q", tt.name, got, codeOf(p), tt.want, tt.code)
		}
	}
}

func TestTunnelState(t *testing.T) {
	t.Parallel()
	refused := wire.RegisterResult{Reason: &wire.Reason{Code: wire.CodeHostnameTaken}}
	noApp := wire.RegisterResult{Note: &wire.Reason{Code: wire.CodeNoApp}}
	for _, tt := range []struct {
		name  string
		facts tunnelFacts
		want  api.TunnelState
		code  api.Code
	}{
		{"paused", tunnelFacts{paused: true}, api.TunnelPaused, ""},
		{"no edge", tunnelFacts{}, api.TunnelError, api.CodeNoEdge},
		{"never enrolled", tunnelFacts{edge: true, running: true, link: online}, api.TunnelEnrolNeeded, api.CodeNotEnrolled},
		{"never enrolled, edge away", tunnelFacts{edge: true, running: true, link: waiting}, api.TunnelConnecting, api.CodeEdgeRefused},
		{"revoked", tunnelFacts{edge: true, running: true, link: online, ended: &store.Reason{Code: string(wire.CodeRevoked)}}, api.TunnelEnrolNeeded, api.CodeRevoked},
		{"connecting", tunnelFacts{edge: true, running: true, enrolled: true, link: api.Link{State: api.LinkConnecting}}, api.TunnelConnecting, ""},
		{"edge away", tunnelFacts{edge: true, running: true, enrolled: true, link: waiting}, api.TunnelConnecting, api.CodeEdgeRefused},
		{"not answered", tunnelFacts{edge: true, running: true, enrolled: true, link: online}, api.TunnelConnecting, ""},
		{"refused", tunnelFacts{edge: true, running: true, enrolled: true, link: online, answered: true, answer: refused}, api.TunnelRefused, api.CodeHostnameTaken},
		{"origin down", tunnelFacts{edge: true, running: true, enrolled: true, link: online, answered: true, stats: connector.Stats{Sick: true, Problem: trouble}}, api.TunnelOriginDown, api.CodeEdgeRefused},
		{"published", tunnelFacts{edge: true, running: true, enrolled: true, link: online, answered: true}, api.TunnelPublished, ""},
		{"published for nobody", tunnelFacts{edge: true, running: true, enrolled: true, link: online, answered: true, answer: noApp}, api.TunnelPublished, api.CodeNoApp},
	} {
		if got, p := tunnelState(tt.facts); got != tt.want || codeOf(p) != tt.code {
			t.Errorf("%s: %s %q, want %s %q", tt.name, got, codeOf(p), tt.want, tt.code)
		}
	}
}

func TestSessionState(t *testing.T) {
	t.Parallel()
	info := &store.SessionInfo{ID: "s", ExpiresAt: now.Add(time.Hour)}
	over := &store.SessionInfo{ID: "s", ExpiresAt: now}
	for _, tt := range []struct {
		name string
		row  store.Session
		live *wire.SessionInfo
		want api.SessionState
	}{
		{"active", store.Session{Info: info}, &wire.SessionInfo{ID: "s"}, api.SessionActive},
		{"not asked yet", store.Session{Info: info}, nil, api.SessionActive},
		{"past its end, link away", store.Session{Info: over}, nil, api.SessionExpired},
		{"past its end by our clock", store.Session{Info: over}, &wire.SessionInfo{ID: "s"}, api.SessionActive},
		{"expired", store.Session{Info: info, Ended: &store.Reason{Code: "expired"}}, nil, api.SessionExpired},
		{"revoked", store.Session{Info: info, Ended: &store.Reason{Code: "revoked"}}, nil, api.SessionEnded},
	} {
		if got, p := sessionState(tt.row, tt.live, now); got != tt.want || (p == nil) != (got == api.SessionActive) {
			t.Errorf("%s: %s %v, want %s", tt.name, got, p, tt.want)
		}
	}
}

// TestWhoSeesWhat paints things of two users and of the machine.
func TestWhoSeesWhat(t *testing.T) {
	t.Parallel()
	p := NewPainter().Paint(Facts{
		At: now, UserName: func(uid string) string { return "user " + uid },
		Contents: store.Contents{
			Edges:    []store.Edge{{ID: "e1", Scope: "1", Name: "one", UsedAt: now}, {ID: "e2", Scope: "2", Name: "two"}, {ID: "em", Scope: store.Machine, Name: "all"}},
			Forwards: []store.Forward{{ID: "f1", Owner: "1", Edge: "one"}, {ID: "f2", Owner: "2", Edge: "two"}},
			Sessions: []store.Session{
				{Scope: "1", Edge: "one", Info: &store.SessionInfo{ID: "s1", ExpiresAt: now.Add(1)}},
				{Scope: "2", Edge: "two", Info: &store.SessionInfo{ID: "s2", ExpiresAt: now.Add(1)}},
			},
			Tunnels:    []store.Tunnel{{ID: "t", Edge: "all"}},
			Enrolments: []store.Enrolment{{Edge: "all"}},
		},
		Clients: map[plan.ClientKey]Client{
			{Owner: "1", Edge: "one"}: {Logins: []api.Login{{ID: "l1"}}, Link: link.Snapshot{Link: online}},
			{Owner: "2", Edge: "two"}: {Logins: []api.Login{{ID: "l2"}}},
		},
		Hosts: map[string]Host{"all": {Logins: map[string][]api.Login{"0": {{ID: "lm"}}}, Link: link.Snapshot{Link: waiting}}},
	})
	for _, tt := range []struct {
		who  ipc.Identity
		want string
	}{
		{ipc.Identity{UID: "1"}, "e1 em f1 s1 l1"},
		{ipc.Identity{UID: "2"}, "e2 em f2 s2 l2"},
		{ipc.Identity{UID: "3"}, "em"},
		{ipc.Identity{UID: "2", Administrator: true}, "e2 em f2 s2 l2 t enrolment"},
		{ipc.Identity{UID: "0", Root: true, Administrator: true}, "em f1 f2 lm t enrolment"},
	} {
		if got := idsOf(p.Status(tt.who)); got != tt.want {
			t.Errorf("%+v sees %q, want %q", tt.who, got, tt.want)
		}
	}
	if l := p.Status(ipc.Identity{UID: "1"}).Edges[0].Link; l.State != api.LinkOnline {
		t.Errorf("link of the own edge: %+v", l)
	}
	if l := p.Status(ipc.Identity{UID: "1"}).Edges[1].Link; l.State != api.LinkIdle {
		t.Errorf("a plain user sees the host's link: %+v", l)
	}
	if l := p.Status(ipc.Identity{UID: "0", Administrator: true}).Edges[0].Link; l.State != api.LinkWaiting {
		t.Errorf("an administrator does not see the host's link: %+v", l)
	}
}

func idsOf(s api.Status) string {
	out := ""
	add := func(id string) {
		if out != "" {
			out += " "
		}
		out += id
	}
	for _, x := range s.Edges {
		add(x.ID)
	}
	for _, x := range s.Forwards {
		add(x.ID)
	}
	for _, x := range s.Sessions {
		add(x.ID)
	}
	for _, x := range s.Logins {
		add(x.ID)
	}
	for _, x := range s.Tunnels {
		add(x.ID)
	}
	for range s.Enrolments {
		add("enrolment")
	}
	return out
}

func TestSinceFollowsTheState(t *testing.T) {
	t.Parallel()
	p := NewPainter()
	facts := Facts{At: now, Contents: store.Contents{Forwards: []store.Forward{{ID: "f", Owner: "1", Paused: true}}}}
	since := func(at time.Time, paused bool) time.Time {
		facts.At, facts.Contents.Forwards[0].Paused = at, paused
		f, _ := p.Paint(facts).Forward(ipc.Identity{UID: "1"}, "f")
		return f.Since
	}
	since(now, true)
	if got := since(now.Add(time.Hour), true); !got.Equal(now) {
		t.Errorf("the same state since %v, want %v", got, now)
	}
	if got := since(now.Add(2*time.Hour), false); !got.Equal(now.Add(2 * time.Hour)) {
		t.Errorf("a new state since %v", got)
	}
}
