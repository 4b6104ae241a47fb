package ui

import (
	"github.com/sallyport/sallyport/tray/internal/menu"
	"github.com/sallyport/sallyport/tray/internal/ui/icon"
)

// iconSize is what Windows scales down for the notification area.
const iconSize = 32

func iconData(i menu.Icon) []byte { return icon.ICO(icon.Draw(i, iconSize)) }
