// Sallyport-edge is the public relay that an organisation runs: TLS, login,
// policies, routing, audit. This package only joins its rooms.
package main

import (
	"context"
	"os"

	"github.com/sallyport/sallyport/edge/internal/cli"
	"github.com/sallyport/sallyport/internal/procs"
)

func main() {
	os.Exit(cli.Run(os.Args[1:], func(ctx context.Context, configPath string) error {
		procs.Slack()
		return serve(ctx, configPath, os.Stdout, os.Stderr)
	}))
}
