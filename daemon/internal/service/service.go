// Package service runs the daemon under whatever starts it: a person at a
// terminal, or the system's service manager (systemd, launchd, the Service
// Control Manager of Windows, ...).
//
// Shapes: Run runs a function until it is told to stop, in the way of the
// manager. How the daemon comes under a manager, and what it says to it, is in
// internal/osservice.
//
// Errors: those of the function.
package service

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"

	"github.com/kardianos/service"
)

// Name is what service managers call the daemon.
const Name = "sallyportd"

// Run runs a function; its context ends when the daemon is told to stop. It
// returns what the function does.
func Run(run func(ctx context.Context) error) error {
	if service.Interactive() {
		return interactive(run)
	}
	p := &program{run: run, done: make(chan struct{})}
	s, err := service.New(p, &service.Config{Name: Name, Option: service.KeyValue{"RunWait": p.wait}})
	if errors.Is(err, service.ErrNoServiceSystemDetected) {
		return interactive(run)
	}
	if err != nil {
		return err
	}
	return s.Run()
}

// interactive ends at the signals of a terminal and of kill. A second one ends
// the process at once.
func interactive(run func(ctx context.Context) error) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return run(ctx)
}

// program is the function as a service manager sees it.
type program struct {
	run    func(ctx context.Context) error
	cancel context.CancelFunc
	done   chan struct{} // closed when run has returned
	err    error         // of run
}

// Start begins and does not wait.
func (p *program) Start(service.Service) error {
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	go p.main(ctx) // Stop joins it
	return nil
}

func (p *program) main(ctx context.Context) {
	p.err = p.run(ctx)
	close(p.done)
	if ctx.Err() == nil {
		endedAlone(p.err)
	}
}

// Stop ends it and gives its error.
func (p *program) Stop(service.Service) error {
	p.cancel()
	<-p.done
	return p.err
}

// wait returns when the manager asks to stop, or when there is nothing to stop.
func (p *program) wait() {
	told := make(chan os.Signal, 1)
	signal.Notify(told, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(told)
	select {
	case <-told:
	case <-p.done:
	}
}
