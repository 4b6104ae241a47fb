//go:build !windows

package ui

import (
	"github.com/sallyport/sallyport/tray/internal/menu"
	"github.com/sallyport/sallyport/tray/internal/ui/icon"
)

// iconSize is large enough for panels of twice the usual density.
const iconSize = 64

func iconData(i menu.Icon) []byte { return icon.PNG(icon.Draw(i, iconSize)) }
