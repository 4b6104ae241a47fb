package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/sallyport/sallyport/internal/manifest"
	"github.com/sallyport/sallyport/internal/osservice"
)

// serviceCommand puts the edge under the machine's service manager.
func (a *app) serviceCommand() *cobra.Command {
	verb := func(name, short string, do func(*osservice.Control, context.Context) error) *cobra.Command {
		return &cobra.Command{Use: name, Short: short, Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
			control, err := a.control()
			if err != nil {
				return err
			}
			err = do(control, c.Context())
			if errors.Is(err, osservice.ErrNotAdministrator) {
				return &hinted{err, "run it with sudo"}
			}
			return err
		}}
	}
	return noun("service", "The edge as a service of this machine",
		verb("install", "Start the edge at every boot, and now", a.installService),
		verb("uninstall", "Stop it and take it from the service manager; what it keeps stays", (*osservice.Control).Uninstall),
		verb("start", "Start it, and wait until it serves", (*osservice.Control).Start),
		verb("stop", "Stop it until the next boot", (*osservice.Control).Stop),
		verb("restart", "Stop it where it runs, start it, and wait until it serves", (*osservice.Control).Restart),
		verb("status", "Say whether it runs, and where its log is", func(c *osservice.Control, _ context.Context) error { return a.serviceStatus(c) }),
	)
}

func (a *app) control() (*osservice.Control, error) {
	say := a.out
	if a.json {
		say = io.Discard
	}
	return osservice.New(manifest.Edge, a.serves, say)
}

// serves asks the running edge how it is.
func (a *app) serves(ctx context.Context) error {
	edge, err := a.client()
	if err != nil {
		return err
	}
	_, err = edge.Status(ctx)
	return err
}

func (a *app) installService(c *osservice.Control, ctx context.Context) error {
	if _, err := os.Stat(systemConfig); err != nil {
		return &hinted{fmt.Errorf("the service reads %s: %w", systemConfig, err),
			"make it first: sallyport-edge init --dir " + filepath.Dir(systemConfig) + " --state " + c.Service.State + " --name NAME --site ZONE"}
	}
	return c.Install(ctx)
}

func (a *app) serviceStatus(c *osservice.Control) error {
	r, err := c.Report()
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(r)
	}
	return a.line(r.String())
}
