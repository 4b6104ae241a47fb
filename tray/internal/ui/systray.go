//go:build !darwin || cgo

package ui

import (
	"context"
	"errors"

	"fyne.io/systray"

	"github.com/sallyport/sallyport/tray/internal/menu"
)

// Show runs the tray in the system's notification area until ctx ends, the
// person quits or the desktop session is over. It must be called on the main
// goroutine.
func Show(ctx context.Context, t *Tray) error {
	var err error
	ended := make(chan struct{})
	// The panel reads the menu as soon as it may, so all slots are made before.
	first := menu.Build(menu.View{Down: connecting, Version: t.Version})
	prepare(first.Icon)
	systray.Run(func() {
		s := newSystem(first)
		go t.live(ctx, s, &err, ended)
	}, nil)
	<-ended
	if errors.Is(err, ErrQuit) || errors.Is(err, ErrOver) {
		return nil
	}
	return err
}

// live runs the tray beside the system's event loop, and ends the loop after it.
func (t *Tray) live(ctx context.Context, s *system, err *error, ended chan<- struct{}) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for slot := range s.items {
		go s.listen(ctx, menu.Slot(slot)) // ends with ctx
	}
	go s.look(ctx) // likewise
	*err = t.Run(ctx, s)
	close(ended)
	systray.Quit()
}

// clickBacklog is how many clicks wait for the tray: the library drops those
// that nobody takes at once.
const clickBacklog = 16

// system is the system's tray.
type system struct {
	items  [menu.Slots]*systray.MenuItem
	clicks chan menu.Slot
	opened chan struct{}
}

// newSystem makes every slot, as the first menu has it: entries can be changed
// later, but not put between others.
func newSystem(first menu.Menu) *system {
	s := &system{clicks: make(chan menu.Slot, clickBacklog), opened: make(chan struct{}, 1)}
	for i := range s.items {
		slot := menu.Slot(i)
		if menu.Line(slot) {
			systray.AddSeparator()
		}
		s.items[i] = newItem(slot)
	}
	for i := range s.items {
		s.items[i].Hide()
	}
	for _, c := range menu.Diff(menu.Menu{}, first) {
		s.Apply(c)
	}
	return s
}

func newItem(slot menu.Slot) *systray.MenuItem {
	if menu.Checkable(slot) {
		return systray.AddMenuItemCheckbox("", "", false)
	}
	return systray.AddMenuItem("", "")
}

func (s *system) listen(ctx context.Context, slot menu.Slot) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.items[slot].ClickedCh:
		}
		select {
		case <-ctx.Done():
			return
		case s.clicks <- slot:
		}
	}
}

// look hands on that the menu was opened.
func (s *system) look(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-systray.TrayOpenedCh:
			poke(s.opened)
		}
	}
}

// Clicks gives the slots that are clicked.
func (s *system) Clicks() <-chan menu.Slot { return s.clicks }

// Opened tells that the menu is being looked at.
func (s *system) Opened() <-chan struct{} { return s.opened }

// Apply makes one change.
func (s *system) Apply(c menu.Change) {
	switch {
	case c.Icon != nil:
		systray.SetTemplateIcon(templateData(*c.Icon), iconData(*c.Icon))
	case c.Tooltip != nil:
		systray.SetTooltip(*c.Tooltip)
	case c.Entry != nil:
		s.entry(c.Entry)
	}
}

// entry touches only what differs: each touch is a message to the panel. An
// entry that is not shown is left alone, since on Windows a touch shows it.
func (s *system) entry(c *menu.EntryChange) {
	item, before, after := s.items[c.Slot], c.Before, c.After
	if after.Text == "" {
		item.Hide()
		return
	}
	if before.Text != after.Text {
		item.SetTitle(label(after.Text))
	}
	switch enabled := after.Enabled(); {
	case enabled == !item.Disabled():
	case enabled:
		item.Enable()
	default:
		item.Disable()
	}
	switch {
	case after.Checked == item.Checked():
	case after.Checked:
		item.Check()
	default:
		item.Uncheck()
	}
	if before.Text == "" {
		item.Show()
	}
}
