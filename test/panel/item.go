//go:build linux

package panel

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/godbus/dbus/v5"
)

const (
	itemName = "org.kde.StatusNotifierItem"
	menuName = "com.canonical.dbusmenu"
)

// Item is a tray as a panel sees it.
type Item struct {
	desktop *Desktop
	item    dbus.BusObject
	menu    dbus.BusObject
}

// Entry is one visible entry of a menu.
type Entry struct {
	ID      int32
	Label   string
	Enabled bool
	Checked bool
	Line    bool // no entry but a line between two
}

// AwaitItem waits until a tray is registered with the panel.
func (d *Desktop) AwaitItem(ctx context.Context) (*Item, error) {
	var found *Item
	err := await(ctx, "a tray in the panel", func() (bool, error) {
		v, err := d.conn.Object(watcher, "/StatusNotifierWatcher").GetProperty(watcher + ".RegisteredStatusNotifierItems")
		if err != nil {
			return false, err
		}
		items, _ := v.Value().([]string)
		if len(items) == 0 {
			return false, errors.New("none is registered")
		}
		at := strings.Index(items[0], "/")
		if at < 0 {
			return false, fmt.Errorf("item %q", items[0])
		}
		found = &Item{desktop: d, item: d.conn.Object(items[0][:at], dbus.ObjectPath(items[0][at:]))}
		path, err := found.property("Menu")
		if err != nil {
			return false, err
		}
		p, _ := path.(dbus.ObjectPath)
		found.menu = d.conn.Object(items[0][:at], p)
		return p.IsValid(), nil
	})
	return found, err
}

func (i *Item) property(name string) (any, error) {
	v, err := i.item.GetProperty(itemName + "." + name)
	return v.Value(), err
}

// Tooltip is what the panel shows beside the icon.
func (i *Item) Tooltip() (string, error) {
	v, err := i.property("ToolTip")
	if err != nil {
		return "", err
	}
	parts, _ := v.([]any)
	if len(parts) < 3 {
		return "", fmt.Errorf("tooltip %v", v)
	}
	text, _ := parts[2].(string)
	return text, nil
}

// layout is an entry as the protocol of menus has it.
type layout struct {
	ID         int32
	Properties map[string]dbus.Variant
	Children   []dbus.Variant
}

// Menu is what the menu shows now.
func (i *Item) Menu(ctx context.Context) ([]Entry, error) {
	var revision uint32
	var root layout
	err := i.menu.CallWithContext(ctx, menuName+".GetLayout", 0, int32(0), int32(-1), []string{}).Store(&revision, &root)
	if err != nil {
		return nil, fmt.Errorf("read the menu: %w", err)
	}
	return entries(root)
}

func entries(l layout) ([]Entry, error) {
	var out []Entry
	for _, v := range l.Children {
		var child layout
		if err := dbus.Store([]any{v.Value()}, &child); err != nil {
			return nil, err
		}
		e := Entry{ID: child.ID, Enabled: true}
		for name, value := range child.Properties {
			switch name {
			case "label":
				e.Label, _ = value.Value().(string)
			case "type":
				kind, _ := value.Value().(string)
				e.Line = kind == "separator"
			case "enabled":
				e.Enabled, _ = value.Value().(bool)
			case "toggle-state":
				n, _ := value.Value().(int32)
				e.Checked = n == 1
			}
		}
		if shown, ok := child.Properties["visible"].Value().(bool); ok && !shown || e.Label == "" && !e.Line {
			continue
		}
		out = append(out, e)
	}
	return out, nil
}

// find looks for an entry whose label contains a text.
func find(all []Entry, text string) (Entry, bool) {
	for _, e := range all {
		if !e.Line && strings.Contains(e.Label, text) {
			return e, true
		}
	}
	return Entry{}, false
}

// Await waits for an entry whose label contains a text and that ok (nil: any) likes.
func (i *Item) Await(ctx context.Context, text string, ok func(Entry) bool) (Entry, error) {
	var got Entry
	var last []Entry
	err := await(ctx, fmt.Sprintf("an entry %q in the menu", text), func() (bool, error) {
		all, err := i.Menu(ctx)
		if err != nil {
			return false, err
		}
		last = all
		e, found := find(all, text)
		got = e
		return found && (ok == nil || ok(e)), nil
	})
	if err != nil {
		err = fmt.Errorf("%w; the menu is %+v", err, last)
	}
	return got, err
}

// Gone waits until no entry contains a text.
func (i *Item) Gone(ctx context.Context, text string) error {
	return await(ctx, fmt.Sprintf("no entry %q in the menu", text), func() (bool, error) {
		all, err := i.Menu(ctx)
		if err != nil {
			return false, err
		}
		_, found := find(all, text)
		return !found, nil
	})
}

// ClickEntry waits for an entry that can be clicked, and clicks it with the
// mouse.
func (d *Desktop) ClickEntry(ctx context.Context, i *Item, text string) error {
	if _, err := i.Await(ctx, text, func(e Entry) bool { return e.Enabled }); err != nil {
		return err
	}
	window, err := d.OpenMenu(ctx)
	if err != nil {
		return err
	}
	entries, err := i.Menu(ctx)
	if err != nil {
		return err
	}
	x, y, err := place(window, entries, text)
	if err != nil {
		return err
	}
	return d.choose(ctx, window, x, y)
}

// What a menu of the panel's theme has around its entries, and a line's height.
const menuPadding, menuShadow, lineHeight = 20, 8, 1

// place finds the middle of an entry: all are of one height.
func place(w Window, entries []Entry, text string) (x, y int, err error) {
	rows, lines, row, above := 0, 0, -1, 0
	for _, candidate := range entries {
		switch {
		case candidate.Line:
			lines++
			continue
		case row < 0 && candidate.Enabled && strings.Contains(candidate.Label, text):
			row, above = rows, lines
		}
		rows++
	}
	if row < 0 {
		return 0, 0, fmt.Errorf("no entry %q in %+v", text, entries)
	}
	height := (w.Height - menuPadding - lines*lineHeight) / rows
	return w.X + 60, w.Y + menuShadow + row*height + height/2 + above*lineHeight, nil
}

// Click waits for an entry that can be clicked, and clicks it as a panel does.
func (i *Item) Click(ctx context.Context, text string) error {
	e, err := i.Await(ctx, text, func(e Entry) bool { return e.Enabled })
	if err != nil {
		return err
	}
	return i.menu.CallWithContext(ctx, menuName+".Event", 0, e.ID, "clicked", dbus.MakeVariant(int32(0)), uint32(0)).Err
}
