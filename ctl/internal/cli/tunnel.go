package cli

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/ctl/internal/cli/input"
	"github.com/sallyport/sallyport/ctl/internal/cli/terminal"
	"github.com/sallyport/sallyport/ctl/internal/cli/view"
)

func (a *app) tunnelCommand() *cobra.Command {
	var host, url string
	c := group("tunnel", "Publish services of this machine",
		a.tunnelLoginCommand(), a.tunnelJoinCommand(), a.tunnelAddCommand(), a.tunnelListCommand(),
		a.tunnelPauseCommand("pause", "Publish apps no longer, and keep them", true),
		a.tunnelPauseCommand("resume", "Publish paused apps again", false),
		a.tunnelRemoveCommand())
	c.Long = `Publish services of this machine.

With --hostname and --url the app is published until Ctrl-C. What is set up by
` + "`tunnel add`" + ` stays, also over a restart.`
	c.Example = `  sallyport tunnel login
  sallyport tunnel --hostname tcp.site.com --url tcp://localhost:7870`
	c.RunE = func(c *cobra.Command, args []string) error {
		if host == "" && url == "" {
			return needVerb(c, args)
		}
		in, err := tunnelInput(nil, host, url)
		if err != nil {
			return err
		}
		return a.walk.Tunnel(c.Context(), in)
	}
	tunnelFlags(c, &host, &url)
	return c
}

func tunnelFlags(c *cobra.Command, host, url *string) {
	c.Flags().StringVar(host, "hostname", "", "the hostname to publish, such as tcp.site.com")
	c.Flags().StringVar(url, "url", "", "the service, such as tcp://localhost:7870")
}

// tunnelInput takes HOSTNAME and ORIGIN as words or as flags.
func tunnelInput(words []string, host, url string) (api.TunnelInput, error) {
	if host == "" && len(words) > 0 {
		host, words = words[0], words[1:]
	}
	if url == "" && len(words) > 0 {
		url, words = words[0], words[1:]
	}
	if len(words) > 0 {
		return api.TunnelInput{}, input.Errorf("%q is one word too many", words[0])
	}
	h, err := input.Hostname(host)
	if err != nil {
		return api.TunnelInput{}, err
	}
	o, err := input.Origin(url)
	return api.TunnelInput{Hostname: h, Origin: o}, err
}

func (a *app) tunnelLoginCommand() *cobra.Command {
	var noBrowser bool
	c := &cobra.Command{
		Use:               "login [EDGE]",
		Short:             "Make this machine a host, by a browser login of a publisher",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: a.completeOne(edgeNames),
		RunE: func(c *cobra.Command, args []string) error {
			l, err := a.walk.Login(c.Context(), first(args), noBrowser, api.PurposeEnrol)
			if err != nil {
				return err
			}
			return a.term.Print(l, func(w io.Writer) { sayEnrolled(w, l.Edge, l.Enrolment) })
		},
	}
	c.Flags().BoolVar(&noBrowser, "no-browser", false, noBrowserHelp)
	return c
}

func sayEnrolled(w io.Writer, edge string, e *api.Enrolment) {
	if e == nil {
		terminal.Say(w, "This machine is a host at %s.", edge)
		return
	}
	terminal.Say(w, "This machine is a host at %s: connector %s of site %s, may publish %s.", e.Edge, e.ConnectorID, e.Site, join(e.Hostnames))
}

func (a *app) tunnelAddCommand() *cobra.Command {
	var host, url string
	var paused bool
	c := &cobra.Command{
		Use:     "add HOSTNAME ORIGIN",
		Short:   "Publish a service for good, also over a restart",
		Example: `  sallyport tunnel add tcp.site.com tcp://localhost:7870`,
		Args:    cobra.MaximumNArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			in, err := tunnelInput(args, host, url)
			if err != nil {
				return err
			}
			in.Paused = paused
			made, err := a.walk.Client.AddTunnel(c.Context(), in)
			if err != nil {
				return err
			}
			return a.printTunnel(a.walk.Settled(c.Context(), made))
		},
	}
	tunnelFlags(c, &host, &url)
	c.Flags().BoolVar(&paused, "paused", false, "do not publish yet")
	return c
}

func (a *app) printTunnel(t api.Tunnel) error {
	return a.term.Print(t, func(w io.Writer) { view.Tunnels(w, []api.Tunnel{t}, a.term.Now()) })
}

func (a *app) tunnelListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List what this machine publishes",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			all, err := a.walk.Client.Tunnels(c.Context())
			if err != nil {
				return err
			}
			return a.term.Print(list(all), func(w io.Writer) {
				if len(all) == 0 {
					a.term.Note("there is no tunnel", "hint: sallyport tunnel add HOSTNAME tcp://localhost:PORT")
				}
				view.Tunnels(w, all, a.term.Now())
			})
		},
	}
}

func (a *app) tunnelPauseCommand(verb, short string, paused bool) *cobra.Command {
	return &cobra.Command{
		Use:               verb + " ID|HOSTNAME...",
		Short:             short,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: a.completeAll(tunnelNames),
		RunE: func(c *cobra.Command, args []string) error {
			return a.eachTunnel(c.Context(), args, func(t api.Tunnel) error {
				changed, err := a.walk.Client.EditTunnel(c.Context(), t.ID, api.TunnelPatch{Paused: &paused})
				if err != nil {
					return err
				}
				return a.printTunnel(a.walk.Settled(c.Context(), changed))
			})
		},
	}
}

func (a *app) tunnelRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "rm ID|HOSTNAME...",
		Short:             "Remove tunnels; their connections are closed",
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: a.completeAll(tunnelNames),
		RunE: func(c *cobra.Command, args []string) error {
			return a.eachTunnel(c.Context(), args, func(t api.Tunnel) error {
				return a.walk.Client.RemoveTunnel(c.Context(), t.ID)
			})
		},
	}
}

// eachTunnel finds all of the words before it does anything to the first.
func (a *app) eachTunnel(ctx context.Context, words []string, do func(api.Tunnel) error) error {
	all, err := a.walk.Client.Tunnels(ctx)
	if err != nil {
		return err
	}
	var found []api.Tunnel
	for _, word := range words {
		t, err := input.FindTunnel(all, word)
		if err != nil {
			return err
		}
		found = append(found, t)
	}
	for _, t := range found {
		if err := do(t); err != nil {
			return err
		}
	}
	return nil
}
