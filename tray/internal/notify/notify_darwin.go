package notify

import (
	"context"
	"fmt"
	"log/slog"
	"os/exec"
)

// Desktop shows notes by the system's script. They have no buttons: macOS gives
// those to signed application bundles only.
type Desktop struct{}

// Open has nothing to connect to.
func Open(*slog.Logger) (*Desktop, error) { return &Desktop{}, nil }

// Close has nothing to end.
func (*Desktop) Close() error { return nil }

// Pressed never gives anything.
func (*Desktop) Pressed() <-chan string { return nil }

// Ended never is: launchd ends the tray with the session.
func (*Desktop) Ended() <-chan struct{} { return nil }

// script takes title and text as arguments, so that neither can be code.
const script = `on run argv
display notification (item 2 of argv) with title "Sallyport" subtitle (item 1 of argv)
end run`

// Show shows a note.
func (*Desktop) Show(ctx context.Context, n Note) error {
	if err := exec.CommandContext(ctx, "/usr/bin/osascript", "-e", script, n.Title, n.Text).Run(); err != nil {
		return fmt.Errorf("show a notification: %w", err)
	}
	return nil
}
