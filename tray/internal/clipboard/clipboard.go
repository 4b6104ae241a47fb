// Package clipboard puts text where the person can paste it from.
//
// On Linux a clipboard is served by the program that filled it, for as long as
// it is pasted; the usual tools (wl-copy, xclip, xsel) do that and go away when
// something else is copied. macOS has pbcopy, Windows an interface of its own.
package clipboard

import (
	"context"
	"errors"
)

// ErrNoTool: nothing on this desktop fills the clipboard.
var ErrNoTool = errors.New("no program to copy with: install wl-clipboard or xclip")

// Copy puts text into the clipboard.
func Copy(ctx context.Context, text string) error { return copyText(ctx, text) }
