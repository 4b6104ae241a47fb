package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/sallyport/sallyport/api/client"
	"github.com/sallyport/sallyport/internal/manifest"
	"github.com/sallyport/sallyport/internal/osservice"
	"github.com/sallyport/sallyport/internal/paths"
)

const serviceUsage = `Usage: sallyportd service install|uninstall|start|stop|restart|status [--json]

Puts the daemon under the machine's service manager (systemd, OpenRC, SysV init, launchd, Windows), and
speaks to that. Every verb may be repeated. All but status need an administrator.
`

var serviceVerbs = []string{"install", "uninstall", "start", "stop", "restart", "status"}

// controlService is `sallyportd service VERB`.
func controlService(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("sallyportd service", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { fmt.Fprint(stderr, serviceUsage) }
	asJSON := flags.Bool("json", false, "status as JSON")
	verb := ""
	if len(args) > 0 {
		verb, args = args[0], args[1:]
	}
	if verb == "-h" || verb == "--help" {
		fmt.Fprint(stdout, serviceUsage)
		return exitOK
	}
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return exitOK
	} else if err != nil {
		return exitUsage
	}
	if !slices.Contains(serviceVerbs, verb) || flags.NArg() > 0 {
		fmt.Fprintf(stderr, "sallyportd: error: service needs one verb\n\n%s", serviceUsage)
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := doService(ctx, verb, *asJSON, stdout); err != nil {
		return fail(stderr, err)
	}
	return exitOK
}

func doService(ctx context.Context, verb string, asJSON bool, stdout io.Writer) error {
	c, err := osservice.New(manifest.Daemon, daemonServes, stdout)
	if err != nil {
		return err
	}
	switch verb {
	case "install":
		return c.Install(ctx)
	case "uninstall":
		return c.Uninstall(ctx)
	case "start":
		return c.Start(ctx)
	case "stop":
		return c.Stop(ctx)
	case "restart":
		return c.Restart(ctx)
	}
	return serviceStatus(c, asJSON, stdout)
}

func serviceStatus(c *osservice.Control, asJSON bool, stdout io.Writer) error {
	r, err := c.Report()
	if err != nil {
		return err
	}
	if asJSON {
		return json.NewEncoder(stdout).Encode(r)
	}
	_, err = fmt.Fprintln(stdout, r)
	return err
}

// daemonServes asks the machine's daemon for its version.
func daemonServes(ctx context.Context) error {
	c, err := client.New(client.Options{Socket: paths.MachineSocket()})
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Version(ctx)
	return err
}
