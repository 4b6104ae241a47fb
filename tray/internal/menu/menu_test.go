package menu

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/api"
)

// lines is a menu as a person reads it; what can be clicked stands in brackets,
// with a tick where it is on.
func lines(m Menu) []string {
	out := []string{string(m.Icon) + " | " + m.Tooltip}
	for _, e := range m.Entries {
		text := e.Text
		if e.Checked {
			text = "x " + text
		}
		switch {
		case e.Text == "":
		case e.Action.Kind != Nothing:
			out = append(out, "["+text+"]")
		default:
			out = append(out, text)
		}
	}
	return out
}

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.FixedZone("here", 3600))

// tail is what every menu ends with.
const tail = "\n[Start at login]\n[About Sallyport 1.2.3]\n[Quit (forwards stay)]"

func TestBuild(t *testing.T) {
	t.Parallel()
	edge := []api.Edge{{Name: "edge.site.com"}, {Name: "machine.site.com", Machine: true}}
	alice := []api.Session{
		{State: api.SessionExpired, Edge: "old.site.com", Person: api.Person{Email: "x@site.com"}},
		{State: api.SessionActive, Edge: "edge.site.com", Person: api.Person{Email: "alice@site.com"}, ExpiresAt: noon.Add(6 * time.Hour).UTC()},
	}
	account := "[Sign in]\n[Sign in on another machine]\n[Open the portal]"
	signedOut := "No forwards yet\n" + account
	tests := []struct {
		name string
		view View
		want string
	}{
		{"nothing set", View{Status: api.Status{Headline: api.HeadlineUnset, Text: "No edge is chosen"}},
			"signed-out | Sallyport: No edge is chosen\nNo edge is chosen\nNot signed in\nNo forwards yet\nSign in (choose an edge first: sallyport edge use NAME)"},
		{"signed out", View{Status: api.Status{Headline: api.HeadlineSignedOut, Text: "Signed out", Edges: edge, Sessions: alice[:1]}},
			"signed-out | Sallyport: Signed out\nSigned out\nNot signed in\n" + signedOut},
		{"wanted", View{Status: api.Status{Headline: api.HeadlineSignedOut, Text: "Login needed", Edges: edge, Logins: []api.Login{{State: api.LoginDone}, {State: api.LoginWanted, Waiting: 3}}}},
			"signed-out | Sallyport: Login needed\nLogin needed\nNot signed in\n" + strings.Replace(signedOut, "Sign in]", "Sign in (3 waiting)]", 1)},
		{"in the browser", View{Status: api.Status{Headline: api.HeadlineSignedOut, Text: "Login needed", Edges: edge, Logins: []api.Login{{State: api.LoginBrowser, Mode: api.ModeLoopback, URL: "u"}}}},
			"signed-out | Sallyport: Login needed\nLogin needed\nNot signed in\n" + strings.Replace(signedOut, "Sign in]", "Open the sign-in page again]", 1)},
		{"in a browser elsewhere", View{Status: api.Status{Headline: api.HeadlineSignedOut, Text: "Login needed", Edges: edge, Logins: []api.Login{{State: api.LoginBrowser, Mode: api.ModeCode, URL: "u"}}}},
			"signed-out | Sallyport: Login needed\nLogin needed\nNot signed in\n" + signedOut},
		{"ready", View{
			Status: api.Status{
				Headline: api.HeadlineReady, Text: "Ready", User: "bob", Edges: edge, Sessions: alice,
				Forwards: []api.Forward{
					{ID: "1", Owner: "bob", Listen: "localhost:9210", Hostname: "tcp.site.com", State: api.ForwardReady},
					{ID: "2", Owner: "eve", Listen: "localhost:9999", Hostname: "eve.site.com", State: api.ForwardReady},
					{ID: "3", Owner: "bob", Listen: "unix:/run/db", Hostname: "db.site.com", State: api.ForwardPaused, Paused: true, LastError: &api.Problem{Title: "old"}},
					{ID: "4", Owner: "bob", Listen: "localhost:80", Hostname: "web.site.com", State: api.ForwardError, Problem: &api.Problem{Title: "port 80 is taken\n", Hint: "Choose another."}},
				},
			},
			Apps: []api.App{{Hostname: "db.site.com", Online: true}, {Hostname: "new.site.com", Online: true}, {Hostname: "*.dev.site.com"}, {Hostname: "off.site.com"}},
			Note: "Copied", Autostart: true,
		}, "ready | Sallyport: Ready\nReady\nalice@site.com at edge.site.com until 18:00\nCopied\n" +
			"[x localhost:9210 → tcp.site.com (ready)]\n[unix:/run/db → db.site.com (paused)]\n" +
			"[x localhost:80 → web.site.com (error)]\n      port 80 is taken. Choose another.\n" +
			"[Copy localhost:9210]\n[Copy /run/db]\n[Copy localhost:80]\n[Add a forward to new.site.com]\n[Add a forward to off.site.com (offline)]\n[Pause all forwards]\n" +
			"[Sign in again]\n[Sign in on another machine]\n[Sign out]\n[Open the portal]"},
		{"paused, several edges", View{
			Status: api.Status{
				Headline: api.HeadlinePaused, Text: "Everything is paused", Edges: []api.Edge{{Name: "a.com"}, {Name: "b.com"}, {Name: "m.com", Machine: true}},
				Forwards: []api.Forward{{Listen: "localhost:1", Hostname: "h", State: api.ForwardPaused, Paused: true}},
			},
		}, "paused | Sallyport: Everything is paused\nEverything is paused\nNot signed in\n[localhost:1 → h (paused)]\n[Copy localhost:1]\n[Resume all forwards]\n" +
			"[Sign in]\n[Sign in on another machine]\n[x Edge a.com]\n[Edge b.com]\n[Open the portal]"},
		{"no daemon", View{Down: "no such socket", Note: "n", Status: api.Status{Edges: edge}},
			"offline | Sallyport: The Sallyport service does not answer\nThe Sallyport service does not answer\nno such socket\nn\nForwards are shown when it is back\nSign in"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.view.Now, tt.view.Version = noon, "1.2.3"
			end := tail
			if tt.view.Autostart {
				end = strings.Replace(tail, "[Start", "[x Start", 1)
			}
			got := strings.Join(lines(Build(tt.view)), "\n")
			if want := tt.want + end; got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestIcons(t *testing.T) {
	t.Parallel()
	for h, want := range map[api.Headline]Icon{
		api.HeadlineReady: IconReady, api.HeadlineConnecting: IconConnecting, api.HeadlineSignedOut: IconSignedOut, api.HeadlineDegraded: IconDegraded,
		api.HeadlineUnset: IconSignedOut, api.HeadlineOffline: IconOffline, api.HeadlinePaused: IconPaused, "of a later daemon": IconOffline,
	} {
		if got := Build(View{Status: api.Status{Headline: h}}).Icon; got != want {
			t.Errorf("%s: got %s, want %s", h, got, want)
		}
	}
}

func TestFullGroups(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, MaxForwards, MaxForwards + 1, 100} {
		var v View
		for i := range n {
			v.Status.Forwards = append(v.Status.Forwards, api.Forward{ID: fmt.Sprint(i), Listen: fmt.Sprint(i), Hostname: "h", Problem: &api.Problem{Title: "p"}})
			v.Status.Edges = append(v.Status.Edges, api.Edge{Name: fmt.Sprint(i)})
			v.Apps = append(v.Apps, api.App{Hostname: fmt.Sprint(i)})
		}
		m := Build(v)
		if more := m.Entries[SlotMore].Text; (n > MaxForwards) != strings.Contains(more, fmt.Sprint("and ", n-MaxForwards, " more")) {
			t.Errorf("%d forwards: %q", n, more)
		}
		if n > MaxEdges && m.Entries[SlotEdge+MaxEdges-1].Text != "More: sallyport edge list" || n == 100 && m.Entries[SlotAdd+MaxApps-1].Text != "More: sallyport apps" {
			t.Errorf("%d: %q, %q", n, m.Entries[SlotEdge+MaxEdges-1].Text, m.Entries[SlotAdd+MaxApps-1].Text)
		}
		if m.Entries[SlotQuit].Text == "" || m.Entries[SlotPause].Action.Kind != PauseAll {
			t.Errorf("%d: %+v", n, m.Entries[SlotPause])
		}
	}
}

func TestClean(t *testing.T) {
	t.Parallel()
	got := []rune(clean(strings.Repeat("ä", 500) + "\x1b\u202e"))
	if len(got) != maxText || got[maxText-1] != '…' {
		t.Errorf("got %d runes, %q", len(got), string(got))
	}
}

// Every action that a menu can have has a command; Quit alone has none.
func TestCommands(t *testing.T) {
	t.Parallel()
	commands := Commands()
	for k, c := range commands {
		if (c == "") != (k == Quit) {
			t.Errorf("%s: command %q", k, c)
		}
	}
	seen := map[Kind]bool{}
	session := api.Session{State: api.SessionActive}
	edges := []api.Edge{{Name: "a"}, {Name: "b"}}
	for _, v := range []View{
		{Down: "x"}, {Autostart: true}, {Status: api.Status{Edges: edges, Logins: []api.Login{{State: api.LoginBrowser, Mode: api.ModeLoopback, URL: "u"}}}},
		{Status: api.Status{Edges: edges, Sessions: []api.Session{session}, Forwards: []api.Forward{{}, {Paused: true}}}, Apps: []api.App{{Hostname: "h"}}},
		{Status: api.Status{Forwards: []api.Forward{{Paused: true}}}},
	} {
		for _, e := range Build(v).Entries {
			if _, ok := commands[e.Action.Kind]; !ok && e.Action.Kind != Nothing {
				t.Errorf("%q: action %s has no line in Commands", e.Text, e.Action.Kind)
			}
			seen[e.Action.Kind] = true
		}
	}
	for k := range commands {
		if !seen[k] {
			t.Errorf("%s is never in a menu", k)
		}
	}
}

// apply is what a surface does with changes.
func apply(m Menu, changes []Change) Menu {
	for _, c := range changes {
		switch {
		case c.Icon != nil:
			m.Icon = *c.Icon
		case c.Tooltip != nil:
			m.Tooltip = *c.Tooltip
		case c.Entry != nil:
			m.Entries[c.Entry.Slot] = c.Entry.After
		}
	}
	return m
}

func TestDiff(t *testing.T) {
	t.Parallel()
	edges := []api.Edge{{Name: "e"}}
	signedOut := Build(View{Status: api.Status{Headline: api.HeadlineSignedOut, Text: "Signed out", Edges: edges}})
	ready := Build(View{Status: api.Status{Headline: api.HeadlineReady, Text: "Ready", Edges: edges, Forwards: []api.Forward{{ID: "1", Listen: "l", Hostname: "h"}}}})
	noted, ticked := ready, ready
	noted.Entries[SlotNote].Text = "n"
	ticked.Entries[SlotForward].Checked = false
	tests := []struct {
		name          string
		before, after Menu
		changes       int
	}{
		{"first", Menu{}, signedOut, 11},
		{"same", ready, ready, 0},
		{"signed in", signedOut, ready, 6}, // icon, tooltip, headline, forward, copy, pause
		{"forward gone", ready, signedOut, 6},
		{"note", ready, noted, 1},
		{"note gone", noted, ready, 1},
		{"tick", ready, ticked, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			changes := Diff(tt.before, tt.after)
			if len(changes) != tt.changes {
				t.Errorf("%d changes, want %d: %+v", len(changes), tt.changes, changes)
			}
			if got := apply(tt.before, changes); got != tt.after {
				t.Errorf("applied: %+v", got)
			}
		})
	}
}
