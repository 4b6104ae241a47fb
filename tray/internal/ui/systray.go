//go:build !darwin || cgo

package ui

import (
	"context"
	"errors"

	"fyne.io/systray"

	"github.com/sallyport/sallyport/tray/internal/menu"
)

// Show runs the tray in the system's notification area until ctx ends or the
// person quits. It must be called on the main goroutine.
func Show(ctx context.Context, t *Tray) error {
	var err error
	ended := make(chan struct{})
	systray.Run(func() { go t.live(ctx, &err, ended) }, nil)
	<-ended
	if errors.Is(err, ErrQuit) {
		return nil
	}
	return err
}

// live runs the tray beside the system's event loop, and ends the loop after it.
func (t *Tray) live(ctx context.Context, err *error, ended chan<- struct{}) {
	s := newSystem()
	for slot := range s.items {
		go s.listen(ctx, menu.Slot(slot)) // ends with ctx or the process
	}
	*err = t.Run(ctx, s)
	close(ended)
	systray.Quit()
}

// system is the system's tray.
type system struct {
	items  [menu.Slots]*systray.MenuItem
	clicks chan menu.Slot
}

// newSystem makes every slot, hidden: entries can be changed later, but not put
// between others.
func newSystem() *system {
	s := &system{clicks: make(chan menu.Slot)}
	for i := range s.items {
		switch menu.Slot(i) {
		case menu.SlotForward, menu.SlotSignIn:
			systray.AddSeparator()
		}
		s.items[i] = systray.AddMenuItem("", "")
		s.items[i].Hide()
	}
	return s
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

// Clicks gives the slots that are clicked.
func (s *system) Clicks() <-chan menu.Slot { return s.clicks }

// Apply makes one change.
func (s *system) Apply(c menu.Change) {
	switch {
	case c.Icon != nil:
		systray.SetIcon(iconData(*c.Icon))
	case c.Tooltip != nil:
		systray.SetTooltip(*c.Tooltip)
	case c.Entry != nil:
		s.entry(c.Entry)
	}
}

func (s *system) entry(c *menu.EntryChange) {
	item := s.items[c.Slot]
	if c.Text == "" {
		item.Hide()
		return
	}
	item.SetTitle(c.Text)
	if c.Enabled {
		item.Enable()
	} else {
		item.Disable()
	}
	item.Show()
}
