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
	var f forwardFlags
	var noBrowser bool
	c := &cobra.Command{
		Use:   "tcp --hostname HOSTNAME [--url localhost:PORT]",
		Short: "Reach a TCP service at a local port, or by standard input and output",
		Example: `  sallyport access tcp --hostname tcp.site.com --url localhost:9210
  sallyport access tcp --hostname tcp.site.com < request > answer`,
		Args:              cobra.MaximumNArgs(2),
		ValidArgsFunction: a.completeOne(appNames),
		RunE: func(c *cobra.Command, args []string) error {
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
		},
	}
	f.add(c)
	c.Flags().StringVar(&f.edge, "edge", "", "the edge (default: $SALLYPORT_EDGE, else the one in use)")
	c.Flags().BoolVar(&noBrowser, "no-browser", false, noBrowserHelp)
	a.completeFlag(c, "hostname", appNames)
	a.completeFlag(c, "edge", edgeNames)
	return c
}

func (a *app) accessSSHCommand() *cobra.Command {
	var host, edge string
	var noBrowser, printConfig bool
	c := &cobra.Command{
		Use:   "ssh --hostname HOSTNAME",
		Short: "Reach an ssh server by standard input and output, as ssh's ProxyCommand",
		Example: `  sallyport access ssh --hostname ssh.site.com --print-config >> ~/.ssh/config
  ssh -o ProxyCommand='sallyport access ssh --hostname %h' alice@ssh.site.com`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: a.completeOne(appNames),
		RunE: func(c *cobra.Command, args []string) error {
			h, err := hostOf(host, args)
			if err != nil {
				return err
			}
			if printConfig {
				return a.printSSHConfig(h)
			}
			return a.stdio(c.Context(), h, edge, noBrowser)
		},
	}
	c.Flags().StringVar(&host, "hostname", "", "the hostname to reach, such as ssh.site.com")
	c.Flags().StringVar(&edge, "edge", "", "the edge (default: $SALLYPORT_EDGE, else the one in use)")
	c.Flags().BoolVar(&noBrowser, "no-browser", false, noBrowserHelp)
	c.Flags().BoolVar(&printConfig, "print-config", false, "print the lines for ~/.ssh/config instead")
	a.completeFlag(c, "hostname", appNames)
	a.completeFlag(c, "edge", edgeNames)
	return c
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
