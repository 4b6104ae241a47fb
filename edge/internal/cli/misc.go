package cli

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sallyport/sallyport/edge/internal/admin/adminapi"
	"github.com/sallyport/sallyport/internal/buildinfo"
)

func (a *app) policyCommand() *cobra.Command {
	var groups []string
	why := &cobra.Command{
		Use:   "why EMAIL HOSTNAME",
		Short: "Say what a person would be told, and by which rule",
		Args:  cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			edge, err := a.client()
			if err != nil {
				return err
			}
			d, err := edge.Why(c.Context(), adminapi.WhyInput{Email: args[0], Hostname: args[1], Groups: groups})
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(d)
			}
			return a.line(whyText(d))
		},
	}
	why.Flags().StringArrayVar(&groups, "group", nil, "take these groups instead of those that are known (may be repeated)")
	return noun("policy", "Who may reach what, and why", why)
}

func whyText(d adminapi.Why) string {
	word := "denied"
	if d.Allow {
		word = "allowed"
	}
	from := map[string]string{"session": "as in the newest session", "person": "as the embedded provider says", "given": "as given",
		"nothing": "nothing is known of this address: name the groups with --group"}[d.Known]
	may := "may"
	if !d.Allow {
		may = "may not"
	}
	first := fmt.Sprintf("%s: %s %s reach %s by: %s", word, d.Email, may, d.Hostname, d.Rule)
	second := fmt.Sprintf("groups: %s (%s)", orNone(strings.Join(d.Groups, ", ")), from)
	return clean(first) + "\n" + clean(second)
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func (a *app) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Say how the running edge is",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			edge, err := a.client()
			if err != nil {
				return err
			}
			s, err := edge.Status(c.Context())
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(s)
			}
			return a.line(fmt.Sprintf("%s (%s, version %s) since %s\n%s\n%d client links, %d host links, %d trunks, %d streams, %d parked",
				s.Name, s.ID, s.Version, when(s.StartedAt), s.URL, s.Clients, s.Hosts, s.Trunks, s.Streams, s.Parked))
		},
	}
}

func (a *app) drainCommand() *cobra.Command {
	var wait time.Duration
	c := &cobra.Command{
		Use:   "drain [--deadline DURATION]",
		Short: "Have the edge take no new streams, wait for those that live, and leave",
		Long: "Have the edge take no new streams, wait until those that live have ended, or for the deadline,\n" +
			"and end. What is left waits for an edge (app edit --resume-window), or ends with a reset.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var in adminapi.DrainInput
			if c.Flags().Changed("deadline") {
				in.DeadlineMS = new(wait.Milliseconds())
			}
			edge, err := a.client()
			if err != nil {
				return err
			}
			d, err := edge.Drain(c.Context(), in)
			if err != nil {
				return err
			}
			return a.result(d, "the edge takes no new streams, and leaves when its %d have ended, at %s at the latest",
				d.Streams, d.Deadline.Local().Format("15:04:05"))
		},
	}
	c.Flags().DurationVar(&wait, "deadline", 0, "how long the streams have (default drain.deadline of the config file)")
	return c
}

// version is what version prints with --json.
type version struct {
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"`
	Go      string `json:"go"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of this program",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			v := version{buildinfo.Version(), buildinfo.Commit(), runtime.Version(), runtime.GOOS, runtime.GOARCH}
			if a.json {
				return a.printJSON(v)
			}
			return a.line(fmt.Sprintf("sallyport-edge %s %s (%s, %s/%s)", v.Version, v.Commit, v.Go, v.OS, v.Arch))
		},
	}
}

// completeWithin bounds what a press of the tab key waits for.
const completeWithin = time.Second

func (a *app) completeApps(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	return a.complete(c, args, func(ctx context.Context) (names []string) {
		if edge, err := a.client(); err == nil {
			apps, _ := edge.Apps(ctx)
			for _, app := range apps {
				names = append(names, app.Hostname)
			}
		}
		return names
	})
}

func (a *app) completePeople(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	return a.complete(c, args, func(ctx context.Context) (names []string) {
		if edge, err := a.client(); err == nil {
			people, _ := edge.People(ctx)
			for _, p := range people {
				names = append(names, p.Email)
			}
		}
		return names
	})
}

func (a *app) complete(c *cobra.Command, args []string, list func(context.Context) []string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(c.Context(), completeWithin)
	defer cancel()
	return list(ctx), cobra.ShellCompDirectiveNoFileComp
}
