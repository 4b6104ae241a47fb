package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/sallyport/sallyport/edge/internal/admin/client"
	"github.com/sallyport/sallyport/edge/internal/config"
)

// Serve runs an edge with this config file until ctx ends. Its error is told as
// that of the command, and may have a method Hint with the next step.
type Serve func(ctx context.Context, configPath string) error

// app is one run of the program.
type app struct {
	in       io.Reader
	out, err io.Writer
	serve    Serve

	// Flags of every command.
	config, socket string
	json           bool

	started bool   // a command has begun: what fails now is not its usage
	command string // the one that ran, or whose words were a mistake
}

// Run does what args say and gives the exit code. SIGINT and SIGTERM end it.
func Run(args []string, serve Serve) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	a := &app{in: os.Stdin, out: os.Stdout, err: os.Stderr, serve: serve}
	return a.run(ctx, args)
}

func (a *app) run(ctx context.Context, args []string) int {
	root := a.root()
	root.SetArgs(args)
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	c, err := root.ExecuteContextC(ctx)
	a.command = c.CommandPath()
	if err != nil && !a.started {
		err = usage(err)
		a.json = a.json || slices.Contains(args, "--json")
	}
	code := exitCode(ctx, err)
	if code != exitInterrupted {
		a.report(err)
	}
	return code
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "sallyport-edge",
		Short:         "The edge of Sallyport: the public relay that an organisation runs",
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(c *cobra.Command, _ []string) error {
			if err := c.ValidateFlagGroups(); err != nil {
				return err // still a matter of usage
			}
			a.started = true
			return nil
		},
	}
	flags := root.PersistentFlags()
	flags.StringVar(&a.config, "config", "", "config file (default ./edge.yaml, then "+systemConfig+")")
	flags.StringVar(&a.socket, "socket", "", "admin socket (default that of the config file's state directory)")
	flags.BoolVar(&a.json, "json", false, "print JSON")
	root.AddCommand(a.initCommand(), a.serveCommand(), a.appCommand(), a.personCommand(), a.sessionCommand(),
		a.connectorCommand(), a.tokenCommand(), a.streamCommand(), a.auditCommand(), a.policyCommand(),
		a.setupLinkCommand(), a.statusCommand(), a.drainCommand(), a.serviceCommand(), a.versionCommand())
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	return root
}

// noun makes a command that only holds others.
func noun(name, short string, verbs ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{
		Use:   name,
		Short: short,
		RunE: func(c *cobra.Command, args []string) error {
			var names []string
			for _, v := range verbs {
				names = append(names, v.Name())
			}
			problem := "what to do is missing"
			if len(args) > 0 {
				problem = fmt.Sprintf("%q is not a command", args[0])
			}
			return usage(fmt.Errorf("%s %s: write one of %s", name, problem, strings.Join(names, ", ")))
		},
	}
	c.AddCommand(verbs...)
	return c
}

// systemConfig is where a packaged edge has its file.
const systemConfig = "/etc/sallyport/edge.yaml"

// configPath is the file that --config names, or the first that is there.
func (a *app) configPath() (string, error) {
	if a.config != "" {
		return a.config, nil
	}
	for _, path := range []string{"edge.yaml", systemConfig} {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", &hinted{errors.New("there is no edge.yaml here, and none at " + systemConfig),
		"name it with --config, or make one with: sallyport-edge init --name NAME --site ZONE"}
}

// load reads the config file.
func (a *app) load() (*config.Config, error) {
	path, err := a.configPath()
	if err != nil {
		return nil, err
	}
	return config.Load(path)
}

// client is the way to the running edge.
func (a *app) client() (*client.Client, error) {
	if a.socket != "" {
		return client.New(a.socket), nil
	}
	c, err := a.load()
	if err != nil {
		return nil, err
	}
	return client.New(c.Socket()), nil
}

func (a *app) serveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Run the edge until it is told to end",
		Long: "Run the edge until SIGINT or SIGTERM. SIGHUP reads the config and certificate files again;\n" +
			"where they are not good, what is in force stays and the log says why.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			path, err := a.configPath()
			if err != nil {
				return err
			}
			if path, err = filepath.Abs(path); err != nil {
				return err
			}
			err = a.serve(c.Context(), path)
			if errors.Is(err, context.Canceled) && c.Context().Err() != nil {
				return nil // told to end, and ended
			}
			return err
		},
	}
}

// Command is the tree of commands, for whoever describes it.
func Command() *cobra.Command { return (&app{}).root() }
