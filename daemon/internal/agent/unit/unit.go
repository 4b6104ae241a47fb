// Package unit is what runs in the daemon: a Client (link, attempts to sign in
// and session of one OS user at one edge), a Host (link, connector and enrolment
// of this machine at one edge), an Entry (one forward).
//
// Shapes: the methods of Config make units that run already, until Stop, which
// waits for all of one. A unit that Over says has ended by itself is to be
// stopped and made anew.
//
// Concurrency: a unit owns its goroutines. All methods may be called from
// anywhere.
package unit

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/sallyport/sallyport/daemon/internal/agent/plan"
	"github.com/sallyport/sallyport/daemon/internal/link"
	"github.com/sallyport/sallyport/daemon/internal/login"
	"github.com/sallyport/sallyport/daemon/internal/owner"
	"github.com/sallyport/sallyport/daemon/internal/store"
	"github.com/sallyport/sallyport/internal/browser"
	"github.com/sallyport/sallyport/internal/logging"
	"github.com/sallyport/sallyport/wire"
)

// stopSlow is when a unit that does not stop is worth a line.
const stopSlow = 5 * time.Second

// Config is what units are made with. All fields are required.
type Config struct {
	Store      *store.Store
	Owner      *owner.Checker
	DeviceName string
	BootID     string
	Version    string
	Log        *slog.Logger
	// ResumeWindow bounds how long streams outlive what carries them; 0: not at all.
	ResumeWindow time.Duration
	Now          func() time.Time
	// Touched is told that a snapshot has changed, Saved that a row has.
	// Neither may block.
	Touched, Saved func()
}

// parts are the goroutines of a unit.
type parts struct {
	name   string
	log    *slog.Logger
	cancel context.CancelFunc
	done   chan struct{} // closed when all have returned
}

// launch runs all parts until one of them returns, or Stop.
func (c Config) launch(name string, log *slog.Logger, run ...func(ctx context.Context) error) parts {
	ctx, cancel := context.WithCancel(context.Background())
	p := parts{name: name, log: log, cancel: cancel, done: make(chan struct{})}
	var wg sync.WaitGroup
	for _, f := range run {
		wg.Go(func() {
			defer cancel()
			if err := f(ctx); ctx.Err() == nil {
				log.Error("unit ended by itself", slog.String("unit", name), slog.Any(logging.KeyError, err))
				c.Touched()
			}
		})
	}
	go func() { // ends with the parts
		wg.Wait()
		close(p.done)
	}()
	return p
}

// Over says whether it has ended.
func (p parts) Over() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Cancel lets it end, and does not wait.
func (p parts) Cancel() { p.cancel() }

// Stop ends it and waits for all of it.
func (p parts) Stop() {
	p.cancel()
	slow := time.AfterFunc(stopSlow, func() { p.log.Warn("unit is slow to stop", slog.String("unit", p.name)) })
	defer slow.Stop()
	<-p.done
}

// linkConfig is what the links of clients and hosts have in common.
func (c Config) linkConfig(scope, edge string, spec plan.Link) (link.Config, error) {
	key, err := deviceKey(c.Store, scope, edge, c.Now())
	if err != nil {
		return link.Config{}, err
	}
	cert, err := wire.DeviceCertificate(key)
	if err != nil {
		return link.Config{}, err
	}
	return link.Config{
		Edge:       link.Edge{Name: spec.Host, Port: spec.Port, Address: spec.Address, CAPEM: spec.CAPEM, Proxy: spec.Proxy},
		Cert:       cert,
		DeviceName: c.DeviceName, BootID: c.BootID, Version: c.Version,
		Log: c.Log, Now: c.Now, Changed: c.Touched, ResumeWindow: c.ResumeWindow,
	}, nil
}

func (c Config) attempts(edge string, spec plan.Link, ownerName string, l login.Link, log *slog.Logger) *login.Attempts {
	pages := browser.Edge{Name: edge, Address: spec.Address}
	return login.New(login.Config{
		Edge: edge, Owner: ownerName, DeviceName: c.DeviceName, OSUser: ownerName, Link: l,
		CheckURL: func(url string) error { return browser.Check(url, pages) },
		Problem:  link.ProblemOf, Log: log, Changed: c.Touched,
	})
}
