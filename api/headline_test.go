package api

import "testing"

func TestHeadlineOf(t *testing.T) {
	t.Parallel()
	edge := func(s LinkState) []Edge {
		return []Edge{{Name: "edge.site.com", Link: Link{State: s, Problem: &Problem{Title: "The edge does not answer"}}}}
	}
	forwards := func(states ...ForwardState) []Forward {
		var list []Forward
		for _, s := range states {
			list = append(list, Forward{Listen: "localhost:1", Hostname: "tcp.site.com", Owner: "bob", State: s, Paused: s == ForwardPaused})
		}
		return list
	}
	tunnels := func(s TunnelState) []Tunnel {
		return []Tunnel{{Hostname: "tcp.site.com", State: s, Paused: s == TunnelPaused}}
	}
	alice := []Session{{State: SessionActive, Person: Person{Email: "alice@site.com"}}}
	for _, tt := range []struct {
		name string
		s    Status
		want Headline
		text string
	}{
		{"nothing", Status{}, HeadlineUnset, "No edge chosen yet"},
		{"an edge and nobody", Status{Edges: edge(LinkIdle)}, HeadlineSignedOut, "Signed out"},
		{"ended session", Status{Edges: edge(LinkOnline), Sessions: []Session{{State: SessionEnded}}}, HeadlineSignedOut, "Signed out"},
		{"signed in", Status{Edges: edge(LinkOnline), Sessions: alice}, HeadlineReady, "Signed in as alice@site.com"},
		{"signed in, link idle", Status{Edges: edge(LinkIdle), Sessions: alice}, HeadlineReady, "Signed in as alice@site.com"},
		{"name where there is no email", Status{Edges: edge(LinkOnline), Sessions: []Session{{State: SessionActive, Person: Person{Name: "Alice"}}}}, HeadlineReady, "Signed in as Alice"},
		{"connecting", Status{Edges: edge(LinkConnecting), Sessions: alice}, HeadlineConnecting, "Connecting to edge.site.com"},
		{"offline", Status{Edges: edge(LinkWaiting), Sessions: alice}, HeadlineOffline, "Cannot reach edge.site.com: The edge does not answer"},
		{"offline before signed out", Status{Edges: edge(LinkWaiting)}, HeadlineOffline, "Cannot reach edge.site.com: The edge does not answer"},
		{"one edge of two", Status{Edges: append(edge(LinkOnline), edge(LinkWaiting)...), Sessions: alice}, HeadlineDegraded, "Cannot reach edge.site.com: The edge does not answer"},
		{"login wanted", Status{Edges: edge(LinkOnline), Logins: []Login{{State: LoginWanted}}}, HeadlineSignedOut, "A connection waits for you to sign in"},
		{"login under way", Status{Edges: edge(LinkOnline), Logins: []Login{{State: LoginDone}, {State: LoginBrowser}}}, HeadlineSignedOut, "Signing in: go on in the browser"},
		{"login over", Status{Edges: edge(LinkOnline), Logins: []Login{{State: LoginDone}}, Sessions: alice}, HeadlineReady, "Signed in as alice@site.com"},
		{"paused", Status{Edges: edge(LinkIdle), Forwards: forwards(ForwardPaused, ForwardPaused), Sessions: alice}, HeadlinePaused, "Everything is paused"},
		{"one paused", Status{Edges: edge(LinkOnline), Forwards: forwards(ForwardPaused, ForwardReady), Sessions: alice}, HeadlineReady, "Signed in as alice@site.com"},
		{"broken forward", Status{Edges: edge(LinkOnline), Forwards: forwards(ForwardReady, ForwardError), Sessions: alice}, HeadlineDegraded, "1 of 2 need attention: localhost:1 to tcp.site.com"},
		{"problem of the daemon", Status{Edges: edge(LinkOnline), Sessions: alice, Problems: []Problem{{Title: "The database was damaged"}}}, HeadlineDegraded, "The database was damaged"},
		{"what the system lacks", Status{Edges: edge(LinkOnline), Sessions: alice, Problems: []Problem{{Code: CodeUnsupported, Title: "No owner check"}}}, HeadlineReady, "Signed in as alice@site.com"},
		{"host only", Status{Edges: edge(LinkOnline), Tunnels: tunnels(TunnelPublished)}, HeadlineReady, "1 published"},
		{"host, origin down", Status{Edges: edge(LinkOnline), Tunnels: tunnels(TunnelOriginDown)}, HeadlineDegraded, "1 of 1 need attention: tunnel tcp.site.com"},
		{"forward of a host that nobody signed in at", Status{User: "bob", Edges: edge(LinkOnline), Tunnels: tunnels(TunnelPublished), Forwards: forwards(ForwardLoginNeeded)}, HeadlineSignedOut, "Signed out"},
		{"forwards of others", Status{User: "root", Edges: edge(LinkOnline), Tunnels: tunnels(TunnelPublished), Forwards: forwards(ForwardError)}, HeadlineReady, "1 published"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.s.User == "" {
				tt.s.User = "bob"
			}
			got, text := HeadlineOf(tt.s)
			if got != tt.want || text != tt.text {
				t.Errorf("got %q %q, want %q %q", got, text, tt.want, tt.text)
			}
		})
	}
}
