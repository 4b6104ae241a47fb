package cli

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/sallyport/sallyport/ctl/internal/cli/input"
	"github.com/sallyport/sallyport/ctl/internal/cli/terminal"
	"github.com/sallyport/sallyport/internal/browser"
)

func (a *app) trayCommand() *cobra.Command {
	return group("tray", "Look after the tray icon", a.trayAutostartCommand())
}

// autostartState is what `tray autostart --json` prints.
type autostartState struct {
	Autostart bool `json:"autostart"`
}

func (a *app) trayAutostartCommand() *cobra.Command {
	return &cobra.Command{
		Use:       "autostart [on|off]",
		Short:     "Say whether the tray starts when you log in, or change it",
		Args:      cobra.MaximumNArgs(1),
		ValidArgs: []string{"on", "off"},
		RunE: func(_ *cobra.Command, args []string) error {
			word := first(args)
			if word != "" && word != "on" && word != "off" {
				return input.Errorf("%q is neither on nor off", word)
			}
			if word != "" {
				if err := a.term.Autostart.Set(word == "on"); err != nil {
					return err
				}
			}
			on, err := a.term.Autostart.Enabled()
			if err != nil {
				return err
			}
			return a.term.Print(autostartState{on}, func(w io.Writer) {
				if on {
					terminal.Say(w, "The tray starts when you log in.")
				} else {
					terminal.Say(w, "The tray does not start when you log in.")
				}
			})
		},
	}
}

func (a *app) portalCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "portal [EDGE]",
		Short:             "Open the page of the edge in the browser; its address is always printed",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: a.completeOne(edgeNames),
		RunE: func(c *cobra.Command, args []string) error {
			edges, err := a.walk.Client.Edges(c.Context())
			if err != nil {
				return err
			}
			e, err := chosenEdge(edges, args)
			if err != nil {
				return err
			}
			at := browser.Edge{Name: e.Name, Address: e.Address}
			url := browser.Portal(at)
			if err := a.term.Print(struct {
				URL string `json:"url"`
			}{url}, func(w io.Writer) { terminal.Say(w, "%s", url) }); err != nil {
				return err
			}
			if ok, _ := a.term.Browser(); !ok {
				return nil
			}
			if err := a.term.Open(c.Context(), url, at); err != nil {
				a.term.Note("the browser did not open: " + err.Error())
			}
			return nil
		},
	}
}
