// Program sallyportd is the daemon: it publishes this machine's services
// (tunnels) and binds local entries to others (forwards). It serves the local
// API, by which sallyport and sallyport-tray tell it what to do.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/sallyport/sallyport/daemon/internal/agent"
	"github.com/sallyport/sallyport/daemon/internal/seal"
	"github.com/sallyport/sallyport/daemon/internal/service"
	"github.com/sallyport/sallyport/daemon/internal/store"
	"github.com/sallyport/sallyport/internal/buildinfo"
	"github.com/sallyport/sallyport/internal/ipc"
	"github.com/sallyport/sallyport/internal/logging"
	"github.com/sallyport/sallyport/internal/osservice"
	"github.com/sallyport/sallyport/internal/paths"
	"github.com/sallyport/sallyport/internal/procs"
)

const usage = `sallyportd is the daemon of Sallyport.

Usage:
  sallyportd run [--state DIR] [--socket PATH] [--log-level LEVEL] [--log-format FORMAT] [--log-file FILE]
                 [--resume-window TIME]
  sallyportd service install|uninstall|start|stop|restart|status
  sallyportd version

Run "sallyportd run -h" for the flags.
`

// Exit codes; docs/operating.md has them for all programs.
const (
	exitOK         = 0
	exitFailed     = 1
	exitUsage      = 2
	exitDaemon     = 4 // another daemon has the state directory or the socket
	exitPermission = 5
)

// probeCommand reads a database file, in a process that may die of it.
const probeCommand = "probe-db"

func main() {
	if len(os.Args) > 1 && os.Args[1] == "run" {
		procs.Slack()
	}
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

func run(args []string, stdout, stderr io.Writer) int {
	restrictNewFiles()
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return exitUsage
	}
	switch args[0] {
	case "run":
		return runDaemon(args[1:], stderr)
	case "service":
		return controlService(args[1:], stdout, stderr)
	case "version", "--version", "-version":
		version := buildinfo.Version()
		if c := buildinfo.Commit(); c != "" {
			version += " (" + c + ")"
		}
		fmt.Fprintln(stdout, "sallyportd", version)
		return exitOK
	case "help", "-h", "--help":
		fmt.Fprint(stdout, usage)
		return exitOK
	case probeCommand:
		return probe(args[1:], stderr)
	}
	fmt.Fprintf(stderr, "sallyportd: error: unknown command %q\n\n%s", args[0], usage)
	return exitUsage
}

// options are the flags of run.
type options struct {
	state, socket string
	log           logging.Config
	logFile       string // "" is standard error
	resumeWindow  time.Duration
	service       bool // a service manager has started it, and says so
}

func runDaemon(args []string, stderr io.Writer) int {
	var o options
	flags := flag.NewFlagSet("sallyportd run", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.state, "state", "", "`DIR` for the daemon's state (default: the machine's for root, else the user's own)")
	flags.StringVar(&o.socket, "socket", "", "`PATH` of the socket of the local API (default: likewise)")
	flags.StringVar(&o.log.Level, "log-level", "info", "`LEVEL` of the log: debug, info, warn or error")
	flags.StringVar(&o.log.Format, "log-format", "text", "`FORMAT` of the log: text or json")
	flags.StringVar(&o.logFile, "log-file", "", "`FILE` for the log, turned over at 10 MiB (default: standard error)")
	flags.DurationVar(&o.resumeWindow, "resume-window", agent.ResumeWindow, "`TIME` that connections outlive the loss of what carries them, at most what the edge allows; 0: not at all")
	flags.BoolVar(&o.service, "service", false, "run as a service of Windows")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return exitOK
	} else if err != nil {
		return exitUsage // flag has said why
	}
	if o.resumeWindow < 0 {
		fmt.Fprintf(stderr, "sallyportd: error: --resume-window %v is negative; 0 switches resuming off\n", o.resumeWindow)
		return exitUsage
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(stderr, "sallyportd: error: unexpected argument %q\n", flags.Arg(0))
		return exitUsage
	}
	if err := o.fill(); err != nil {
		return fail(stderr, err)
	}
	out := stderr
	if o.logFile != "" {
		if err := o.guardLog(); err != nil {
			return fail(stderr, err)
		}
		file, err := logging.OpenFile(o.logFile)
		if err != nil {
			return fail(stderr, err)
		}
		defer file.Close()
		out, stderr = file, io.MultiWriter(file, stderr)
	}
	log, err := logging.New(out, o.log)
	if err != nil {
		fmt.Fprintf(stderr, "sallyportd: error: %v\n", err)
		return exitUsage
	}
	work := func(ctx context.Context) error { return serve(ctx, o, log) }
	if o.service {
		err = service.RunService(log, work)
	} else {
		err = service.Run(work)
	}
	if err != nil {
		return fail(stderr, err)
	}
	return exitOK
}

// fill puts the defaults of this user where no flag was given.
func (o *options) fill() (err error) {
	if o.state == "" {
		if o.state, err = paths.StateDir(); err != nil {
			return fmt.Errorf("no place for the state directory: %w", err)
		}
	}
	if o.state, err = filepath.Abs(o.state); err != nil {
		return err
	}
	if o.socket == "" {
		if o.socket, err = paths.Socket(); err != nil {
			return fmt.Errorf("no place for the socket: %w", err)
		}
	}
	return nil
}

// guardLog looks at the state directory before a log within it is opened: others
// could have made it, to have the log written where it does not belong.
func (o *options) guardLog() error {
	log, err := filepath.Abs(o.logFile)
	if err != nil {
		return err
	}
	if within, err := filepath.Rel(o.state, log); err != nil || !filepath.IsLocal(within) {
		return nil
	}
	return store.MakePrivate(o.state)
}

// fail prints an error and the next step.
func fail(stderr io.Writer, err error) int {
	fmt.Fprintf(stderr, "sallyportd: error: %v\n", err)
	if hint := hintFor(err); hint != "" {
		fmt.Fprintf(stderr, "sallyportd: hint: %s\n", hint)
	}
	return exitCode(err)
}

// exitCode derives the exit code from what ended the program.
func exitCode(err error) int {
	switch {
	case errors.Is(err, store.ErrLocked), errors.Is(err, ipc.ErrInUse):
		return exitDaemon
	case errors.Is(err, osservice.ErrNotAdministrator):
		return exitPermission
	}
	return exitFailed
}

func hintFor(err error) string {
	switch {
	case errors.Is(err, osservice.ErrNotAdministrator):
		return "run it with sudo, or in an administrator's console; a daemon of your own needs no service: sallyportd run"
	case errors.Is(err, store.ErrLocked):
		return "stop the other daemon, or give this one a directory of its own: sallyportd run --state DIR --socket PATH"
	case errors.Is(err, ipc.ErrInUse):
		return "`sallyport status` asks the daemon that runs; give another one its own: sallyportd run --state DIR --socket PATH"
	case errors.Is(err, store.ErrNotPrivate):
		return "name a directory of your own, which nobody else may read: sallyportd run --state DIR"
	case errors.Is(err, store.ErrNewer):
		return "install the newer version again, or move the database away and set everything up anew"
	case errors.Is(err, seal.ErrKeyFile):
		return "put the key file back from a backup; without it nothing in the database can be read"
	}
	return ""
}

// probe is the hidden command of probeCommand. The key is beside the file.
func probe(args []string, stderr io.Writer) int {
	if len(args) != 1 {
		return exitUsage
	}
	code, err := store.ProbeIn(args[0], openSeal)
	if err != nil {
		fmt.Fprintln(stderr, err)
	}
	return code
}
