//go:build linux

package suite

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sallyport/sallyport/test/faults/gauge"
	"github.com/sallyport/sallyport/test/faults/hostilepeer"
	"github.com/sallyport/sallyport/test/faults/ledger"
	"github.com/sallyport/sallyport/test/harness"
)

// Limits of what a hostile peer may cost (H1 of the goals).
const (
	maxMemory = 64 << 20
	maxLog    = 256 << 10
	// honestWait is how long a new honest connection may take meanwhile.
	honestWait = 2 * time.Second
)

// HostileRow is what came of one behaviour.
type HostileRow struct {
	hostilepeer.Result
	// Memory and Log are what the victim grew by.
	Memory, Log int64
	// Honest is how long a new connection of an honest client took after it.
	Honest time.Duration
	// Faults are what is wrong; empty is as it should be.
	Faults error
}

// restStages is how many hostile peers rest at once: what each of them waits for is a
// time limit, and two processors judge so many without being late.
const restStages = 4

// Hostile plays behaviours one after another, and those that rest some at once, beside
// an honest stream that must notice nothing, and gives a row for each.
func (w *World) Hostile(ctx context.Context, all []hostilepeer.Behaviour, each func(HostileRow)) error {
	stage, err := w.Stage(ctx)
	if err != nil {
		return err
	}
	busy, resting := apart(all)
	stages, err := w.Stages(ctx, min(restStages, len(resting)))
	if err != nil {
		return err
	}
	quiet, quit := context.WithCancel(ctx)
	defer quit()
	var honest ledger.Client
	plan := w.plan(ledger.PingPong, 1<<40, 1<<40, 10*1000*time.Hour)
	plan.Lasts = time.Duration(float64(plan.Up) / 64 * float64(50*time.Millisecond)) // one each 50 ms
	var wg sync.WaitGroup
	wg.Go(func() { honest.Run(quiet, w.dial, plan, time.Hour) })
	defer wg.Wait()
	defer quit()
	if err := w.settled(ctx, &honest, 0); err != nil {
		return err
	}
	for _, b := range busy {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		each(w.play(ctx, stage, b, &honest))
	}
	return w.playResting(ctx, stages, resting, &honest, each)
}

// apart parts those that rest from the others.
func apart(all []hostilepeer.Behaviour) (busy, resting []hostilepeer.Behaviour) {
	for _, b := range all {
		if b.Rests {
			resting = append(resting, b)
		} else {
			busy = append(busy, b)
		}
	}
	return busy, resting
}

