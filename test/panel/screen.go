//go:build linux

package panel

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
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
	before, err := d.windows(ctx)
	if err != nil {
		return Window{}, err
	}
	if err := d.Mouse(ctx, iconAt, iconAt); err != nil {
		return Window{}, err
	}
	var menu Window
	err = await(ctx, "the menu's window", func() (bool, error) {
		now, err := d.windows(ctx)
		if err != nil {
			return false, err
		}
		for _, id := range now {
			if slices.Contains(before, id) {
				continue
			}
			if menu, err = d.window(ctx, id); err == nil && menu.Width > 100 && menu.Height > 100 {
				return true, nil
			}
		}
		return false, nil
	})
	return menu, err
}

// Shown says whether a window is on the screen.
func (d *Desktop) Shown(ctx context.Context, w Window) (bool, error) {
	now, err := d.windows(ctx)
	return slices.Contains(now, w.ID), err
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
