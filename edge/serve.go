package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sync/errgroup"

	"github.com/sallyport/sallyport/edge/internal/admin"
	"github.com/sallyport/sallyport/edge/internal/audit"
	"github.com/sallyport/sallyport/edge/internal/config"
	"github.com/sallyport/sallyport/internal/buildinfo"
	"github.com/sallyport/sallyport/internal/logging"
	"github.com/sallyport/sallyport/internal/osservice"
	"github.com/sallyport/sallyport/internal/procs"
)

// serve runs an edge until ctx ends.
func serve(ctx context.Context, configPath string, stdout, stderr io.Writer) error {
	// The first signal has ended ctx; the second is to end the process at once.
	defer context.AfterFunc(ctx, func() { signal.Reset(os.Interrupt, syscall.SIGTERM) })()
	c, err := config.Load(configPath)
	if err != nil {
		return err
	}
	log, err := newLog(stderr, c)
	if err != nil {
		return err
	}
	slog.SetDefault(log) // libraries log there, that of the embedded provider among them
	r, err := openRooms(ctx, configPath, c, log)
	if err != nil {
		return err
	}
	defer func() {
		if err := r.store.Close(); err != nil {
			log.Error("database not closed", "error", err)
		}
	}()
	l, err := r.listen(c)
	if err != nil {
		return err
	}
	return r.run(ctx, l, stdout)
}

func newLog(w io.Writer, c *config.Config) (*slog.Logger, error) {
	log, err := logging.New(w, logging.Config{Level: c.Log.Level, Format: c.Log.Format})
	if err != nil {
		return nil, err
	}
	return log.With(logging.KeyEdge, c.Name), nil
}

// listeners are the sockets of an edge; metrics may be nil.
type listeners struct{ public, admin, metrics net.Listener }

func (l listeners) close() {
	for _, x := range []net.Listener{l.public, l.admin, l.metrics} {
		if x != nil {
			x.Close()
		}
	}
}

// listen binds all sockets, or none.
func (r *rooms) listen(c *config.Config) (l listeners, err error) {
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	if l.public, err = net.Listen("tcp", c.Listen); err != nil {
		return l, notBound("links and browsers", "listen", c.Listen, err)
	}
	if l.admin, err = admin.Listen(c.Socket()); err != nil {
		return l, err
	}
	if c.Metrics.Listen == config.MetricsOff {
		return l, nil
	}
	if l.metrics, err = net.Listen("tcp", c.Metrics.Listen); err != nil {
		return l, notBound("metrics", "metrics.listen", c.Metrics.Listen, err)
	}
	return l, nil
}

// bindError is an address that could not be bound, and what an operator does.
type bindError struct{ what, key, addr, cause string }

func notBound(what, key, addr string, err error) error {
	var se *os.SyscallError
	if errors.As(err, &se) {
		err = se.Err
	}
	return &bindError{what, key, addr, err.Error()}
}

// Error names the address once; what the system says of it does so again.
func (e *bindError) Error() string {
	return fmt.Sprintf("listen for %s (%s: %s): %s", e.what, e.key, e.addr, e.cause)
}

// Hint is the next step.
func (e *bindError) Hint() string {
	if e.key == "metrics.listen" {
		return "set metrics.listen in the config file to another address, or to off"
	}
	return "stop what has the port, or set " + e.key + " in the config file to another address"
}

// run serves until ctx ends, or a room fails. The audit ends last: it takes what
// the others say at their end.
func (r *rooms) run(ctx context.Context, l listeners, stdout io.Writer) error {
	auditCtx, stopAudit := context.WithCancel(context.WithoutCancel(ctx))
	defer stopAudit()
	auditDone := make(chan error, 1)
	go func() { auditDone <- r.audit.Run(auditCtx) }() // joined below
	c := r.settings.Load()
	r.audit.Note(audit.Record{Event: audit.EventEdgeStarted, Outcome: audit.OK, Detail: buildinfo.Version(), Cause: r.startCause(ctx)})
	r.log.Info("edge serves", "listen", l.public.Addr().String(), "url", c.WebURL(), "version", buildinfo.Version())
	r.greet(stdout)

	// What runs outlives ctx: whoever tells the edge to end lets it drain.
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	told := ctx
	g, ctx := errgroup.WithContext(running)
	g.Go(func() error { r.leave(told, ctx); stop(); return nil })
	g.Go(func() error { return named("relay", r.relay.Serve(ctx, l.public)) })
	g.Go(func() error { return named("admin", admin.Serve(ctx, l.admin, r.adminHandler())) })
	g.Go(func() error { return named("sessions", r.sessions.Run(ctx)) })
	g.Go(func() error { return named("login", r.login.Run(ctx)) })
	g.Go(func() error { return named("certificates", r.certs.Run(ctx)) })
	g.Go(func() error { return named("store", r.store.Run(ctx)) })
	g.Go(func() error { return r.reloadOnSignal(ctx) })
	g.Go(func() error { procs.Run(ctx); return nil })
	g.Go(func() error { return named("watchdog", osservice.Watchdog(ctx, r.alive)) })
	if l.metrics != nil {
		g.Go(func() error { return named("metrics", r.metrics.Serve(ctx, l.metrics, r.log)) })
	}
	r.metrics.SetReady(true)
	r.tellManager(osservice.Ready)
	err := g.Wait()
	l.close()
	r.log.Info("edge stopped")
	r.audit.Note(audit.Record{Event: audit.EventEdgeStopped, Outcome: audit.OK})
	stopAudit()
	return errors.Join(err, named("audit", <-auditDone))
}

// alive asks what every stream needs: the relay's tables and the database. Where
// one hangs, so does this. An error is an answer: a restart would only cut what
// still runs.
func (r *rooms) alive(ctx context.Context) bool {
	r.relay.Links()
	_, _ = r.store.Get(ctx, "alive") // a key that nobody has
	return true
}

// tellManager tells systemd how far the edge is.
func (r *rooms) tellManager(f func() error) {
	if err := f(); err != nil {
		r.log.Warn("service manager not told", "error", err)
	}
}

// startCause is afterCrash where the last line of the audit is not that of an
// edge that stopped: streams without an end in it were lost then.
func (r *rooms) startCause(ctx context.Context) string {
	last := audit.Record{Event: audit.EventEdgeStopped}
	err := r.audit.Tail(ctx, 1, false, func(line []byte) error { return json.Unmarshal(line, &last) })
	if err != nil {
		r.log.Warn("last audit line not read", "error", err)
	}
	if last.Event == audit.EventEdgeStopped {
		return ""
	}
	return afterCrash
}

const afterCrash = "after-crash"

func named(room string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return nil
	}
	return fmt.Errorf("%s: %w", room, err)
}

// greet says how the first administrator is made, as long as there is none.
func (r *rooms) greet(stdout io.Writer) {
	if r.idp == nil {
		return
	}
	if link := r.idp.SetupLink(); link != "" {
		fmt.Fprintf(stdout, "No administrator yet. Open this link once to make the first:\n  %s\n", link)
	}
}

// reloadOnSignal reads the config file anew on SIGHUP.
func (r *rooms) reloadOnSignal(ctx context.Context) error {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-hup:
			if err := r.reload(); err != nil {
				r.log.Error("config not reloaded; the old one stays", slog.Any("error", err))
				continue
			}
			r.log.Info("config reloaded", "file", r.path)
		}
	}
}
