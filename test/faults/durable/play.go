//go:build linux

package durable

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Config is what Play needs; all of it.
type Config struct {
	Program string // sallyportd
	Dir     string // for scratch
	Seed    uint64
	Short   bool // a few tries of each, beside other load: times are not judged
}

// Row is what came of one play.
type Row struct {
	Name string
	// Tried is how often, Met how often the fault was noticed by the daemon.
	Tried, Met int
	// Changes were acknowledged; Lost of them were gone, or came back, later.
	Changes, Lost int
	// Slowest is from a start until the daemon answered.
	Slowest time.Duration
	// Faults are what is wrong; nil is as it should be.
	Faults error
	// untimed: how long a start took is told, not judged, beside other load.
	untimed bool
}

func (r *Row) fault(format string, a ...any) {
	if r.Faults == nil { // one example is enough
		r.Faults = fmt.Errorf(format, a...)
	}
}

func (r *Row) ready(took, limit time.Duration) {
	r.Slowest = max(r.Slowest, took)
	if took > limit && !r.untimed {
		r.fault("ready after %s, at most %s wanted", took.Round(time.Millisecond), limit)
	}
}

// Limits of goals D1, D4 and D7. A damaged database is read more than once.
const (
	readyWithin  = time.Second
	healedWithin = 3 * time.Second
	leavesWithin = 3 * time.Second
)

// plays are the names, how often, and what they do.
func plays() []play {
	return []play{
		{"D1 daemon killed with -9 under changes", 1000, killed},
		{"D6 daemon killed in its very first start", 1000, killedFirst},
		{"D4 database damaged in six ways", 240, damaged},
		{"D7 second daemon on one state directory", 2, second},
	}
}

type play struct {
	name  string
	tries int
	do    func(ctx context.Context, c Config, rng *rand.Rand, h home, r *Row) error
}

// Play runs the plays whose name matches, and tells each row.
func Play(ctx context.Context, c Config, match func(string) bool, tell func(Row)) {
	for i, p := range plays() {
		if !match(p.name) || ctx.Err() != nil {
			continue
		}
		r := Row{Name: p.name, Tried: p.tries, untimed: c.Short}
		if c.Short {
			r.Tried = min(p.tries, max(12, p.tries/50)) // each kind of damage twice
		}
		h := home(filepath.Join(c.Dir, fmt.Sprintf("d%d", i)))
		err := os.MkdirAll(string(h), 0o700)
		if err == nil {
			err = p.do(ctx, c, rand.New(rand.NewPCG(c.Seed, uint64(i))), h, &r)
		}
		r.Faults = errors.Join(r.Faults, err, os.RemoveAll(string(h)))
		tell(r)
	}
}

// ledger is what was acknowledged, and what may or may not have been done.
type ledger struct {
	mu      sync.Mutex
	have    map[string]string // by id
	doubted map[string]bool   // ids whose removal was not answered
	open    int               // additions that were not answered
	changes int
}

// killed lets writers add and remove forwards and kills the daemon meanwhile.
func killed(ctx context.Context, c Config, rng *rand.Rand, h home, r *Row) error {
	l := ledger{have: map[string]string{}}
	d, _, _, err := start(ctx, c.Program, h)
	if err != nil {
		return err
	}
	if err := furnish(ctx, d, 0); err != nil {
		d.kill()
		return err
	}
	for try := range r.Tried {
		l.doubted, l.open = map[string]bool{}, 0
		var writers sync.WaitGroup
		for w := range 4 {
			writers.Go(func() { l.write(ctx, d, rand.New(rand.NewPCG(c.Seed, uint64(4*try+w)))) })
		}
		<-time.After(time.Duration(rng.Int64N(int64(60 * time.Millisecond)))) // any moment
		d.kill()
		writers.Wait()
		next, status, took, err := start(ctx, c.Program, h)
		if err != nil {
			return fmt.Errorf("start after kill %d: %w", try+1, err)
		}
		d = next
		r.ready(took, readyWithin)
		if len(status.Problems) > 0 && strings.Contains(status.Problems[0].Detail, "database") {
			r.fault("a kill has damaged the database: %v", status.Problems[0])
		}
		r.Lost += l.compare(settings(status.Forwards), r)
	}
	r.Changes = l.changes
	d.kill()
	return nil
}

