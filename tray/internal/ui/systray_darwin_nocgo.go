//go:build darwin && !cgo

package ui

import (
	"context"
	"errors"
)

// Show cannot work in this build: the menu bar of macOS is reached through cgo
// only.
func Show(context.Context, *Tray) error {
	return errors.New("this build has no tray: build it on macOS with CGO_ENABLED=1")
}
