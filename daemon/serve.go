package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/daemon/internal/agent"
	"github.com/sallyport/sallyport/daemon/internal/localapi"
	"github.com/sallyport/sallyport/daemon/internal/owner"
	"github.com/sallyport/sallyport/daemon/internal/seal"
	"github.com/sallyport/sallyport/daemon/internal/store"
	"github.com/sallyport/sallyport/internal/buildinfo"
	"github.com/sallyport/sallyport/internal/ipc"
	"github.com/sallyport/sallyport/internal/logging"
	"github.com/sallyport/sallyport/internal/netwatch"
	"github.com/sallyport/sallyport/internal/osservice"
	"github.com/sallyport/sallyport/internal/paths"
	"github.com/sallyport/sallyport/internal/procs"
)

// features are what this daemon can do, by name.
var features = []string{"events", "forwards.unix", "hold", "logins.code", "logins.loopback", "streams"}

// maxPerUser bounds the connections of one OS user to the local API: far above
// use, and far below the descriptors of a process.
const maxPerUser = 1024

// serve is the daemon, until ctx ends.
func serve(ctx context.Context, o options, log *slog.Logger) (err error) {
	closing := func(what string, f func() error) {
		if cerr := f(); cerr != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", what, cerr))
		}
	}
	dir, err := store.Acquire(ctx, o.state)
	if err != nil {
		return err
	}
	defer closing("state directory", dir.Close)
	box, err := openSeal(dir.Path(store.SealKeyName))
	if err != nil {
		return err
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	rows, err := dir.Open(ctx, store.Config{Seal: box, Probe: store.ProbeBy(program, probeCommand), Log: log})
	if err != nil {
		return err
	}
	defer closing("database", rows.Close)
	checker, err := owner.New()
	if err != nil {
		return err
	}
	defer closing("owner check", checker.Close)
	listener, err := ipc.Listen(o.socket, ipc.Options{Machine: paths.Machine(), PerUser: maxPerUser})
	if err != nil {
		return err
	}
	log.Info("daemon started", slog.String(logging.KeyVersion, buildinfo.Version()), slog.Int(logging.KeyPID, os.Getpid()),
		slog.String("state", o.state), slog.String(logging.KeySocket, o.socket))
	defer log.Info("daemon stopped")

	worker := agent.New(agent.Config{
		Store: rows, Owner: checker, DeviceName: deviceName(), BootID: bootID(), Version: buildinfo.Version(), Log: log,
		ResumeWindow: o.resumeWindow,
	})
	server := localapi.New(localapi.Config{Agent: worker, Version: version(), Log: log})
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return worker.Run(ctx) })
	group.Go(func() error { procs.Run(ctx); return nil })
	group.Go(func() error { return netwatch.Run(ctx, log, worker.Woke) })
	group.Go(func() error {
		// Who asks meanwhile waits: before the first pass there is no truth to tell.
		select {
		case <-worker.Ready():
		case <-ctx.Done():
		}
		return server.Run(ctx, listener)
	})
	group.Go(func() error { return tellManager(ctx, worker, log) })
	group.Go(func() error { return osservice.Watchdog(ctx, worker.Alive) })
	return group.Wait()
}

// tellManager tells the service manager when everything that was kept runs, and
// when it is about to end.
func tellManager(ctx context.Context, worker *agent.Agent, log *slog.Logger) error {
	tell := func(f func() error) {
		if err := f(); err != nil {
			log.Warn("service manager not told", slog.Any(logging.KeyError, err))
		}
	}
	select {
	case <-worker.Ready():
		tell(osservice.Ready)
	case <-ctx.Done():
	}
	<-ctx.Done()
	tell(func() error { return osservice.Stopping(0) })
	return nil
}

// openSeal is how the database's key is kept: in a file.
func openSeal(path string) (store.Sealer, error) { return seal.OpenKeyFile(path) }

func version() api.Version {
	return api.Version{
		Version: buildinfo.Version(), Commit: buildinfo.Commit(), Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH,
		Features: features,
	}
}

// deviceName is what the edge shows for this machine.
func deviceName() string {
	name, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	return name
}

// bootID names this process.
func bootID() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
