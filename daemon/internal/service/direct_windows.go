package service

import (
	"context"
	"log/slog"

	"golang.org/x/sys/windows/svc"

	"github.com/sallyport/sallyport/internal/logging"
)

// RunService runs a function as a service whose command line says that it is
// one. Run has to guess, and guesses wrong where the session of services cannot
// be told from a person's.
func RunService(log *slog.Logger, run func(ctx context.Context) error) error {
	h := &handler{run: run, log: log}
	if err := svc.Run(Name, h); err != nil {
		return err
	}
	return h.err
}

// handler is the function as the Service Control Manager sees it.
type handler struct {
	run func(ctx context.Context) error
	log *slog.Logger
	err error // of run
}

// Execute returns when the function has: told to stop, or by itself.
func (h *handler) Execute(_ []string, asked <-chan svc.ChangeRequest, tell chan<- svc.Status) (bool, uint32) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan struct{})
	go func() { h.err = h.run(ctx); close(done) }() // joined below
	tell <- svc.Status{State: svc.Running, Accepts: svc.AcceptStop | svc.AcceptShutdown}
	if err := restartAlways(); err != nil {
		h.log.Warn("the service manager will not start this service again after a crash", slog.Any(logging.KeyError, err))
	}
	for {
		select {
		case <-done:
			if ctx.Err() == nil || h.err != nil {
				return true, 1 // not asked to end, or badly: restartAlways
			}
			return false, 0
		case r := <-asked:
			switch r.Cmd {
			case svc.Interrogate:
				tell <- r.CurrentStatus
			case svc.Stop, svc.Shutdown:
				tell <- svc.Status{State: svc.StopPending}
				cancel()
			}
		}
	}
}
