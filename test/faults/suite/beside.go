//go:build linux

package suite

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/sallyport/sallyport/test/faults/impair"
	"github.com/sallyport/sallyport/test/faults/services"
)

// FarCause is a fault of the network between client and edge, with pgbench, ssh
// and scp beside the ledger's streams.
type FarCause struct {
	Cause
	// Copy is how many bytes scp carries.
	Copy int64
}

// FarRow is what came of a FarCause.
type FarRow struct {
	Row
	// Services are what pgbench, ssh and scp thought of it; none where they are
	// not installed.
	Services []services.Outcome
}

// PlayFar is Play over the network, with the services beside the streams.
func (w *World) PlayFar(ctx context.Context, c FarCause, n int) FarRow {
	row := FarRow{}
	after, err := c.ready(ctx, w)
	if err != nil {
		row.Cause, row.Faults = c.Cause, err
		return row
	}
	ctx, cancel := context.WithTimeout(ctx, c.Lasts+patience)
	defer cancel()
	var wg sync.WaitGroup
	begun, begin := context.WithCancel(ctx)
	defer begin()
	if w.far.services == nil {
		begin()
	} else {
		wg.Go(func() {
			row.Services = w.far.services.Run(ctx, services.Use{
				PostgreSQL: w.far.pg, SSH: w.far.ssh, Lasts: c.Lasts, Copy: c.Copy, Inside: w.far.inside, Begun: begin,
			})
		})
	}
	play := c.Cause
	play.Before = nil // done before the services began, and taken back after them
	play.Fault = func(ctx context.Context, w *World) error {
		<-begun.Done()
		return c.Fault(ctx, w)
	}
	row.Row = w.Play(ctx, play, n)
	wg.Wait()
	row.Faults = errors.Join(row.Faults, row.judgeServices(), after(context.WithoutCancel(ctx)))
	return row
}

func (r FarRow) judgeServices() error {
	var errs []error
	for _, o := range r.Services {
		if o.Err != nil && (r.Cause.Want == Survive || strings.Contains(o.Err.Error(), services.Wrong)) {
			errs = append(errs, fmt.Errorf("%s: %w", o.Name, o.Err))
		}
	}
	return errors.Join(errs...)
}

// ByProxy has the client reach the edge through a proxy on its own machine, in
// which its connections can be told apart.
func (w *World) ByProxy(ctx context.Context) (func(context.Context) error, error) {
	var p *impair.Proxy
	at := w.far.address(w.edge)
	err := w.far.inside(func() (err error) {
		p, err = impair.New(impair.Config{Target: at, Seed: w.seed, Inside: w.far.inside})
		return err
	})
	if err != nil {
		return nil, err
	}
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	var ran sync.WaitGroup
	ran.Go(func() { p.Run(life) })
	former := w.clientProxy
	w.clientProxy = p
	after := func(ctx context.Context) error {
		w.clientProxy = former
		err := w.lead(ctx, w.client, at)
		stop()
		ran.Wait()
		return err
	}
	if err := w.use(ctx, w.client, p); err != nil {
		return nil, errors.Join(err, after(ctx))
	}
	if _, err := w.recovered(ctx, 20*time.Second); err != nil {
		return nil, errors.Join(err, after(ctx))
	}
	return after, nil
}