// write changes things until the daemon is gone.
func (l *ledger) write(ctx context.Context, d *daemon, rng *rand.Rand) {
	for {
		l.mu.Lock()
		id := ""
		if len(l.have) > 40 || len(l.have) > 0 && rng.IntN(3) == 0 {
			ids := slices.Sorted(maps.Keys(l.have))
			id = ids[rng.IntN(len(ids))]
			if l.doubted[id] {
				id = ""
			} else {
				l.doubted[id] = true
			}
		}
		if id == "" {
			l.open++
		}
		l.mu.Unlock()
		if id != "" {
			if d.client.RemoveForward(ctx, id) != nil {
				return
			}
			l.mu.Lock()
			delete(l.have, id)
			delete(l.doubted, id)
			l.changes++
			l.mu.Unlock()
			continue
		}
		f, err := d.add(ctx, rng.IntN(1<<30))
		if err != nil && !strings.Contains(err.Error(), "in use") {
			return
		}
		l.mu.Lock()
		l.open--
		if err == nil {
			l.have[f.ID] = value(f)
			l.changes++
		}
		l.mu.Unlock()
	}
}

// compare holds what is there against what was acknowledged, and takes what is
// there as the truth of the next try.
func (l *ledger) compare(is map[string]string, r *Row) (lost int) {
	for id, want := range l.have {
		if got, ok := is[id]; got != want && (ok || !l.doubted[id]) {
			lost++
			r.fault("forward %s is %q, acknowledged was %q", id, got, want)
		}
	}
	more := 0
	for id := range is {
		if _, ok := l.have[id]; !ok {
			more++
		}
	}
	if more > l.open {
		lost += more - l.open
		r.fault("%d forwards more than were asked for", more-l.open)
	}
	l.have = is
	return lost
}

// killedFirst kills a daemon that has never run, at any moment of its start; the
// next start must find nothing wrong.
func killedFirst(ctx context.Context, c Config, rng *rand.Rand, h home, r *Row) error {
	usual := 100 * time.Millisecond
	for try := range r.Tried + 1 {
		if err := errors.Join(os.RemoveAll(string(h)), os.MkdirAll(string(h), 0o700)); err != nil {
			return err
		}
		if try > 0 {
			d, err := begin(c.Program, h, h.socket())
			if err != nil {
				return err
			}
			<-time.After(time.Duration(rng.Int64N(int64(usual)))) // any moment
			d.kill()
		}
		if _, err := os.Stat(h.state()); try > 0 && err == nil {
			r.Met++ // it had begun to write
		}
		d, status, took, err := start(ctx, c.Program, h)
		if err != nil {
			return fmt.Errorf("start after kill %d: %w", try, err)
		}
		if try == 0 {
			usual = took * 5 / 4
		}
		r.ready(took, readyWithin)
		if err := furnish(ctx, d, 1); err != nil {
			r.fault("a change after the start: %w", err)
		} else {
			r.Changes++
		}
		for _, p := range status.Problems {
			if strings.Contains(p.Detail, "database") {
				r.fault("the next start says: %s", p.Detail)
			}
		}
		d.kill()
	}
	return nil
}

// second starts a daemon where another one is.
func second(ctx context.Context, c Config, _ *rand.Rand, h home, r *Row) error {
	first, _, _, err := start(ctx, c.Program, h)
	if err != nil {
		return err
	}
	defer first.kill()
	for range r.Tried {
		began := time.Now()
		d, err := begin(c.Program, h, h.socket()+"2")
		if err != nil {
			return err
		}
		select {
		case <-d.done:
		case <-time.After(patience):
			d.kill()
		}
		took := time.Since(began)
		r.Slowest = max(r.Slowest, took)
		said := d.said.String()
		switch {
		case took > leavesWithin:
			r.fault("it left after %s", took.Round(time.Millisecond))
		case d.cmd.ProcessState.ExitCode() <= 0:
			r.fault("it left with code %d", d.cmd.ProcessState.ExitCode())
		case !strings.Contains(said, "uses this state directory") || !strings.Contains(said, fmt.Sprintf("pid %d", first.cmd.Process.Pid)):
			r.fault("it does not say who has the directory: %s", said)
		default:
			r.Met++
		}
		if _, err := first.client.Status(ctx); err != nil {
			r.fault("the first daemon: %w", err)
		}
	}
	return nil
}
