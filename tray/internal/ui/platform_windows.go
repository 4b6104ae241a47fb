package ui

import (
	"strings"

	"github.com/sallyport/sallyport/tray/internal/menu"
	"github.com/sallyport/sallyport/tray/internal/ui/icon"
)

// iconSize is what Windows scales down for the notification area.
const iconSize = 32

func iconData(i menu.Icon) []byte { return icon.ICO(icon.Draw(i, iconSize)) }

// templateData is of use on macOS only.
func templateData(menu.Icon) []byte { return nil }

func prepare(menu.Icon) {}

// label keeps "&" as it is, which otherwise marks the key of an entry.
func label(text string) string { return strings.ReplaceAll(text, "&", "&&") }
