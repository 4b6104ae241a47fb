// Program sallyport-installer puts Sallyport on a machine that takes no package,
// from the archive that it came in: programs, service, account, directories. It
// asks nothing.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"

	"github.com/sallyport/sallyport/installer/internal/setup"
	"github.com/sallyport/sallyport/internal/buildinfo"
	"github.com/sallyport/sallyport/internal/manifest"
)

const usage = `sallyport-installer puts Sallyport on this machine, and takes it away.

Usage:
  sallyport-installer install --role host|client|edge [--from DIR] [--root DIR] [--dry-run]
  sallyport-installer upgrade [--from DIR] [--root DIR] [--dry-run]
  sallyport-installer uninstall [--role ROLE] [--purge] [--root DIR] [--dry-run]
  sallyport-installer verify [--root DIR]
  sallyport-installer version

  host      daemon and command line
  client    the same, and the tray
  edge      the organisation's relay

--from is the unpacked archive (default: the one that this program is in). --root is the tree of another
system. An upgrade keeps state and restarts services. --purge removes state and accounts too.
`

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return exitUsage
	}
	switch verb := args[0]; {
	case verb == "version" || verb == "--version":
		fmt.Fprintln(stdout, "sallyport-installer", buildinfo.Version())
		return exitOK
	case verb == "help" || verb == "-h" || verb == "--help":
		fmt.Fprint(stdout, usage)
		return exitOK
	case slices.Contains([]string{"install", "upgrade", "uninstall", "verify"}, verb):
		return do(ctx, verb, args[1:], stdout, stderr)
	}
	fmt.Fprintf(stderr, "sallyport-installer: error: unknown command %q\n\n%s", args[0], usage)
	return exitUsage
}

func do(ctx context.Context, verb string, args []string, stdout, stderr io.Writer) int {
	o := setup.Options{OS: runtime.GOOS, Version: buildinfo.Version(), Say: stdout}
	var role string
	flags := flag.NewFlagSet("sallyport-installer "+verb, flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { fmt.Fprint(stderr, usage) }
	flags.StringVar(&role, "role", "", "host, client or edge")
	flags.StringVar(&o.Payload, "from", "", "the unpacked archive")
	flags.StringVar(&o.Root, "root", "", "the tree of another system")
	flags.BoolVar(&o.Purge, "purge", false, "remove state and accounts too")
	flags.BoolVar(&o.DryRun, "dry-run", false, "only say what would be done")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return exitOK
	} else if err != nil {
		return exitUsage
	}
	if flags.NArg() > 0 || role == "" && verb == "install" {
		fmt.Fprintf(stderr, "sallyport-installer: error: %s needs --role, and takes flags only\n\n%s", verb, usage)
		return exitUsage
	}
	var err error
	if role != "" {
		if o.Role, err = manifest.ParseRole(role); err != nil {
			fmt.Fprintln(stderr, "sallyport-installer: error:", err)
			return exitUsage
		}
	}
	if o.Payload == "" {
		o.Payload = payload()
	}
	if err := act(ctx, verb, o); err != nil {
		fmt.Fprintln(stderr, "sallyport-installer: error:", err)
		return exitFailed
	}
	return exitOK
}

// payload is the archive's directory, in whose bin this program is.
func payload() string {
	program, err := os.Executable()
	if err != nil {
		return "."
	}
	return filepath.Dir(filepath.Dir(program))
}

func act(ctx context.Context, verb string, o setup.Options) error {
	s, err := setup.New(o)
	if err != nil {
		return err
	}
	switch verb {
	case "install":
		return s.Install(ctx)
	case "upgrade":
		return s.Upgrade(ctx)
	case "uninstall":
		return s.Uninstall(ctx)
	}
	found, err := s.Verify()
	if err != nil {
		return err
	}
	for _, f := range found {
		fmt.Fprintln(o.Say, f)
	}
	if len(found) > 0 {
		return fmt.Errorf("%d things are not as they were installed; sallyport-installer upgrade puts them right", len(found))
	}
	fmt.Fprintln(o.Say, "everything is as it was installed")
	return nil
}
