package cli

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sallyport/sallyport/edge/internal/admin/adminapi"
)

func (a *app) tokenCommand() *cobra.Command {
	return noun("token", "Join tokens, for hosts that nobody can sign in at", a.tokenNew(), a.tokenList(), a.tokenRemove())
}

func (a *app) tokenNew() *cobra.Command {
	var in adminapi.TokenInput
	var ttl time.Duration
	c := &cobra.Command{
		Use:     "new --site ZONE --hostnames GLOB",
		Short:   "Make a join token and print its secret, alone and this once",
		Example: "  sallyport-edge token new --site site.com --hostnames 'db*.site.com' > token\n  sallyport tunnel join < token",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if in.Site == "" || len(in.Hostnames) == 0 {
				return usage(errors.New("give --site and --hostnames"))
			}
			if ttl < 0 || ttl%time.Second != 0 {
				return usage(errors.New("--ttl is a number of whole seconds, such as 24h"))
			}
			in.TTLSeconds = int64(ttl / time.Second)
			edge, err := a.client()
			if err != nil {
				return err
			}
			t, err := edge.NewToken(c.Context(), in)
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(t)
			}
			a.note("join token %s for %s, good for %s until %s; its secret:", t.ID, strings.Join(t.Hostnames, ", "), hosts(t.Uses), when(t.ExpiresAt))
			return a.line(t.Secret)
		},
	}
	f := c.Flags()
	f.StringVar(&in.Site, "site", "", "the site whose hostnames the host may publish (required)")
	f.StringSliceVar(&in.Hostnames, "hostnames", nil, "which of them, with * for any part (required, may be repeated)")
	f.StringVar(&in.Group, "group", "", "connector group: its hosts are replicas that share hostnames (default: a new one)")
	f.DurationVar(&ttl, "ttl", 0, "how long it can be used (default 24h)")
	f.IntVar(&in.Uses, "uses", 0, "how many hosts may use it (default 1)")
	return c
}

func hosts(n int) string {
	if n == 1 {
		return "1 host"
	}
	return fmt.Sprintf("%d hosts", n)
}

func (a *app) tokenList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the join tokens that can still be used",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			edge, err := a.client()
			if err != nil {
				return err
			}
			list, err := edge.Tokens(c.Context())
			if err != nil {
				return err
			}
			var rows [][]string
			for _, t := range list {
				rows = append(rows, []string{t.ID, t.Site, strings.Join(t.Hostnames, ", "), t.Group, fmt.Sprintf("%d of %d", t.Used, t.Uses), t.By, when(t.ExpiresAt)})
			}
			return a.table(list, "no join tokens", []string{"ID", "SITE", "HOSTNAMES", "GROUP", "USED", "BY", "UNTIL"}, rows)
		},
	}
}

func (a *app) tokenRemove() *cobra.Command {
	return &cobra.Command{
		Use:   "rm ID",
		Short: "Remove a join token; hosts that used it stay enrolled",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			edge, err := a.client()
			if err != nil {
				return err
			}
			if err := edge.RemoveToken(c.Context(), args[0]); err != nil {
				return err
			}
			return a.result(done{"removed", args[0]}, "removed %s", args[0])
		},
	}
}
