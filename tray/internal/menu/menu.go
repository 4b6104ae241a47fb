package menu

import (
	"time"

	"github.com/sallyport/sallyport/api"
)

// Icon is a drawing. Each differs from the others by shape, not by colour alone.
type Icon string

const (
	IconReady      Icon = "ready"
	IconConnecting Icon = "connecting"
	IconSignedOut  Icon = "signed-out"
	IconDegraded   Icon = "degraded"
	IconOffline    Icon = "offline"
	IconPaused     Icon = "paused"
)

// Icons are all of them.
func Icons() []Icon {
	return []Icon{IconReady, IconConnecting, IconSignedOut, IconDegraded, IconOffline, IconPaused}
}

// Entry is one line of the menu. The zero value is not shown.
type Entry struct {
	Text    string
	Checked bool
	// Action is what a click does; one that does nothing cannot be clicked.
	Action Action
}

// Enabled says whether the entry is shown as something to click.
func (e Entry) Enabled() bool { return e.Action.Kind != Nothing }

// Menu is all that the tray shows.
type Menu struct {
	Icon    Icon
	Tooltip string
	Entries [Slots]Entry
}

// View is what a menu is made of.
type View struct {
	Status api.Status
	// Down is why the daemon does not answer; "" while it does.
	Down string
	// Note is about something that has just happened; "" for nothing.
	Note string
	// Apps are the hostnames that the person may reach.
	Apps []api.App
	// Autostart says whether the tray starts at login.
	Autostart bool
	// Now gives the time and its zone.
	Now time.Time
	// Version is that of the tray.
	Version string
}

// down is the headline while no daemon answers.
const down = "The Sallyport service does not answer"

// Build is the menu of a view.
func Build(v View) Menu {
	if v.Down != "" {
		return buildDown(v)
	}
	st := v.Status
	m := Menu{Icon: iconOf(st.Headline), Tooltip: clean("Sallyport: " + st.Text)}
	m.set(SlotHeadline, st.Text)
	m.set(SlotWho, who(v))
	m.forwards(v)
	m.apps(v)
	m.account(st)
	m.edges(st)
	m.own(v)
	return m
}

func buildDown(v View) Menu {
	m := Menu{Icon: IconOffline, Tooltip: clean("Sallyport: " + down)}
	m.set(SlotHeadline, down)
	m.set(SlotWho, v.Down)
	m.set(SlotForward, "Forwards are shown when it is back")
	m.set(SlotSignIn, "Sign in")
	m.own(v)
	return m
}

// own are the entries of the tray itself.
func (m *Menu) own(v View) {
	m.set(SlotNote, v.Note)
	m.act(SlotAutostart, "Start at login", StartOn, "")
	if v.Autostart {
		m.act(SlotAutostart, "Start at login", StartOff, "")
		m.Entries[SlotAutostart].Checked = true
	}
	m.act(SlotAbout, "About Sallyport "+v.Version, About, "")
	m.act(SlotQuit, "Quit (forwards stay)", Quit, "")
}

func (m *Menu) set(s Slot, text string) { m.Entries[s] = Entry{Text: clean(text)} }

func (m *Menu) act(s Slot, text string, k Kind, target string) {
	m.Entries[s] = Entry{Text: clean(text), Action: Action{k, target}}
}

func iconOf(h api.Headline) Icon {
	switch h {
	case api.HeadlineReady:
		return IconReady
	case api.HeadlineConnecting:
		return IconConnecting
	case api.HeadlineSignedOut, api.HeadlineUnset:
		return IconSignedOut
	case api.HeadlineDegraded:
		return IconDegraded
	case api.HeadlinePaused:
		return IconPaused
	}
	return IconOffline
}
