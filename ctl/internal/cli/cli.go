// Package cli is the command line of Sallyport: it turns words into calls of
// the daemon's local API, and the answers into text.
//
// Shapes: Run is the whole program, given its arguments and a System. One file
// holds the commands of one noun. What a person reads is made by the package
// view; what a script reads (--json) is the API's own objects.
//
// Errors: a command returns an error and prints nothing about it; Run prints
// "sallyport: error: ..." and "sallyport: hint: ..." on stderr and derives the
// exit code, in exit.go alone.
//
// Concurrency: a command runs on the caller's goroutine and joins what it
// starts, but for one reader of the terminal, which ends with the process.
package cli

import (
	"context"
	"slices"

	"github.com/spf13/cobra"

	"github.com/sallyport/sallyport/api/client"
	"github.com/sallyport/sallyport/ctl/internal/cli/input"
	"github.com/sallyport/sallyport/ctl/internal/cli/terminal"
	"github.com/sallyport/sallyport/ctl/internal/cli/walk"
)

// app is one run of the program.
type app struct {
	term   *terminal.Terminal
	walk   *walk.Walk
	socket string
	// parsed is true once a command has begun: what failed before is a mistake
	// in the words.
	parsed bool
	// command is the command that ran, or the one whose words were a mistake.
	command string
}

// Run runs one command line and returns the exit code. The end of ctx is an
// interruption.
func Run(ctx context.Context, args []string, sys terminal.System) int {
	a := &app{term: terminal.New(sys)}
	root := a.rootCommand()
	root.SetArgs(args)
	root.SetIn(sys.In)
	root.SetOut(sys.Out)
	root.SetErr(sys.Err)
	c, err := root.ExecuteContextC(ctx)
	a.command = c.CommandPath()
	if a.walk != nil {
		a.walk.Client.Close()
	}
	if err != nil && !a.parsed {
		err = input.Wrap(err)
		a.term.JSON = a.term.JSON || slices.Contains(args, "--json")
	}
	if err != nil && ctx.Err() != nil {
		return exitInterrupted
	}
	a.report(err)
	return exitCode(err)
}

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "sallyport",
		Short: "Reach TCP services anywhere after a browser login, and publish your own",
		Long: `sallyport talks to the daemon sallyportd on this machine.

Reach a service:    sallyport access tcp --hostname tcp.site.com --url localhost:9210
Publish a service:  sallyport tunnel --hostname tcp.site.com --url tcp://localhost:7870

Exit codes: 0 ok, 1 failed, 2 usage, 3 login needed, 4 daemon not reachable,
5 not permitted, 6 not found or conflict, 130 interrupted.`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		PersistentPreRunE: a.begin,
	}
	flags := root.PersistentFlags()
	flags.StringVar(&a.socket, "socket", "", "the daemon's socket (default: $SALLYPORT_SOCKET, else your own daemon's, else the machine's)")
	flags.BoolVar(&a.term.JSON, "json", false, "print the API's objects as JSON")
	root.AddCommand(
		a.statusCommand(), a.edgeCommand(), a.loginCommand(), a.logoutCommand(), a.whoamiCommand(), a.appsCommand(),
		a.forwardCommand(), a.tunnelCommand(), a.accessCommand(), a.eventsCommand(), a.portalCommand(), a.trayCommand(), a.versionCommand(),
	)
	return root
}

func (a *app) begin(*cobra.Command, []string) error {
	if err := a.connect(); err != nil {
		return err
	}
	a.parsed = true
	return nil
}

// connect makes the client; it does not dial yet.
func (a *app) connect() error {
	c, err := client.New(client.Options{Socket: a.socket, Dial: a.term.Dial})
	if err != nil {
		return err
	}
	a.walk = &walk.Walk{Client: c, Term: a.term}
	return nil
}

// group is a command that only holds others.
func group(use, short string, verbs ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: needVerb}
	c.AddCommand(verbs...)
	return c
}

func needVerb(c *cobra.Command, _ []string) error {
	return input.Errorf("%s needs a verb; see `%s --help`", c.CommandPath(), c.CommandPath())
}

// list gives JSON an array where there is nothing.
func list[T any](v []T) []T {
	if v == nil {
		return []T{}
	}
	return v
}

// Command is the tree of commands, for whoever describes it.
func Command() *cobra.Command { return (&app{term: &terminal.Terminal{}}).rootCommand() }
