package menu

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/sallyport/sallyport/api"
)

// maxText is the longest text of an entry; menus grow as wide as it.
const maxText = 90

// who says as whom the person is signed in, and until when.
func who(v View) string {
	var people []string
	for _, s := range v.Status.Sessions {
		if s.State == api.SessionActive {
			people = append(people, fmt.Sprintf("%s at %s until %s", s.Person.Email, s.Edge, clock(s.ExpiresAt, v.Now)))
		}
	}
	if len(people) == 0 {
		return "Not signed in"
	}
	return strings.Join(people, ", ")
}

// clock is a time as people here say it, with the day where it is another one.
func clock(t, now time.Time) string {
	t = t.In(now.Location())
	if t.YearDay() == now.YearDay() && t.Year() == now.Year() {
		return t.Format("15:04")
	}
	return t.Format("Mon 2 Jan 15:04")
}

// Own are the forwards of the caller: root sees those of everybody.
func Own(st api.Status) []api.Forward {
	return slices.DeleteFunc(slices.Clone(st.Forwards), func(f api.Forward) bool { return f.Owner != st.User })
}

func (m *Menu) forwards(v View) {
	own := Own(v.Status)
	running := 0
	for i, f := range own {
		if !f.Paused {
			running++
		}
		if i >= MaxForwards {
			continue
		}
		m.forward(i, f)
	}
	if len(own) == 0 {
		m.set(SlotForward, "No forwards yet")
		return
	}
	if len(own) > MaxForwards {
		m.set(SlotMore, fmt.Sprintf("and %d more: sallyport forward list", len(own)-MaxForwards))
	}
	m.act(SlotPause, "Resume all forwards", ResumeAll, "")
	if running > 0 {
		m.act(SlotPause, "Pause all forwards", PauseAll, "")
	}
}

func (m *Menu) forward(i int, f api.Forward) {
	kind := Pause
	if f.Paused {
		kind = Resume
	}
	text := fmt.Sprintf("%s → %s (%s)", f.Listen, f.Hostname, words(f.State))
	m.act(ForwardSlot(i), text, kind, f.ID)
	m.Entries[ForwardSlot(i)].Checked = !f.Paused
	if p := troubleOf(f); p != nil {
		m.set(ProblemSlot(i), "      "+sentence(p))
	}
	m.act(SlotCopy+Slot(i), "Copy "+Address(f.Listen), Copy, Address(f.Listen))
}

// Address is what a program is told to connect to.
func Address(listen string) string { return strings.TrimPrefix(listen, "unix:") }

func words(s api.ForwardState) string {
	switch s {
	case api.ForwardLoginNeeded:
		return "signs you in when used"
	case api.ForwardStarting:
		return "starting"
	}
	return string(s)
}

// troubleOf is what is wrong with a forward that is switched on.
func troubleOf(f api.Forward) *api.Problem {
	switch {
	case f.Paused:
		return nil
	case f.Problem != nil:
		return f.Problem
	}
	return f.LastError
}

// sentence is a problem in one line: what, and what to do next.
func sentence(p *api.Problem) string {
	if p.Hint == "" {
		return p.Title
	}
	return p.Title + ". " + p.Hint
}

// apps offers the hostnames that no forward leads to yet.
func (m *Menu) apps(v View) {
	have := map[string]bool{}
	for _, f := range Own(v.Status) {
		have[f.Hostname] = true
	}
	i := 0
	for _, a := range v.Apps {
		if have[a.Hostname] || strings.HasPrefix(a.Hostname, "*") {
			continue
		}
		if i == MaxApps-1 {
			m.set(SlotAdd+Slot(i), "More: sallyport apps")
			break
		}
		text := "Add a forward to " + a.Hostname
		if !a.Online {
			text += " (offline)"
		}
		m.act(SlotAdd+Slot(i), text, AddForward, a.Hostname)
		i++
	}
}

// account has what signs in and out.
func (m *Menu) account(st api.Status) {
	signedIn := slices.ContainsFunc(st.Sessions, func(s api.Session) bool { return s.State == api.SessionActive })
	if signedIn {
		m.act(SlotSignOut, "Sign out", SignOut, "")
	}
	if len(st.Edges) == 0 {
		m.set(SlotSignIn, "Sign in (choose an edge first: sallyport edge use NAME)")
		return
	}
	m.act(SlotSignIn, "Sign in", SignIn, "")
	if signedIn {
		m.act(SlotSignIn, "Sign in again", SignIn, "")
	}
	m.act(SlotElsewhere, "Sign in on another machine", Elsewhere, "")
	m.act(SlotPortal, "Open the portal", Portal, st.Edges[0].Name)
	for _, l := range st.Logins {
		if l.Purpose == api.PurposeEnrol {
			continue
		}
		switch l.State {
		case api.LoginWanted:
			m.act(SlotSignIn, fmt.Sprintf("Sign in (%d waiting)", l.Waiting), SignIn, "")
		case api.LoginBrowser:
			if l.Mode == api.ModeLoopback && l.URL != "" {
				m.act(SlotSignIn, "Open the sign-in page again", OpenLogin, l.ID)
			}
		}
	}
}

// edges offers the person's own edges where there are several. The first is the
// one in use.
func (m *Menu) edges(st api.Status) {
	own := slices.DeleteFunc(slices.Clone(st.Edges), func(e api.Edge) bool { return e.Machine })
	if len(own) < 2 {
		return
	}
	for i, e := range own {
		if i == MaxEdges-1 && len(own) > MaxEdges {
			m.set(SlotEdge+Slot(i), "More: sallyport edge list")
			return
		}
		m.act(SlotEdge+Slot(i), "Edge "+e.Name, UseEdge, e.Name)
		m.Entries[SlotEdge+Slot(i)].Checked = i == 0
	}
}

// clean takes out what a menu would not show as text, and shortens.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control) {
			return -1
		}
		return r
	}, s)
	if r := []rune(s); len(r) > maxText {
		return string(r[:maxText-1]) + "…"
	}
	return s
}
