package cli

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/sallyport/sallyport/ctl/internal/cli/view"
)

func (a *app) appsCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "apps [EDGE]",
		Short:             "List the hostnames that you may reach",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: a.completeOne(edgeNames),
		RunE: func(c *cobra.Command, args []string) error {
			edge, err := a.walk.Edge(c.Context(), first(args), "", false)
			if err != nil {
				return err
			}
			apps, err := a.walk.Client.Apps(c.Context(), edge)
			if err != nil {
				return err
			}
			forwards, err := a.walk.Client.Forwards(c.Context())
			if err != nil {
				return err
			}
			return a.term.Print(list(apps), func(w io.Writer) {
				if len(apps) == 0 {
					a.term.Note("there is no hostname that you may reach", "hint: ask an administrator of the edge")
				}
				view.Apps(w, apps, forwards)
			})
		},
	}
}
