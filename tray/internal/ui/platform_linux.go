package ui

import (
	"strings"

	"fyne.io/systray"

	"github.com/sallyport/sallyport/tray/internal/menu"
	"github.com/sallyport/sallyport/tray/internal/ui/icon"
)

// iconSize is large enough for panels of twice the usual density.
const iconSize = 64

func iconData(i menu.Icon) []byte { return icon.PNG(icon.Draw(i, iconSize)) }

// templateData is of use on macOS only.
func templateData(menu.Icon) []byte { return nil }

// prepare names the item before the panel meets it: panels remember where the
// person put it by this name.
func prepare(i menu.Icon) {
	systray.SetTitle("Sallyport")
	systray.SetIcon(iconData(i))
}

// label keeps "_" as it is, which otherwise marks the key of an entry.
func label(text string) string { return strings.ReplaceAll(text, "_", "__") }
