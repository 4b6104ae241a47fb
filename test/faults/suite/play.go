//go:build linux

package suite

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sallyport/sallyport/test/faults/gauge"
	"github.com/sallyport/sallyport/test/faults/ledger"
)

// begun is how long streams run before a fault comes.
const begun = 500 * time.Millisecond

// patience is for streams that go on but slowly, as on a machine that is busy with
// something else; the other end has a minute more.
const patience = 4 * time.Minute

// Play opens n streams, does the fault to them, and says what came of it.
func (w *World) Play(ctx context.Context, c Cause, n int) (row Row) {
	row = Row{Cause: c}
	if c.Streams > 0 {
		n = min(n, c.Streams)
	}
	var faults []error
	if _, err := w.recovered(ctx, 20*time.Second); err != nil {
		row.Faults = fmt.Errorf("nothing works before the fault: %w", err)
		return row
	}
	after, err := c.ready(ctx, w)
	if err != nil {
		row.Faults = err
		return row
	}
	defer func() { row.Faults = errors.Join(row.Faults, after(context.WithoutCancel(ctx))) }()
	w.server.Forget()
	programs := []gauge.Process{
		w.watch("edge", w.edge.Process().PID()), w.watch("host", w.host.Process().PID()), w.watch("client", w.client.Process().PID()),
	}
	plans := w.plansOf(c, n)
	var client ledger.Client
	var wg sync.WaitGroup
	players, quit := context.WithCancel(ctx)
	defer quit()
	wg.Go(func() { client.RunAll(players, w.dialApp(c.App), plans, patience) }) // what came is in the entries
	if err := w.Begun(ctx, plans); err != nil {
		faults = append(faults, err)
	}
	pause(ctx, begun)
	at := time.Now()
	if err := c.Fault(ctx, w); err != nil {
		faults = append(faults, fmt.Errorf("the fault was not done: %w", err))
	}
	if c.Want == Die {
		faults = append(faults, w.over(ctx, &client, plans, at.Add(c.Ends)))
		quit() // who rests need not wake up to see that it is over
	} else {
		var err error
		row.Resumed, err = w.goOn(ctx)
		faults = append(faults, err)
		wg.Wait()
		faults = append(faults, w.over(ctx, &client, plans, time.Now().Add(5*time.Second)))
	}
	for _, p := range programs {
		grown, _ := p.Grown()
		row.Memory = max(row.Memory, grown)
	}
	if c.Heal != nil {
		faults = append(faults, c.Heal(ctx, w))
	}
	row.New, err = w.recovered(ctx, c.New+10*time.Second)
	wg.Wait()
	faults = append(faults, err)
	mine, theirs := w.entries(&client, plans)
	row.Tally = ledger.Sum(mine, theirs)
	row.Ended = max(row.Last.Sub(at), 0)
	row.Slow = row.judgeTimes()
	row.Faults = errors.Join(append(faults, row.judge())...)
	return row
}

// ready does what is to be done before the streams begin.
func (c Cause) ready(ctx context.Context, w *World) (after func(context.Context) error, err error) {
	if c.Before == nil {
		return func(context.Context) error { return nil }, nil
	}
	if after, err = c.Before(ctx, w); err != nil {
		return nil, fmt.Errorf("the fault was not made ready: %w", err)
	}
	return after, nil
}

// judge compares what came with what was wanted.
func (r Row) judge() error {
	errs := []error{r.Broken()}
	switch {
	case r.Cause.Want == Survive && r.Survived != r.Streams:
		errs = append(errs, fmt.Errorf("%d of %d streams survived: %v", r.Survived, r.Streams, r.Examples))
	case r.Cause.Want == Die && r.Reset != r.Streams:
		errs = append(errs, fmt.Errorf("%d of %d streams ended with a reset: %v", r.Reset, r.Streams, r.Examples))
	case r.Cause.Want == Die && r.Ended > r.Cause.Ends:
		errs = append(errs, fmt.Errorf("the last stream ended after %s, at most %s allowed", r.Ended.Round(time.Millisecond), r.Cause.Ends))
	}
	if r.New > r.Cause.New {
		errs = append(errs, fmt.Errorf("a new connection took %s, at most %s allowed", r.New.Round(time.Millisecond), r.Cause.New))
	}
	return errors.Join(errs...)
}

// judgeTimes says what came, but late.
func (r Row) judgeTimes() error {
	if limit := cmp.Or(r.Cause.Resume, 5*time.Second); r.Cause.Want == Survive && r.Resumed > limit {
		return fmt.Errorf("slow: streams went on after %s, at most %s wanted", r.Resumed.Round(time.Millisecond), limit)
	}
	return nil
}

// over waits until every direction has ended at both ends.
func (w *World) over(ctx context.Context, c *ledger.Client, plans []ledger.Plan, limit time.Time) error {
	for {
		mine, theirs := w.entries(c, plans)
		open := 0
		var example ledger.Entry
		for _, list := range [][]ledger.Entry{mine, theirs} {
			for _, e := range list {
				if e.End == ledger.EndOpen {
					open, example = open+1, e
				}
			}
		}
		if open == 0 {
			return nil
		}
		if time.Now().After(limit) || ctx.Err() != nil {
			return fmt.Errorf("%d directions have not ended, such as %s", open, example)
		}
		pause(ctx, 10*time.Millisecond)
	}
}
