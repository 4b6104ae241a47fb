//go:build linux

// Program faults plays faults on the real programs and prints a table: what was
// done, how many streams there were and survived, bytes lost, seconds until it
// was over, memory. It exits with 1 where one is not as it should be.
//
//	faults [-causes] [-network] [-hostile] [-figures] [-state] [-streams 100] [-run REGEXP] [-short] [-seed N] [-v]
//
// Without -causes, -network, -hostile, -figures or -state it plays all five.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/sallyport/sallyport/test/faults/causes"
	"github.com/sallyport/sallyport/test/faults/figures"
	"github.com/sallyport/sallyport/test/faults/hostilepeer"
	"github.com/sallyport/sallyport/test/faults/machine"
	"github.com/sallyport/sallyport/test/faults/suite"
	"github.com/sallyport/sallyport/test/harness"
)

type options struct {
	causes, network, hostile, figures, state, short, verbose bool
	// inside: this is the child in a network namespace of its own.
	inside  bool
	streams int
	seed    uint64
	run     *regexp.Regexp
	// fell counts what broke nothing and fell short of a promised figure.
	fell *int
	out  io.Writer
}

func main() {
	if machine.InChild() {
		return
	}
	o := options{fell: new(int), out: os.Stdout}
	flag.BoolVar(&o.causes, "causes", false, "only faults of what lies between")
	flag.BoolVar(&o.network, "network", false, "only faults of a network between client and edge (root)")
	flag.BoolVar(&o.inside, "inside", false, "for the program's own child")
	flag.BoolVar(&o.hostile, "hostile", false, "only hostile peers")
	flag.BoolVar(&o.figures, "figures", false, "only what is promised in numbers (S1 to S7, H1 to H3, H5 to H7, H9, L1 to L3, L7)")
	flag.BoolVar(&o.state, "state", false, "only kills and damage of a daemon's state")
	flag.BoolVar(&o.short, "short", false, "leave out what waits for time limits")
	flag.BoolVar(&o.verbose, "v", false, "print the programs' logs where something is wrong")
	flag.IntVar(&o.streams, "streams", 100, "streams at a fault")
	flag.Uint64Var(&o.seed, "seed", uint64(time.Now().UnixNano())%1_000_000, "decides what chance does")
	run := flag.String("run", "", "only faults whose name matches")
	flag.Parse()
	var err error
	if o.run, err = regexp.Compile(*run); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if !o.causes && !o.network && !o.hostile && !o.figures && !o.state {
		o.causes, o.network, o.hostile, o.state, o.figures = true, true, true, true, !o.short
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	if o.inside {
		os.Exit(o.playInside(ctx))
	}
	failed, err := o.play(ctx)
	stop()
	if rerr := harness.RemovePrograms(); rerr != nil {
		err = errors.Join(err, rerr)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
	}
	if err != nil || failed > 0 {
		fmt.Printf("\n%d faults are not borne as they should be; %d figures fell short\n", failed, *o.fell)
		os.Exit(1)
	}
	fmt.Println("\n" + o.verdict())
}

// verdict is the last line where nothing broke.
func (o options) verdict() string {
	switch *o.fell {
	case 0:
		return "all as it should be"
	case 1:
		return "nothing broke; 1 figure fell short"
	}
	return fmt.Sprintf("nothing broke; %d figures fell short", *o.fell)
}

func (o options) play(ctx context.Context) (failed int, err error) {
	fmt.Printf("seed %d\n", o.seed)
	if o.causes || o.figures {
		failed, err = o.playLoopback(ctx, false)
	}
	n, werr := o.playWaiting(ctx)
	return failed + n, errors.Join(err, werr)
}

// part is some of the faults, and whether they are wanted.
type part struct {
	wanted bool
	play   func(options, context.Context) (failed int, err error)
}

// playWaiting plays what is no less true beside others, most of whose time is waiting:
// faults of a network; those of a daemon's state and hostile peers; those of a loopback
// that wait for time limits, and those in WebSockets.
func (o options) playWaiting(ctx context.Context) (failed int, err error) {
	lanes := [][]part{
		{{o.network, options.playNetwork}},
		{{o.state, options.playState}, {o.hostile, options.playHostile}},
		{{o.causes || o.figures, options.playResting}, {o.causes && !o.short, options.playWeb}, {len(o.far()) > 0, options.playFarFigures}},
	}
	type came struct {
		printed      bytes.Buffer
		failed, fell int
		took         time.Duration
		err          error
	}
	began := time.Now()
	all := make([]came, len(lanes))
	var wg sync.WaitGroup
	for i, lane := range lanes {
		mine, x := o, &all[i]
		mine.out, mine.fell = &x.printed, &x.fell
		wg.Go(func() {
			for _, p := range lane {
				if !p.wanted || ctx.Err() != nil {
					continue
				}
				n, err := p.play(mine, ctx)
				x.failed, x.err = x.failed+n, errors.Join(x.err, err)
			}
			x.took = time.Since(began)
		})
	}
	wg.Wait()
	for i := range all {
		if all[i].printed.Len() > 0 {
			fmt.Fprintf(o.out, "\nbeside each other, lane %d of %d, in %s\n", i+1, len(all), all[i].took.Round(time.Second))
		}
		o.out.Write(all[i].printed.Bytes())
		failed += all[i].failed
		*o.fell += all[i].fell
		err = errors.Join(err, all[i].err)
	}
	return failed, err
}

// onLoopback plays in a World of its own.
func (o options) onLoopback(ctx context.Context, play func(*suite.World) (failed int, err error)) (failed int, err error) {
	dir, err := os.MkdirTemp("", "sp-faults-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	w, err := suite.Open(ctx, dir, o.seed)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	failed, err = play(w)
	if failed > 0 && o.verbose {
		fmt.Fprintln(os.Stderr, w.Logs())
	}
	return failed, err
}

// playLoopback plays causes and figures of a loopback: those that rest, or the others.
func (o options) playLoopback(ctx context.Context, rest bool) (failed int, err error) {
	var some []suite.Cause
	if o.causes {
		some = slices.DeleteFunc(causes.Causes(), func(c suite.Cause) bool { return c.Slow != rest || !o.plays(c) })
	}
	figures := o.figuresOf(func(f figures.Figure) bool { return !f.Far && f.Rests == rest })
	if len(some)+len(figures) == 0 {
		return 0, nil
	}
	return o.onLoopback(ctx, func(w *suite.World) (failed int, err error) {
		return o.playCauses(ctx, w, some) + o.playFigures(ctx, w, figures), nil
	})
}

// playResting plays those of them that rest.
func (o options) playResting(ctx context.Context) (failed int, err error) {
	return o.playLoopback(ctx, true)
}

// figuresOf are the figures of a kind that are to be played.
func (o options) figuresOf(kind func(figures.Figure) bool) []figures.Figure {
	if !o.figures {
		return nil
	}
	return slices.DeleteFunc(figures.All(), func(f figures.Figure) bool { return !kind(f) || !o.run.MatchString(f.ID+" "+f.What) })
}

// far are the figures that are to be played on a network.
func (o options) far() []figures.Figure {
	return o.figuresOf(func(f figures.Figure) bool { return f.Far })
}

// playFigures prints a row for each figure.
func (o options) playFigures(ctx context.Context, w *suite.World, some []figures.Figure) (failed int) {
	if len(some) == 0 {
		return 0
	}
	fmt.Fprintf(o.out, "\n%-4s %s\n", "id", "figure (scale, what it took): what came")
	for _, f := range some {
		if ctx.Err() != nil {
			return failed + 1
		}
		began := time.Now()
		got, err := f.Play(ctx, w)
		fmt.Fprintf(o.out, "%-4s %s (%s, %.0f s): %s %s\n", f.ID, f.What, f.Scale, time.Since(began).Seconds(), got, mark(err))
		var short *figures.ShortError
		switch {
		case errors.As(err, &short):
			*o.fell++
		case err != nil:
			failed++
		}
	}
	return failed
}

func (o options) playHostile(ctx context.Context) (failed int, err error) {
	var some []hostilepeer.Behaviour
	for _, b := range hostilepeer.Behaviours() {
		if !(b.Slow() && o.short) && o.run.MatchString(b.Name) {
			some = append(some, b)
		}
	}
	if len(some) == 0 {
		return 0, nil
	}
	fmt.Fprintf(o.out, "\n%-54s %-9s %-7s %-8s %7s %9s %8s %9s\n", "hostile peer", "who", "against", "outcome", "after s", "grown MiB", "log KiB", "others s")
	return o.onLoopback(ctx, func(w *suite.World) (failed int, err error) {
		err = w.Hostile(ctx, some, func(r suite.HostileRow) {
			fmt.Fprintf(o.out, "%-54s %-9s %-7s %-8s %7.2f %9.1f %8.1f %9.2f %s\n", r.Behaviour.Name, r.Behaviour.Actor, r.Behaviour.Victim, r.Outcome,
				r.After.Seconds(), float64(r.Memory)/(1<<20), float64(r.Log)/1024, r.Honest.Seconds(), mark(r.Faults))
			if r.Faults != nil {
				failed++
			}
		})
		return failed, err
	})
}

func mark(err error) string {
	if err == nil {
		return ""
	}
	return "<-- " + err.Error()
}
