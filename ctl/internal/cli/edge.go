package cli

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/ctl/internal/cli/input"
	"github.com/sallyport/sallyport/ctl/internal/cli/terminal"
	"github.com/sallyport/sallyport/ctl/internal/cli/view"
	"github.com/sallyport/sallyport/ctl/internal/cli/walk"
)

func (a *app) edgeCommand() *cobra.Command {
	return group("edge", "Choose the edge that forwards and tunnels use",
		a.edgeUseCommand(), a.edgeShowCommand(), a.edgeListCommand(), a.edgeRemoveCommand())
}

func (a *app) edgeUseCommand() *cobra.Command {
	var in api.EdgeInput
	var caFile string
	c := &cobra.Command{
		Use:   "use NAME[:PORT]",
		Short: "Use this edge from now on",
		Long: `Use this edge from now on.

Each OS user chooses their own. With --machine it becomes the edge that this
machine's tunnels use, and that people use who have chosen none; that needs an
administrator.

Of an edge that is known, --ca, --address, --proxy and --host-keys stay as they were where
they are not given; ` + "`sallyport edge rm`" + ` forgets them.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			var err error
			if in.Name, err = input.Edge(args[0]); err != nil {
				return err
			}
			if in.CAPEM, err = readCA(caFile); err != nil {
				return err
			}
			switch {
			case in.Proxy == "-":
				if in.Proxy, err = readProxy(c.InOrStdin()); err != nil {
					return fmt.Errorf("read the proxy: %w", err)
				}
			case strings.Contains(in.Proxy, "@"):
				return input.Errorf("a password on the command line is seen by everybody on this machine: give --proxy - and the URL on standard input")
			}
			e, err := a.walk.Client.UseEdge(c.Context(), in)
			if err != nil {
				return err
			}
			return a.term.Print(e, func(w io.Writer) {
				if e.Machine {
					terminal.Say(w, "This machine uses the edge %s.", e.Name)
				} else {
					terminal.Say(w, "You use the edge %s.", e.Name)
				}
			})
		},
	}
	f := c.Flags()
	f.StringVar(&caFile, "ca", "", "a file of certificates (PEM) that the edge's certificate is checked against, instead of the system's")
	f.StringVar(&in.Address, "address", "", "dial this IP:PORT instead of looking the name up")
	f.StringVar(&in.Proxy, "proxy", "", "go out through this proxy: http://, https:// or socks5://HOST:PORT; \"direct\" for none, whatever the environment of the daemon says; \"-\" reads it from standard input, where USER:PASSWORD@ may stand before the host")
	f.StringVar(&in.HostKeys, "host-keys", "", "what becomes of a host whose key has never served its hostname: \"report\" it in the daemon's log (the default), or \"strict\" to refuse it")
	f.BoolVar(&in.Machine, "machine", false, "for the machine's tunnels, and for people who have chosen no edge")
	return c
}

// maxProxy is more than a URL with a long password has.
const maxProxy = 4 << 10

// readProxy reads the URL of a proxy, so that its password is in no list of
// processes.
func readProxy(r io.Reader) (string, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxProxy))
	return strings.TrimSpace(string(b)), err
}

// readCA reads a bundle that fits into a request.
func readCA(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read the certificates: %w", err)
	}
	if len(b) > api.MaxBodyBytes/2 {
		return "", input.Errorf("%s: %d bytes are more than a bundle for one edge has", file, len(b))
	}
	return string(b), nil
}

func (a *app) edgeShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "show [NAME]",
		Short:             "Show the edge in use, or one of the others",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: a.completeOne(edgeNames),
		RunE: func(c *cobra.Command, args []string) error {
			edges, err := a.walk.Client.Edges(c.Context())
			if err != nil {
				return err
			}
			e, err := walk.ChosenEdge(edges, first(args))
			if err != nil {
				return err
			}
			return a.term.Print(e, func(w io.Writer) { view.Edges(w, []api.Edge{e}, a.term.Now()) })
		},
	}
}

func (a *app) edgeListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the edges, yours and the machine's",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			edges, err := a.walk.Client.Edges(c.Context())
			if err != nil {
				return err
			}
			return a.term.Print(list(edges), func(w io.Writer) {
				if len(edges) == 0 {
					a.term.Note("no edge is chosen", "hint: sallyport edge use NAME[:PORT]")
				}
				view.Edges(w, edges, a.term.Now())
			})
		},
	}
}

func (a *app) edgeRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "rm NAME|ID...",
		Short:             "Forget an edge, with the session there",
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: a.completeAll(edgeNames),
		RunE: func(c *cobra.Command, args []string) error {
			edges, err := a.walk.Client.Edges(c.Context())
			if err != nil {
				return err
			}
			for _, word := range args {
				e, err := input.FindEdge(edges, word)
				if err != nil {
					return err
				}
				if err := a.walk.Client.RemoveEdge(c.Context(), e.ID); err != nil {
					return err
				}
			}
			return nil
		},
	}
}
