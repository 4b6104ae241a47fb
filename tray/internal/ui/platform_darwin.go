package ui

import (
	"github.com/sallyport/sallyport/tray/internal/menu"
	"github.com/sallyport/sallyport/tray/internal/ui/icon"
)

// iconSize is large enough for the menu bar of a screen with double density.
const iconSize = 64

func iconData(i menu.Icon) []byte { return icon.PNG(icon.Draw(i, iconSize)) }

// templateData is black on nothing; the menu bar gives it its colour.
func templateData(i menu.Icon) []byte { return icon.PNG(icon.Template(i, iconSize)) }

func prepare(menu.Icon) {}

func label(text string) string { return text }
