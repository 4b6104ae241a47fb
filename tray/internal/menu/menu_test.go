package menu

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/api"
)

// lines is a menu as a person reads it; what can be clicked stands in brackets.
func lines(m Menu) []string {
	out := []string{string(m.Icon) + " | " + m.Tooltip}
	for _, e := range m.Entries {
		switch {
		case e.Text == "":
		case e.Enabled:
			out = append(out, "["+e.Text+"]")
		default:
			out = append(out, e.Text)
		}
	}
	return out
}

func TestBuild(t *testing.T) {
	t.Parallel()
	edge := []api.Edge{{Name: "edge.site.com"}}
	alice := []api.Session{
		{State: api.SessionExpired, Edge: "old.site.com", Person: api.Person{Email: "x@site.com"}},
		{State: api.SessionActive, Edge: "edge.site.com", Person: api.Person{Email: "alice@site.com"}},
	}
	tests := []struct {
		name string
		st   api.Status
		want []string
	}{
		{"nothing set", api.Status{Headline: api.HeadlineUnset, Text: "No edge is chosen"}, []string{
			"attention | Sallyport: No edge is chosen", "No edge is chosen", "Not signed in", "Sign in (choose an edge first: sallyport edge use)", "[Quit]",
		}},
		{"signed out", api.Status{Headline: api.HeadlineSignedOut, Text: "Signed out", Edges: edge, Sessions: alice[:1]}, []string{
			"attention | Sallyport: Signed out", "Signed out", "Not signed in", "[Sign in]", "[Quit]",
		}},
		{"wanted", api.Status{Headline: api.HeadlineSignedOut, Text: "Login needed", Edges: edge, Logins: []api.Login{{State: api.LoginDone}, {State: api.LoginWanted, Waiting: 3}}}, []string{
			"attention | Sallyport: Login needed", "Login needed", "Not signed in", "[Sign in (3 waiting)]", "[Quit]",
		}},
		{"in the browser", api.Status{Headline: api.HeadlineSignedOut, Text: "Login needed", Edges: edge, Logins: []api.Login{{State: api.LoginBrowser}}}, []string{
			"attention | Sallyport: Login needed", "Login needed", "Not signed in", "[Sign in: finish in the browser]", "[Quit]",
		}},
		{"ready", api.Status{
			Headline: api.HeadlineReady, Text: "Ready", Edges: edge, Sessions: alice,
			Forwards: []api.Forward{
				{Listen: "localhost:9210", Hostname: "tcp.site.com", State: api.ForwardReady},
				{Listen: "localhost:80", Hostname: "web.site.com", State: api.ForwardError, Problem: &api.Problem{Title: "port 80 is taken\n"}},
			},
		}, []string{
			"ready | Sallyport: Ready", "Ready", "Signed in as alice@site.com at edge.site.com",
			"localhost:9210 → tcp.site.com: ready", "localhost:80 → web.site.com: error (port 80 is taken)", "[Sign in again]", "[Quit]",
		}},
		{"offline", api.Status{Headline: api.HeadlineOffline, Text: "Offline", Edges: edge}, []string{
			"off | Sallyport: Offline", "Offline", "Not signed in", "[Sign in]", "[Quit]",
		}},
		{"a headline of a later daemon", api.Status{Headline: "new", Text: "New", Edges: edge}, []string{
			"off | Sallyport: New", "New", "Not signed in", "[Sign in]", "[Quit]",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, want := strings.Join(lines(Build(tt.st)), "\n"), strings.Join(tt.want, "\n")
			if got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestIcons(t *testing.T) {
	t.Parallel()
	for h, want := range map[api.Headline]Icon{
		api.HeadlineReady: IconReady, api.HeadlineConnecting: IconBusy, api.HeadlineSignedOut: IconAttention, api.HeadlineDegraded: IconAttention,
		api.HeadlineUnset: IconAttention, api.HeadlineOffline: IconOff, api.HeadlinePaused: IconOff,
	} {
		if got := Build(api.Status{Headline: h}).Icon; got != want {
			t.Errorf("%s: got %s, want %s", h, got, want)
		}
	}
}

func TestManyForwards(t *testing.T) {
	t.Parallel()
	for _, n := range []int{MaxForwards, MaxForwards + 1, 100} {
		var st api.Status
		for i := range n {
			st.Forwards = append(st.Forwards, api.Forward{Listen: fmt.Sprint(i), Hostname: "h", State: api.ForwardReady})
		}
		m := Build(st)
		last := m.Entries[SlotForward+MaxForwards-1].Text
		want := fmt.Sprintf("%d → h: ready", MaxForwards-1)
		if n > MaxForwards {
			want = fmt.Sprintf("and %d more: sallyport forward list", n-MaxForwards+1)
		}
		if last != want {
			t.Errorf("%d forwards: last line %q, want %q", n, last, want)
		}
		if m.Entries[SlotSignIn].Text == "" || m.Entries[SlotQuit].Text != "Quit" {
			t.Errorf("%d forwards: %+v", n, m.Entries[SlotSignIn:])
		}
	}
}

func TestCleanShortens(t *testing.T) {
	t.Parallel()
	got := []rune(clean(strings.Repeat("ä", 500) + "\x1b"))
	if len(got) != maxText || got[maxText-1] != '…' {
		t.Errorf("got %d runes, %q", len(got), string(got))
	}
}

func TestDown(t *testing.T) {
	t.Parallel()
	want := "off | Sallyport: The daemon does not answer\nThe daemon does not answer\nno such socket\nSign in\n[Quit]"
	if got := strings.Join(lines(Down("no such socket")), "\n"); got != want {
		t.Errorf("got %s", got)
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
			m.Entries[c.Entry.Slot] = c.Entry.Entry
		}
	}
	return m
}

func TestDiff(t *testing.T) {
	t.Parallel()
	signedOut := Build(api.Status{Headline: api.HeadlineSignedOut, Text: "Signed out", Edges: []api.Edge{{}}})
	ready := Build(api.Status{Headline: api.HeadlineReady, Text: "Ready", Edges: []api.Edge{{}}, Forwards: []api.Forward{{Listen: "l", Hostname: "h"}}})
	tests := []struct {
		name          string
		before, after Menu
		changes       int
	}{
		{"first", Menu{}, signedOut, 6},
		{"same", ready, ready, 0},
		{"signed in", signedOut, ready, 4}, // icon, tooltip, headline, forward
		{"forward gone", ready, signedOut, 4},
		{"note", ready, ready.WithNote("n"), 1},
		{"note gone", ready.WithNote("n"), ready, 1},
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
