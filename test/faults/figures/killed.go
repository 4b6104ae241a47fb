//go:build linux

package figures

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/test/bench/load"
	"github.com/sallyport/sallyport/test/faults/causes"
	"github.com/sallyport/sallyport/test/faults/ledger"
	"github.com/sallyport/sallyport/test/faults/suite"
)

// edgeKilled is the cause of S2, with smaller streams, as there are many.
func edgeKilled() suite.Cause {
	all := causes.Causes()
	c := all[slices.IndexFunc(all, func(c suite.Cause) bool { return c.Name == causes.EdgeKilled })]
	c.Bulk = 8 << 20
	return c
}

// killedEdge plays that cause with more streams.
func killedEdge(ctx context.Context, w *suite.World) (string, error) {
	return killed(ctx, w, edgeKilled())
}

// killedUnresumed does the same to streams that do not wait for another way.
func killedUnresumed(ctx context.Context, w *suite.World) (string, error) {
	c := edgeKilled()
	c.App, c.Want, c.Ends = suite.RigidApp, suite.Die, 10*time.Second
	return killed(ctx, w, c)
}

func killed(ctx context.Context, w *suite.World, c suite.Cause) (string, error) {
	if _, err := w.Recovered(ctx, 10*time.Second); err != nil {
		return "", err
	}
	before := w.Holds()
	routines, err := w.Goroutines(ctx)
	if err != nil {
		return "", err
	}
	r := w.Play(ctx, c, 500)
	held, err := w.BackTo(ctx, before, 10*time.Second)
	now, gerr := goroutinesBack(ctx, w, routines)
	s, serr := w.Client().Status(ctx)
	err = errors.Join(r.Faults, err, gerr, serr)
	if !slices.ContainsFunc(s.Sessions, func(x api.Session) bool { return x.State == api.SessionActive }) {
		err = errors.Join(err, errors.New("the session is not there any more"))
	}
	came := fmt.Sprintf("%d survived, on after %.2f s", r.Survived, r.Resumed.Seconds())
	if c.Want == suite.Die {
		came = fmt.Sprintf("%d reset, the last after %.2f s", r.Reset, r.Ended.Seconds())
	}
	got := fmt.Sprintf("%d streams, %s; new after %.2f s; descriptors %d, %d before; the edge's goroutines %d, %d before",
		r.Streams, came, r.New.Seconds(), held.Descriptors, before.Descriptors, now, routines)
	if err == nil && c.Want == suite.Die && r.Ended > time.Second {
		err = &ShortError{"reset in 1 s"}
	}
	if err == nil && r.Slow != nil {
		err = &ShortError{r.Slow.Error()}
	}
	return got, err
}

// goroutinesBack waits until the edge has no more than before, but for a few.
func goroutinesBack(ctx context.Context, w *suite.World, before int) (int, error) {
	const few = 20 // warm trunks, idle connections to its web
	for end := time.Now().Add(10 * time.Second); ; {
		now, err := w.Goroutines(ctx)
		if err != nil || now <= before+few {
			return now, err
		}
		if time.Now().After(end) {
			return now, fmt.Errorf("the edge has %d goroutines, %d before", now, before)
		}
		if err := load.Wait(ctx, 200*time.Millisecond); err != nil {
			return now, err
		}
	}
}

// cycles cuts trunks and lanes under streams and lets new ones come, for a minute.
func cycles(ctx context.Context, w *suite.World) (string, error) {
	const lasts = 40 * time.Second
	if _, err := w.Recovered(ctx, 10*time.Second); err != nil {
		return "", err
	}
	before := w.Holds()
	var worst time.Duration
	count, streams := 0, 0
	for end := time.Now().Add(lasts); time.Now().Before(end); count++ {
		t, err := cycle(ctx, w)
		if err != nil {
			return "", fmt.Errorf("cycle %d: %w", count, err)
		}
		if err := survived(t); err != nil {
			return fmt.Sprintf("%d streams of %d cycles before", streams, count), fmt.Errorf("cycle %d: %w", count, err)
		}
		streams += t.Streams
		d, err := w.Recovered(ctx, 10*time.Second)
		if err != nil {
			return "", fmt.Errorf("cycle %d: %w", count, err)
		}
		worst = max(worst, d)
	}
	after, err := w.BackTo(ctx, before, 10*time.Second)
	grown := float64(after.Memory-before.Memory) / (1 << 20)
	if grown > 32 {
		err = errors.Join(err, fmt.Errorf("memory grew by %.1f MiB", grown))
	}
	return fmt.Sprintf("%d cycles of 1,000, all %d streams survived, new connection at most %.2f s, descriptors %+d, memory %+.1f MiB",
		count, streams, worst.Seconds(), after.Descriptors-before.Descriptors, grown), err
}

// cycle is one cut under a few streams.
func cycle(ctx context.Context, w *suite.World) (ledger.Tally, error) {
	plans := w.Plans(4, 64<<10, 300*time.Millisecond)
	done := make(chan ledger.Tally, 1)
	go func() { done <- w.Streams(ctx, plans, 30*time.Second) }() // ends with its streams
	err := w.Begun(ctx, plans)
	if err == nil {
		// A stream whose verdict has not come is not parked; the verdict of a younger
		// one comes after it.
		_, err = w.Recovered(ctx, 10*time.Second)
	}
	if err != nil {
		<-done
		return ledger.Tally{}, err
	}
	w.CutTrunks()
	return <-done, ctx.Err()
}

// survived says whether all streams of a tally did.
func survived(t ledger.Tally) error {
	if err := t.Broken(); err != nil {
		return err
	}
	if t.Survived != t.Streams {
		return fmt.Errorf("%d of %d streams survived: %v", t.Survived, t.Streams, t.Examples)
	}
	return nil
}
