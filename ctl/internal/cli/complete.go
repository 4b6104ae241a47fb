package cli

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// completeTime is how long a shell waits for names; without an answer there are
// none.
const completeTime = time.Second

// names asks the daemon for words that fit.
type names func(ctx context.Context, a *app) []string

func edgeNames(ctx context.Context, a *app) []string {
	edges, _ := a.walk.Client.Edges(ctx)
	var out []string
	for _, e := range edges {
		out = append(out, e.Name)
	}
	return out
}

func forwardNames(ctx context.Context, a *app) []string {
	forwards, _ := a.walk.Client.Forwards(ctx)
	var out []string
	for _, f := range forwards {
		out = append(out, f.Hostname, f.Listen)
	}
	return out
}

func tunnelNames(ctx context.Context, a *app) []string {
	tunnels, _ := a.walk.Client.Tunnels(ctx)
	var out []string
	for _, t := range tunnels {
		out = append(out, t.Hostname)
	}
	return out
}

// appNames are the hostnames that may be reached, and those that are forwarded
// already: the first needs the edge, the second only the daemon.
func appNames(ctx context.Context, a *app) []string {
	forwards, _ := a.walk.Client.Forwards(ctx)
	var out []string
	for _, f := range forwards {
		out = append(out, f.Hostname)
	}
	apps, _ := a.walk.Client.Apps(ctx, "")
	for _, app := range apps {
		out = append(out, app.Hostname)
	}
	return out
}

type completion = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective)

// completeOne offers names for the first word only.
func (a *app) completeOne(n names) completion {
	return func(c *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return a.offer(c, n, nil, prefix), cobra.ShellCompDirectiveNoFileComp
	}
}

// completeAll offers names for every word, each once.
func (a *app) completeAll(n names) completion {
	return func(c *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
		return a.offer(c, n, args, prefix), cobra.ShellCompDirectiveNoFileComp
	}
}

func (a *app) completeFlag(c *cobra.Command, flag string, n names) {
	err := c.RegisterFlagCompletionFunc(flag, func(c *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
		return a.offer(c, n, nil, prefix), cobra.ShellCompDirectiveNoFileComp
	})
	if err != nil {
		panic(err) // the flag is not there: a mistake in this package
	}
}

func (a *app) offer(c *cobra.Command, n names, without []string, prefix string) []string {
	// The flags of the line being completed were read only now.
	if a.connect() != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(c.Context(), completeTime)
	defer cancel()
	all := n(ctx, a)
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(s string) bool {
		return !strings.HasPrefix(s, prefix) || slices.Contains(without, s)
	})
}
