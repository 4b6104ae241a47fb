package view

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/api"
)

// waits is how it is told that connections wait, since 12:03 here.
func waits(n int) *api.Resuming {
	return &api.Resuming{Connections: n, Since: time.Date(2026, 11, 23, 12, 3, 0, 0, time.Local).UTC()}
}

// What waits for another way stands below its forward or tunnel.
func TestResuming(t *testing.T) {
	t.Parallel()
	s := api.Status{
		Forwards: []api.Forward{{Hostname: "a", Resuming: waits(1)}}, Tunnels: []api.Tunnel{{Hostname: "b", Resuming: waits(2)}, {Hostname: "c"}},
	}
	var b strings.Builder
	Status(&b, &s, time.Now())
	var got []string
	for line := range strings.Lines(b.String()) {
		if strings.Contains(line, "wait") {
			got = append(got, line)
		}
	}
	want := []string{"    1 connection waits for another way since 12:03\n", "    2 connections wait for another way since 12:03\n"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestForwardChange(t *testing.T) {
	t.Parallel()
	fault := &api.Problem{Code: api.CodeEdgeTimeout, Title: "no answer", Detail: "is port 443 blocked?", Hint: "ask"}
	base := api.Forward{Hostname: "h", Listen: "localhost:1", State: api.ForwardReady}
	with := func(f func(*api.Forward)) *api.Forward {
		v := base
		f(&v)
		return &v
	}
	tests := []struct {
		name        string
		before, now *api.Forward
		want        []string
	}{
		{"first", nil, &base, []string{"localhost:1 -> h: ready"}},
		{"nothing", &base, &base, nil},
		{"counters", &base, with(func(f *api.Forward) { f.TotalConns = 7 }), nil},
		{"login", &base, with(func(f *api.Forward) { f.State = api.ForwardLoginNeeded }), []string{"localhost:1 -> h: login-needed", "hint: connect to localhost:1, or run `sallyport login`"}},
		{"link lost", &base, with(func(f *api.Forward) { f.State, f.Problem = api.ForwardConnecting, fault }), []string{"localhost:1 -> h: connecting: no answer: is port 443 blocked?", "hint: ask"}},
		{"failed connection", &base, with(func(f *api.Forward) { f.LastError = fault }), []string{"localhost:1 -> h: connection failed: no answer: is port 443 blocked?", "hint: ask"}},
		{"the same failure", with(func(f *api.Forward) { f.LastError = fault }), with(func(f *api.Forward) { c := *fault; f.LastError = &c }), nil},
		{"failure that the state tells", nil, with(func(f *api.Forward) { f.State, f.Problem, f.LastError = api.ForwardError, fault, fault }), []string{"localhost:1 -> h: error: no answer: is port 443 blocked?", "hint: ask"}},
		{"its way is lost", &base, with(func(f *api.Forward) { f.Resuming = waits(2) }), []string{"localhost:1 -> h: 2 connections wait for another way since 12:03"}},
		{"more of them", with(func(f *api.Forward) { f.Resuming = waits(2) }), with(func(f *api.Forward) { f.Resuming = waits(3) }), nil},
		{"they go on", with(func(f *api.Forward) { f.Resuming = waits(2) }), with(func(f *api.Forward) { f.ResumedConns = 2 }), []string{"localhost:1 -> h: 2 connections went on with another way"}},
		{"it ends", with(func(f *api.Forward) { f.Resuming = waits(1) }), &base, []string{"localhost:1 -> h: no connection waits any more"}},
		{"unprotected", nil, with(func(f *api.Forward) { f.OwnerCheck = "unsupported" }), []string{"localhost:1 -> h: ready", "localhost:1 -> h: note: every user of this machine can connect to it"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := ForwardChange(tt.before, tt.now); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestSessionChange(t *testing.T) {
	t.Parallel()
	session := func(s api.SessionState, p *api.Problem) []api.Session {
		return []api.Session{{ID: "1", Person: api.Person{Email: "a@b"}, State: s, Problem: p}}
	}
	active := session(api.SessionActive, nil)
	tests := []struct {
		name        string
		before, now []api.Session
		want        []string
	}{
		{"revoked", active, session(api.SessionEnded, &api.Problem{Title: "revoked", Detail: "by carol", Hint: "ask"}), []string{"access as a@b ended: revoked: by carol", "hint: ask"}},
		{"expired", active, session(api.SessionExpired, nil), []string{"access as a@b ended: the session is over", "hint: sallyport login"}},
		{"over before", session(api.SessionEnded, nil), session(api.SessionEnded, nil), nil},
		{"begun and over since", nil, session(api.SessionEnded, nil), []string{"access as a@b ended: the session is over", "hint: sallyport login"}},
		{"still there", active, active, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := SessionChange(tt.before, tt.now); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	for _, tt := range []struct{ got, want string }{
		{Ago(now.Add(-90*time.Second), now), "1m ago"},
		{Ago(now.Add(time.Hour), now), "0s ago"},
		{Ago(time.Time{}, now), "-"},
		{Until(now.Add(47*time.Hour), now), "in 47h"},
		{Until(now.Add(12*time.Hour-time.Second), now), "in 11h59m"},
		{Until(now.Add(72*time.Hour), now), "in 3d"},
		{Until(now, now), "past"},
		{Bytes(1023), "1023 B"},
		{Bytes(1024), "1.0 KiB"},
		{Bytes(64 << 20), "64.0 MiB"},
		{Bytes(1<<64 - 1), "16.0 EiB"},
		{Clean("a\x1b[31m\u202eb\u0085\nc é"), "a?[31m?b??c é"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
}

func TestEdgesInUse(t *testing.T) {
	t.Parallel()
	own := func(n string) api.Edge { return api.Edge{Name: n} }
	machine := api.Edge{Name: "m", Machine: true}
	for _, tt := range []struct {
		edges []api.Edge
		want  []string
	}{
		{[]api.Edge{own("a"), machine, own("b")}, []string{"you", "the machine", "-"}},
		{[]api.Edge{machine, own("a")}, []string{"the machine", "you"}},
		{[]api.Edge{machine}, []string{"you, the machine"}},
	} {
		var b strings.Builder
		Edges(&b, tt.edges, time.Now())
		rows := strings.Split(strings.TrimSpace(b.String()), "\n")[1:]
		for i, want := range tt.want {
			if got := strings.TrimSpace(strings.SplitN(rows[i], "-  ", 2)[1]); got != want {
				t.Errorf("%q: got %q, want %q", rows[i], got, want)
			}
		}
	}
}

func TestLower(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"": "", "Sign in": "sign in", "sallyport login": "sallyport login", "TLS fails": "TLS fails",
		"No edge": "no edge", "A word": "A word", "IPv6 is missing": "IPv6 is missing", "Éa": "Éa",
	} {
		if got := Lower(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

// Wide and odd cells stay in their columns, and cannot leave their line.
func TestTable(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	newTable("A", "B").row("é\n", "x").note("n\x07").row("abc", "").write(&b)
	if want := "A    B\né?   x\n    n?\nabc\n"; b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}

func TestNextStep(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		status api.Status
		want   string
	}{
		{"nothing chosen", api.Status{Headline: api.HeadlineUnset}, "hint: sallyport edge use NAME[:PORT]"},
		{"signed out", api.Status{Headline: api.HeadlineSignedOut}, "hint: sallyport login, or on a host: sallyport tunnel login"},
		{"the row below tells it", api.Status{Headline: api.HeadlineSignedOut, Forwards: []api.Forward{{Hostname: "h"}}}, ""},
		{"ready", api.Status{Headline: api.HeadlineReady}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var b strings.Builder
			Status(&b, &tt.status, time.Time{})
			head, _, _ := strings.Cut(b.String(), "\n\n") // tables come after an empty line
			_, got, _ := strings.Cut(strings.TrimSuffix(head, "\n"), "\n")
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestLoginsThatTell(t *testing.T) {
	t.Parallel()
	failed := func(id string) api.Login {
		return api.Login{ID: id, Edge: "e", State: api.LoginRefused, Problem: &api.Problem{Code: api.CodeLoginRefused}}
	}
	live, done := api.Login{ID: "live", Edge: "e", State: api.LoginBrowser}, api.Login{ID: "done", Edge: "e", State: api.LoginDone}
	active := []api.Session{{Edge: "e", State: api.SessionActive}}
	for name, tt := range map[string]struct {
		status api.Status
		want   string
	}{
		"under way":             {api.Status{Logins: []api.Login{live, failed("f")}, Sessions: active}, "live"},
		"the last failed":       {api.Status{Logins: []api.Login{failed("f"), failed("older")}}, "f"},
		"one since then":        {api.Status{Logins: []api.Login{done, failed("f")}}, ""},
		"signed in another way": {api.Status{Logins: []api.Login{failed("f")}, Sessions: active}, ""},
		"signed out since":      {api.Status{Logins: []api.Login{failed("f")}, Sessions: []api.Session{{Edge: "e", State: api.SessionEnded}}}, "f"},
		"another edge":          {api.Status{Logins: []api.Login{done, {ID: "o", Edge: "o", State: api.LoginFailed, Problem: &api.Problem{}}}}, "o"},
	} {
		got := ""
		for _, l := range telling(&tt.status) {
			got += l.ID
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}
