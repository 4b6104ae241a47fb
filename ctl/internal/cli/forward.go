package cli

import (
	"context"
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/ctl/internal/cli/input"
	"github.com/sallyport/sallyport/ctl/internal/cli/view"
)

func (a *app) forwardCommand() *cobra.Command {
	return group("forward", "Keep local entries that lead to a hostname",
		a.forwardAddCommand(), a.forwardListCommand(), a.forwardEditCommand(),
		a.forwardPauseCommand("pause", "Close the listener of forwards, and keep them", true),
		a.forwardPauseCommand("resume", "Open the listener of paused forwards again", false),
		a.forwardRemoveCommand())
}

// forwardFlags are what says where a forward listens and leads.
type forwardFlags struct {
	hostname, url, unix, edge, share string
	http                             bool
}

func (f *forwardFlags) add(c *cobra.Command) {
	flags := c.Flags()
	flags.SetNormalizeFunc(otherNames)
	flags.StringVar(&f.hostname, "hostname", "", "the hostname to reach, such as tcp.site.com")
	flags.StringVar(&f.url, "url", "", "where to listen, such as localhost:9210")
	flags.StringVar(&f.unix, "unix", "", "listen on a Unix socket at this path instead")
	flags.BoolVar(&f.http, "http", false, "the service speaks HTTP")
}

// otherNames takes what else people call the local end.
func otherNames(_ *pflag.FlagSet, name string) pflag.NormalizedName {
	switch name {
	case "listen", "listener":
		name = "url"
	}
	return pflag.NormalizedName(name)
}

// listen is where to listen, "" where nothing was said.
func (f *forwardFlags) listen() (string, error) {
	switch {
	case f.unix != "" && f.url != "":
		return "", input.Errorf("give --url or --unix, not both")
	case f.unix != "":
		return input.Unix(f.unix)
	case f.url != "":
		return input.Listen(f.url)
	}
	return "", nil
}

// input takes HOSTNAME and LISTEN as words or as flags.
func (f *forwardFlags) input(args []string) (api.ForwardInput, error) {
	words := args
	if f.hostname == "" && len(words) > 0 {
		f.hostname, words = words[0], words[1:]
	}
	if f.url == "" && f.unix == "" && len(words) > 0 {
		f.url, words = words[0], words[1:]
	}
	if len(words) > 0 {
		return api.ForwardInput{}, input.Errorf("%q is one word too many", words[0])
	}
	host, err := input.Hostname(f.hostname)
	if err != nil {
		return api.ForwardInput{}, err
	}
	listen, err := f.listen()
	if err == nil && listen == "" {
		err = input.Errorf("a local address is needed, such as --url localhost:9210")
	}
	return api.ForwardInput{Hostname: host, Listen: listen, HTTP: f.http}, err
}

func (a *app) forwardAddCommand() *cobra.Command {
	var f forwardFlags
	var paused bool
	c := &cobra.Command{
		Use:   "add HOSTNAME LISTEN",
		Short: "Set up a forward that is kept, also over a restart",
		Example: `  sallyport forward add tcp.site.com localhost:9210
  sallyport forward add --hostname db.site.com --unix ~/db.sock`,
		Args:              cobra.MaximumNArgs(2),
		ValidArgsFunction: a.completeOne(appNames),
		RunE: func(c *cobra.Command, args []string) error {
			in, err := f.input(args)
			if err != nil {
				return err
			}
			if in.Edge, err = a.walk.Edge(c.Context(), f.edge, in.Hostname, false); err != nil {
				return err
			}
			in.Paused, in.Share = paused, f.shared()
			made, err := a.walk.Client.AddForward(c.Context(), in)
			if err != nil {
				return err
			}
			return a.printForward(made)
		},
	}
	f.add(c)
	c.Flags().StringVar(&f.edge, "edge", "", "the edge (default: $SALLYPORT_EDGE, else the one in use)")
	c.Flags().BoolVar(&paused, "paused", false, "do not listen yet")
	f.addShare(c)
	a.completeFlag(c, "hostname", appNames)
	a.completeFlag(c, "edge", edgeNames)
	return c
}

func (a *app) printForward(f api.Forward) error {
	return a.term.Print(f, func(w io.Writer) { view.Forwards(w, []api.Forward{f}, a.term.Now()) })
}

