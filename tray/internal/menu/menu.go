// Package menu says what the tray shows for a status. It is pure: Build makes a
// Menu of a status, Diff the changes from one Menu to the next.
//
// Shapes: a Menu is an icon, a tooltip and a fixed row of slots, since the
// system's menus can change entries but not insert them. Forwards have
// MaxForwards slots; where there are more, the last slot says how many.
package menu

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/sallyport/sallyport/api"
)

// MaxForwards is how many lines of forwards a menu has: what fits on a screen.
const MaxForwards = 16

// maxText is the longest text of an entry; menus grow as wide as it.
const maxText = 120

// Icon is a drawing. Each differs from the others by shape, not by colour alone.
type Icon string

const (
	IconReady     Icon = "ready"
	IconBusy      Icon = "busy"
	IconAttention Icon = "attention"
	IconOff       Icon = "off"
)

// Slot is the place of an entry, from the top.
type Slot int

// The slots in their order. Lines stand between the groups.
const (
	SlotHeadline Slot = iota
	SlotWho
	SlotNote
	SlotForward // the first of MaxForwards
	SlotSignIn  = SlotForward + MaxForwards
	SlotQuit    = SlotSignIn + 1
	Slots       = int(SlotQuit) + 1
)

// Entry is one line of the menu. The zero value is not shown.
type Entry struct {
	Text string
	// Enabled entries can be clicked.
	Enabled bool
}

// Menu is all that the tray shows.
type Menu struct {
	Icon    Icon
	Tooltip string
	Entries [Slots]Entry
}

// Build is the menu of a status.
func Build(st api.Status) Menu {
	m := Menu{Icon: iconOf(st.Headline), Tooltip: clean("Sallyport: " + st.Text)}
	m.Entries[SlotHeadline] = Entry{Text: clean(st.Text)}
	m.Entries[SlotWho] = Entry{Text: clean(who(st))}
	for i, line := range forwardLines(st.Forwards) {
		m.Entries[SlotForward+Slot(i)] = Entry{Text: clean(line)}
	}
	m.Entries[SlotSignIn] = signIn(st)
	m.Entries[SlotQuit] = Entry{Text: "Quit", Enabled: true}
	return m
}

// Down is the menu while no daemon answers.
func Down(why string) Menu {
	m := Build(api.Status{Headline: api.HeadlineOffline, Text: "The daemon does not answer"})
	m.Entries[SlotWho] = Entry{Text: clean(why)}
	m.Entries[SlotSignIn] = Entry{Text: "Sign in"}
	return m
}

// WithNote adds a line about something that has just happened; "" adds none.
func (m Menu) WithNote(note string) Menu {
	m.Entries[SlotNote] = Entry{Text: clean(note)}
	return m
}

func iconOf(h api.Headline) Icon {
	switch h {
	case api.HeadlineReady:
		return IconReady
	case api.HeadlineConnecting:
		return IconBusy
	case api.HeadlineSignedOut, api.HeadlineDegraded, api.HeadlineUnset:
		return IconAttention
	}
	return IconOff
}

// who says as whom the person is signed in.
func who(st api.Status) string {
	var people []string
	for _, s := range st.Sessions {
		if s.State == api.SessionActive {
			people = append(people, s.Person.Email+" at "+s.Edge)
		}
	}
	if len(people) == 0 {
		return "Not signed in"
	}
	return "Signed in as " + strings.Join(people, ", ")
}

func forwardLines(forwards []api.Forward) []string {
	var lines []string
	for i, f := range forwards {
		if i == MaxForwards-1 && len(forwards) > MaxForwards {
			return append(lines, fmt.Sprintf("and %d more: sallyport forward list", len(forwards)-i))
		}
		line := f.Listen + " → " + f.Hostname + ": " + string(f.State)
		if f.Problem != nil {
			line += " (" + f.Problem.Title + ")"
		}
		lines = append(lines, line)
	}
	return lines
}

// signIn can be clicked where that would do something.
func signIn(st api.Status) Entry {
	for _, l := range st.Logins {
		switch l.State {
		case api.LoginWanted:
			return Entry{Text: fmt.Sprintf("Sign in (%d waiting)", l.Waiting), Enabled: true}
		case api.LoginStarting, api.LoginBrowser, api.LoginRedeeming:
			return Entry{Text: "Sign in: finish in the browser", Enabled: true}
		}
	}
	if len(st.Edges) == 0 {
		return Entry{Text: "Sign in (choose an edge first: sallyport edge use)"}
	}
	for _, s := range st.Sessions {
		if s.State == api.SessionActive {
			return Entry{Text: "Sign in again", Enabled: true}
		}
	}
	return Entry{Text: "Sign in", Enabled: true}
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
