package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/ctl/internal/cli/input"
)

func (a *app) accessCommand() *cobra.Command {
	return group("access", "Reach a service until Ctrl-C, or as a command's input and output",
		a.accessTCPCommand(), a.accessSSHCommand())
}

func (a *app) accessTCPCommand() *cobra.Command {
	c, run := a.reachCommand(&cobra.Command{
		Use:   "tcp --hostname HOSTNAME [--url localhost:PORT]",
		Short: "Reach a TCP service at a local port, or by standard input and output",
		Example: `  sallyport access tcp --hostname tcp.site.com --url localhost:9210
  sallyport access tcp --hostname tcp.site.com < request > answer`,
	})
	c.RunE = run
	return c
}

func (a *app) accessSSHCommand() *cobra.Command {
	var printConfig bool
	c, run := a.reachCommand(&cobra.Command{
		Use:   "ssh --hostname HOSTNAME [--url localhost:PORT]",
		Short: "Reach an ssh server as ssh's ProxyCommand, or at a local port",
		Example: `  sallyport access ssh --hostname ssh.site.com --print-config >> ~/.ssh/config
  ssh -o ProxyCommand='sallyport access ssh --hostname %h' alice@ssh.site.com`,
	})
	c.Flags().BoolVar(&printConfig, "print-config", false, "print the lines for ~/.ssh/config instead")
	c.RunE = func(c *cobra.Command, args []string) error {
		if !printConfig {
			return run(c, args)
		}
		h, err := hostOf(c.Flag("hostname").Value.String(), args)
		if err != nil {
			return err
		}
		return a.printSSHConfig(h)
	}
	return c
}

// reachCommand gives a command the flags of a service to be reached, and what
// reaches it: at a local port where one is named, else by standard input and
// output.
func (a *app) reachCommand(c *cobra.Command) (*cobra.Command, func(*cobra.Command, []string) error) {
	var f forwardFlags
	var noBrowser bool
	f.add(c)
	c.Flags().StringVar(&f.edge, "edge", "", "the edge (default: $SALLYPORT_EDGE, else the one in use)")
	c.Flags().BoolVar(&noBrowser, "no-browser", false, noBrowserHelp)
	a.completeFlag(c, "hostname", appNames)
	a.completeFlag(c, "edge", edgeNames)
	c.Args, c.ValidArgsFunction = cobra.MaximumNArgs(2), a.completeOne(appNames)
	return c, func(c *cobra.Command, args []string) error {
		if f.url == "" && f.unix == "" && len(args) < 2 {
			host, err := hostOf(f.hostname, args)
			if err != nil {
				return err
			}
			return a.stdio(c.Context(), host, f.edge, noBrowser)
		}
		in, err := f.input(args)
		if err != nil {
			return err
		}
		if in.Edge, err = a.walk.Edge(c.Context(), f.edge, in.Hostname, false); err != nil {
			return err
		}
		return a.walk.Forward(c.Context(), in, noBrowser)
	}
}

func (a *app) stdio(ctx context.Context, host, edge string, noBrowser bool) error {
	edge, err := a.walk.Edge(ctx, edge, host, false)
	if err != nil {
		return err
	}
	return a.walk.Stdio(ctx, api.StreamInput{Hostname: host, Edge: edge}, noBrowser)
}

func hostOf(flag string, args []string) (string, error) {
	if flag == "" {
		flag = first(args)
	} else if len(args) > 0 {
		return "", input.Errorf("%q is one word too many", args[0])
	}
	return input.Hostname(flag)
}

// printSSHConfig prints what makes `ssh HOSTNAME` work by itself.
func (a *app) printSSHConfig(host string) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	// ssh takes "%" as its own sign, and the rest as a command of the shell.
	self = strings.ReplaceAll(self, "%", "%%")
	if strings.ContainsAny(self, " '$`\"\\&;()") {
		self = `"` + self + `"`
	}
	config := fmt.Sprintf("Host %s\n  ProxyCommand %s access ssh --hostname %%h\n", host, self)
	return a.term.Print(map[string]string{"ssh_config": config}, func(w io.Writer) { io.WriteString(w, config) })
}
