//go:build !windows

package clipboard

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// pipe gives text to the first of some commands that is installed. They leave a
// child behind that serves the clipboard, so their output is not waited for.
func pipe(ctx context.Context, text string, commands ...[]string) error {
	for _, argv := range commands {
		path, err := exec.LookPath(argv[0])
		if err != nil {
			continue
		}
		cmd := exec.CommandContext(ctx, path, argv[1:]...)
		cmd.Stdin = strings.NewReader(text)
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%s: %w", argv[0], err)
		}
		return nil
	}
	return ErrNoTool
}
