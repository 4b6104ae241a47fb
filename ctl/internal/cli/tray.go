package cli

import "github.com/spf13/cobra"

func (a *app) trayCommand() *cobra.Command {
	return group("tray", "Look after the tray icon", &cobra.Command{
		Use:       "autostart [on|off]",
		Short:     "Say whether the tray starts when you log in, or change it",
		Args:      cobra.MaximumNArgs(1),
		ValidArgs: []string{"on", "off"},
		RunE:      func(_ *cobra.Command, args []string) error { return a.walk.Autostart(first(args)) },
	})
}

func (a *app) portalCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "portal [EDGE]",
		Short:             "Open the page of the edge in the browser; its address is always printed",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: a.completeOne(edgeNames),
		RunE:              func(c *cobra.Command, args []string) error { return a.walk.Portal(c.Context(), first(args)) },
	}
}
