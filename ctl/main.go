// Command sallyport is the command line of Sallyport. It talks to the daemon on
// this machine by the local API.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/sallyport/sallyport/ctl/internal/cli"
	"github.com/sallyport/sallyport/ctl/internal/cli/terminal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second Ctrl-C ends the program at once.
	context.AfterFunc(ctx, stop)
	os.Exit(cli.Run(ctx, os.Args[1:], terminal.RealSystem()))
}