// playResting plays behaviours on several stages at once.
func (w *World) playResting(ctx context.Context, stages []*hostilepeer.Stage, all []hostilepeer.Behaviour, honest *ledger.Client, each func(HostileRow)) error {
	for _, p := range []hostilepeer.Program{hostilepeer.TheEdge, hostilepeer.TheHost, hostilepeer.TheClient} {
		gauge.ForgetPeak(w.process(p).PID())
	}
	next := make(chan hostilepeer.Behaviour)
	var wg sync.WaitGroup
	var mu sync.Mutex // one row after the other
	for _, s := range stages {
		wg.Go(func() { // ends with next
			for b := range next {
				r := w.play(ctx, s, b, honest)
				mu.Lock()
				each(r)
				mu.Unlock()
			}
		})
	}
	defer wg.Wait()
	defer close(next)
	for _, b := range all {
		select {
		case next <- b:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

func (w *World) play(ctx context.Context, stage *hostilepeer.Stage, b hostilepeer.Behaviour, honest *ledger.Client) HostileRow {
	watch := w.watch
	if b.Rests { // with others, whose growth counts as its own, too
		watch = w.alsoWatch
	}
	victim := watch(string(b.Victim), w.process(b.Victim).PID())
	before := progress(honest)
	row := HostileRow{Result: stage.Play(ctx, b)}
	row.Memory, row.Log = victim.Grown()
	start := time.Now()
	err := w.works(ctx, 20*time.Second)
	row.Honest = time.Since(start)
	faults := []error{row.Err}
	if err != nil {
		faults = append(faults, fmt.Errorf("an honest client is served no more: %w", err))
	} else if row.Honest > honestWait {
		faults = append(faults, fmt.Errorf("an honest connection took %s", row.Honest.Round(time.Millisecond)))
	}
	if err := w.settled(ctx, honest, before); err != nil {
		faults = append(faults, err)
	}
	if row.Memory > maxMemory {
		faults = append(faults, fmt.Errorf("memory of the %s grew by %d MiB", b.Victim, row.Memory>>20))
	}
	if row.Log > max(maxLog, b.Log) {
		faults = append(faults, fmt.Errorf("log of the %s grew by %d KiB", b.Victim, row.Log>>10))
	}
	row.Faults = errors.Join(faults...)
	return row
}

func progress(c *ledger.Client) uint64 {
	var n uint64
	for _, e := range c.Entries() {
		n += e.Received
	}
	return n
}

// settled waits until the honest stream has gone on beyond a position.
func (w *World) settled(ctx context.Context, c *ledger.Client, beyond uint64) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		if t := ledger.Sum(c.Entries()); t.Reset > 0 || t.Lied > 0 || t.Faults.Total() > 0 {
			return fmt.Errorf("the honest stream ended: %v", t.Examples)
		}
		if progress(c) > beyond {
			return nil
		}
		pause(ctx, 10*time.Millisecond)
		if ctx.Err() != nil {
			return errors.New("the honest stream stands still")
		}
	}
}

// Stage is a place for hostile peers, with persons and keys of its own.
func (w *World) Stage(ctx context.Context) (*hostilepeer.Stage, error) { return w.stage(ctx, "evil") }

// stage is one whose hosts are of a group, which has claimed what it may where one of
// them has registered all that it could.
func (w *World) stage(ctx context.Context, group string) (*hostilepeer.Stage, error) {
	edge, err := w.Speaker()
	if err != nil {
		return nil, err
	}
	s := &hostilepeer.Stage{
		Edge:    edge,
		Browser: w.edge.Approve(w.mallory),
		Token: func(ctx context.Context) (string, error) {
			return w.edge.JoinToken(ctx, "*."+w.edge.Site, "--group", group)
		},
		App: echoApp, Evil: evilApp, Forward: w.evilForward,
		OriginConns: w.echoConns.Load, OriginBytes: w.echoBytes.Load,
		CutStream: func(ctx context.Context, id string) error { return w.edge.Run(ctx, "stream", "cut", id).Err() },
		Honest:    w.honest,
	}
	if err := s.Prepare(ctx); err != nil {
		return nil, fmt.Errorf("prepare the hostile peers: %w", err)
	}
	return s, nil
}

// Stages are n of them, each with a hostname and a forward of its own, so that
// what is played on one does not wait for another.
func (w *World) Stages(ctx context.Context, n int) ([]*hostilepeer.Stage, error) {
	all := make([]*hostilepeer.Stage, n)
	for i := range all {
		s, err := w.stage(ctx, fmt.Sprintf("evil-%d", i))
		if err != nil {
			return nil, err
		}
		s.Evil = fmt.Sprintf("evil-%d.%s", i, w.edge.Site)
		if s.Forward, err = w.forwardTo(ctx, s.Evil); err != nil {
			return nil, err
		}
		all[i] = s
	}
	return all, nil
}

// forwardTo adds an app that everybody may use, and the client's forward to it,
// where they are not there yet.
func (w *World) forwardTo(ctx context.Context, app string) (addr string, err error) {
	if addr := w.extra[app]; addr != "" {
		return addr, nil
	}
	if err := w.edge.AddApp(ctx, app, "--allow", "domain:site.com"); err != nil {
		return "", err
	}
	port, err := harness.FreePort(0)
	if err != nil {
		return "", err
	}
	if err := w.client.Ctl(ctx, "forward", "add", app, fmt.Sprintf("localhost:%d", port)).Err(); err != nil {
		return "", err
	}
	addr = fmt.Sprintf("127.0.0.1:%d", port)
	if w.extra == nil {
		w.extra = map[string]string{}
	}
	w.extra[app] = addr
	return addr, nil
}

// honest names the oldest stream of the ledger.
func (w *World) honest(ctx context.Context) (trunk, stream string, err error) {
	var list []struct{ ID, Trunk, Hostname string }
	if err := w.edge.JSON(ctx, &list, "stream", "list"); err != nil {
		return "", "", err
	}
	for _, s := range list {
		if s.Hostname == ledgerApp {
			return s.Trunk, s.ID, nil
		}
	}
	return "", "", errors.New("no honest stream lives")
}
