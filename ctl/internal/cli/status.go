package cli

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/ctl/internal/cli/terminal"
	"github.com/sallyport/sallyport/ctl/internal/cli/view"
)

func (a *app) statusCommand() *cobra.Command {
	var watch bool
	c := &cobra.Command{
		Use:   "status",
		Short: "Show edges, session, forwards and tunnels, each with its state",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if watch {
				return a.watchStatus(c)
			}
			st, err := a.walk.Client.Status(c.Context())
			if err != nil {
				return err
			}
			return a.term.Print(st, func(w io.Writer) { view.Status(w, &st, a.term.Now()) })
		},
	}
	c.Flags().BoolVar(&watch, "watch", false, "go on until Ctrl-C, and show each change")
	return c
}

// watchStatus shows the status after each change. A person sees the newest at
// the top of the screen; with --json it is one object a line.
func (a *app) watchStatus(c *cobra.Command) error {
	first := true
	for ev, err := range a.walk.Client.Watch(c.Context()) {
		if err != nil {
			return err
		}
		if ev.Status == nil {
			continue
		}
		if a.term.JSON {
			if err := json.NewEncoder(a.term.Out).Encode(ev.Status); err != nil {
				return err
			}
			continue
		}
		switch {
		case a.term.OutTerminal:
			fmt.Fprint(a.term.Out, "\x1b[H\x1b[2J")
		case !first:
			fmt.Fprintln(a.term.Out)
		}
		first = false
		view.Status(a.term.Out, ev.Status, a.term.Now())
	}
	return nil
}

func (a *app) eventsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "events",
		Short: "Print each change as a line until Ctrl-C (with --json: the event itself)",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			for ev, err := range a.walk.Client.Watch(c.Context()) {
				if err != nil {
					return err
				}
				if err := a.printEvent(ev); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func (a *app) printEvent(ev api.Event) error {
	if a.term.JSON {
		return json.NewEncoder(a.term.Out).Encode(ev)
	}
	if ev.Status != nil {
		terminal.Say(a.term.Out, "%s  %d  %s: %s", ev.Status.At.UTC().Format("2006-01-02T15:04:05Z"), ev.Seq, ev.Status.Headline, ev.Status.Text)
	}
	return nil
}
