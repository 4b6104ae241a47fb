package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// options are the flags of the demo.
type options struct{ dir, origin, login string }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := dispatch(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo: error:", err)
		os.Exit(1)
	}
}

func dispatch(ctx context.Context, args []string) error {
	if len(args) > 0 && args[0] == "service" {
		return runService(ctx, os.Stdout)
	}
	var o options
	fs := flag.NewFlagSet("demo", flag.ContinueOnError)
	fs.StringVar(&o.dir, "dir", "demo", "the one directory for everything; removed at the end")
	fs.StringVar(&o.origin, "origin", "", "HOST:PORT to publish; default: a small service of the demo's own")
	fs.StringVar(&o.login, "login", "", "auto: sign in without a browser, check the path, leave")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if o.login != "" && o.login != "auto" {
		return fmt.Errorf("-login %q: only auto is known", o.login)
	}
	return inDirectory(ctx, o)
}

// maxSocketDir is how long a directory may be for a Unix socket in it.
const maxSocketDir = 85

// inDirectory makes the directory, runs the demo in it and takes it away.
func inDirectory(ctx context.Context, o options) (err error) {
	dir, err := filepath.Abs(o.dir)
	if err != nil {
		return err
	}
	if len(dir) > maxSocketDir {
		if dir, err = os.MkdirTemp("", "sallyport-demo-"); err != nil {
			return err
		}
	} else if err := os.Mkdir(dir, 0o700); err != nil {
		if errors.Is(err, os.ErrExist) {
			return fmt.Errorf("%s exists: another demo runs, or one was killed; remove it (make clean) and start again", dir)
		}
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if o.login == "auto" {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, 3*time.Minute, errors.New("the demo took more than three minutes"))
		defer cancel()
	}
	return runDemo(ctx, dir, o)
}