func (a *app) forwardListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List your forwards",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			all, err := a.walk.Client.Forwards(c.Context())
			if err != nil {
				return err
			}
			return a.term.Print(list(all), func(w io.Writer) {
				if len(all) == 0 {
					a.term.Note("there is no forward", "hint: sallyport forward add HOSTNAME localhost:PORT")
				}
				view.Forwards(w, all, a.term.Now())
			})
		},
	}
}

func (a *app) forwardEditCommand() *cobra.Command {
	var f forwardFlags
	c := &cobra.Command{
		Use:               "edit ID|HOSTNAME|LISTEN",
		Short:             "Change a forward",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeOne(forwardNames),
		RunE: func(c *cobra.Command, args []string) error {
			patch, err := f.patch(c)
			if err != nil {
				return err
			}
			return a.eachForward(c.Context(), args, func(old api.Forward) error {
				changed, err := a.walk.Client.EditForward(c.Context(), old.ID, patch)
				if err != nil {
					return err
				}
				return a.printForward(changed)
			})
		},
	}
	f.add(c)
	f.addShare(c)
	a.completeFlag(c, "hostname", appNames)
	return c
}

// nobody is how one says that a forward is its owner's alone.
const nobody = "nobody"

func (f *forwardFlags) addShare(c *cobra.Command) {
	c.Flags().StringVar(&f.share, "share", "", "who else of this machine may use it, as you: everyone, group:NAME or nobody (administrators)")
}

// shared is what was said of sharing, as the API has it.
func (f *forwardFlags) shared() string {
	if f.share == nobody {
		return ""
	}
	return f.share
}

// patch holds what was said and nothing else.
func (f *forwardFlags) patch(c *cobra.Command) (api.ForwardPatch, error) {
	var p api.ForwardPatch
	if f.hostname != "" {
		host, err := input.Hostname(f.hostname)
		if err != nil {
			return p, err
		}
		p.Hostname = &host
	}
	listen, err := f.listen()
	if err != nil {
		return p, err
	}
	if listen != "" {
		p.Listen = &listen
	}
	if c.Flags().Changed("http") {
		p.HTTP = &f.http
	}
	if c.Flags().Changed("share") {
		share := f.shared()
		p.Share = &share
	}
	if p == (api.ForwardPatch{}) {
		return p, input.Errorf("nothing to change: give --hostname, --url, --unix, --http or --share")
	}
	return p, nil
}

func (a *app) forwardPauseCommand(verb, short string, paused bool) *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use:               verb + " ID|HOSTNAME|LISTEN... | --all",
		Short:             short,
		ValidArgsFunction: a.completeAll(forwardNames),
		RunE: func(c *cobra.Command, args []string) error {
			if all == (len(args) > 0) {
				return input.Errorf("say which forwards, or --all")
			}
			set := func(f api.Forward) error {
				changed, err := a.walk.Client.EditForward(c.Context(), f.ID, api.ForwardPatch{Paused: &paused})
				if err != nil {
					return err
				}
				return a.printForward(changed)
			}
			if all {
				return a.everyForward(c.Context(), paused, set)
			}
			return a.eachForward(c.Context(), args, set)
		},
	}
	c.Flags().BoolVar(&all, "all", false, "every forward of yours")
	return c
}

// everyForward takes the caller's own forwards that are not as wanted yet: root
// sees those of everybody.
func (a *app) everyForward(ctx context.Context, paused bool, do func(api.Forward) error) error {
	st, err := a.walk.Client.Status(ctx)
	if err != nil {
		return err
	}
	for _, f := range st.Forwards {
		if f.Owner != st.User || f.Paused == paused {
			continue
		}
		if err := do(f); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) forwardRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "rm ID|HOSTNAME|LISTEN...",
		Short:             "Remove forwards; their connections are closed",
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: a.completeAll(forwardNames),
		RunE: func(c *cobra.Command, args []string) error {
			return a.eachForward(c.Context(), args, func(f api.Forward) error {
				return a.walk.Client.RemoveForward(c.Context(), f.ID)
			})
		},
	}
}

// eachForward finds all of the words before it does anything to the first.
func (a *app) eachForward(ctx context.Context, words []string, do func(api.Forward) error) error {
	all, err := a.walk.Client.Forwards(ctx)
	if err != nil {
		return err
	}
	var found []api.Forward
	for _, word := range words {
		f, err := input.FindForward(all, word)
		if err != nil {
			return err
		}
		found = append(found, f)
	}
	for _, f := range found {
		if err := do(f); err != nil {
			return err
		}
	}
	return nil
}
