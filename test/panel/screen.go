//go:build linux

package panel

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

// command runs a program of the desktop to its end and gives its output.
func (d *Desktop) command(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = d.Dir, d.Env()
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), err
}

// Screenshot writes what the screen shows as a PNG.
func (d *Desktop) Screenshot(ctx context.Context, path string) error {
	_, err := d.command(ctx, "import", "-window", "root", path)
	return err
}

// Mouse moves the pointer and presses the left button.
func (d *Desktop) Mouse(ctx context.Context, x, y int) error {
	_, err := d.command(ctx, "xdotool", "mousemove", strconv.Itoa(x), strconv.Itoa(y), "click", "1")
	return err
}

// Hover moves the pointer.
func (d *Desktop) Hover(ctx context.Context, x, y int) error {
	_, err := d.command(ctx, "xdotool", "mousemove", strconv.Itoa(x), strconv.Itoa(y))
	return err
}

// Key presses a key.
func (d *Desktop) Key(ctx context.Context, name string) error {
	_, err := d.command(ctx, "xdotool", "key", name)
	return err
}

// Clipboard is what could be pasted.
func (d *Desktop) Clipboard(ctx context.Context) (string, error) {
	return d.command(ctx, "xclip", "-selection", "clipboard", "-o")
}

// PressNotification presses the button of the newest notification.
func (d *Desktop) PressNotification(ctx context.Context) error {
	_, err := d.command(ctx, "dunstctl", "action", "0")
	return err
}

// Window is a window of the screen.
type Window struct {
	ID                  string
	X, Y, Width, Height int
}

// OpenMenu clicks the icon with the mouse and waits for the menu's window.
func (d *Desktop) OpenMenu(ctx context.Context) (Window, error) {
	return d.opens(ctx, func() error { return d.Mouse(ctx, iconAt, iconAt) })
}

// menuHeight is less than that of the menu and more than that of a tooltip.
const menuHeight = 100

// menuTime is how long a menu takes to open or to close on a busy machine.
const menuTime = 4 * time.Second

// opens waits for the window of a menu that act opens.
// It acts again where nothing happens: a panel shows an icon before it knows
// its menu, and a menu takes no clicks for a moment after it opened.
func (d *Desktop) opens(ctx context.Context, act func() error) (Window, error) {
	before, err := d.windows(ctx)
	if err != nil {
		return Window{}, err
	}
	var menu Window
	err = await(ctx, "the menu's window", func() (bool, error) {
		if err := act(); err != nil {
			return false, err
		}
		soon, cancel := context.WithTimeout(ctx, menuTime)
		defer cancel()
		return await(soon, "", func() (bool, error) {
			menu, err = d.appeared(soon, before)
			return menu.ID != "", err
		}) == nil, nil
	})
	if err != nil {
		return menu, err
	}
	return d.settled(ctx, menu)
}

// appeared finds the window of a menu that was not there before.
func (d *Desktop) appeared(ctx context.Context, before []string) (Window, error) {
	now, err := d.windows(ctx)
	if err != nil {
		return Window{}, err
	}
	for _, id := range now {
		if slices.Contains(before, id) {
			continue
		}
		if w, err := d.window(ctx, id); err == nil && w.Height >= menuHeight && w.Y >= iconAt {
			return w, nil
		}
	}
	return Window{}, nil
}

// Shown says whether a window is on the screen.
func (d *Desktop) Shown(ctx context.Context, w Window) (bool, error) {
	now, err := d.windows(ctx)
	return slices.Contains(now, w.ID), err
}

// choose points at an entry of a menu and clicks, again where the menu stays.
func (d *Desktop) choose(ctx context.Context, menu Window, x, y int) error {
	return await(ctx, "the menu to close", func() (bool, error) {
		if err := d.Hover(ctx, x, y); err != nil {
			return false, err
		}
		if err := d.Mouse(ctx, x, y); err != nil {
			return false, err
		}
		soon, cancel := context.WithTimeout(ctx, menuTime)
		defer cancel()
		return await(soon, "", func() (bool, error) {
			shown, err := d.Shown(ctx, menu)
			return !shown, err
		}) == nil, nil
	})
}

// settled waits until a window has the same place and size twice.
func (d *Desktop) settled(ctx context.Context, w Window) (Window, error) {
	err := await(ctx, "the menu to settle", func() (bool, error) {
		now, err := d.window(ctx, w.ID)
		same := now == w
		w = now
		return same, err
	})
	return w, err
}

// windows are the visible ones.
func (d *Desktop) windows(ctx context.Context) ([]string, error) {
	out, err := d.command(ctx, "xdotool", "search", "--onlyvisible", "--maxdepth", "1", "--name", "")
	return strings.Fields(out), err
}

func (d *Desktop) window(ctx context.Context, id string) (Window, error) {
	out, err := d.command(ctx, "xdotool", "getwindowgeometry", "--shell", id)
	if err != nil {
		return Window{}, err
	}
	w := Window{ID: id}
	for line := range strings.Lines(out) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		n, _ := strconv.Atoi(value)
		switch key {
		case "X":
			w.X = n
		case "Y":
			w.Y = n
		case "WIDTH":
			w.Width = n
		case "HEIGHT":
			w.Height = n
		}
	}
	return w, nil
}
