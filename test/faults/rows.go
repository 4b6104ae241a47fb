//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/sallyport/sallyport/test/faults/causes"
	"github.com/sallyport/sallyport/test/faults/services"
	"github.com/sallyport/sallyport/test/faults/suite"
)

func (o options) heading(what string) {
	fmt.Fprintf(o.out, "\n%-46s %7s %8s %6s %6s %6s %8s %7s %8s %7s %8s %6s\n", what, "streams", "survived", "reset", "lost B", "lies", "MiB", "ended s", "resume s", "new s", "grown MiB", "took s")
}

// print prints a row whose playing began at a time, and counts it.
func (o options) print(r suite.Row, began time.Time, beside string) (failed int) {
	goesOn := r.Cause.Want == suite.Survive && !r.Cause.Ending
	fmt.Fprintf(o.out, "%-46s %7d %8d %6d %6d %6d %8.1f %s %s %7.2f %8.1f %6.0f %s%s\n", r.Cause.Name, r.Streams, r.Survived, r.Reset, r.Tally.Faults.Total(), r.Lied,
		float64(r.Bytes)/(1<<20), seconds(7, r.Ended, !goesOn), seconds(8, r.Resumed, goesOn), r.New.Seconds(),
		float64(r.Memory)/(1<<20), time.Since(began).Seconds(), beside, mark(errors.Join(r.Faults, r.Slow)))
	switch {
	case r.Faults != nil:
		return 1
	case r.Slow != nil:
		*o.fell++
	}
	return 0
}

func (o options) playCauses(ctx context.Context, w *suite.World, some []suite.Cause) (failed int) {
	if len(some) == 0 {
		return 0
	}
	o.heading("fault")
	for _, c := range some {
		if ctx.Err() != nil {
			return failed + 1
		}
		began := time.Now()
		failed += o.print(w.Play(ctx, c, o.streams), began, "")
	}
	return failed
}

// playWeb plays those of WebSockets in a World of their own.
func (o options) playWeb(ctx context.Context) (failed int, err error) {
	all := causes.WebCauses()
	if !o.any(all) {
		return 0, nil
	}
	dir, err := os.MkdirTemp("", "sp-faults-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	w, behind, err := suite.OpenWeb(ctx, dir, o.seed)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	failed = o.playBeside(ctx, w, "in WebSockets, behind "+behind, all)
	if failed > 0 && o.verbose {
		fmt.Fprintln(os.Stderr, w.Logs())
	}
	return failed, err
}

// playBeside plays causes with pgbench, ssh and scp beside the streams.
func (o options) playBeside(ctx context.Context, w *suite.World, what string, all []suite.FarCause) (failed int) {
	if !o.any(all) {
		return 0
	}
	if err := services.Missing(); err != nil {
		fmt.Fprintln(o.out, "\npgbench, ssh and scp are left out:", err)
	}
	o.heading(what)
	for _, c := range all {
		if ctx.Err() != nil {
			return failed + 1
		}
		if !o.plays(c.Cause) {
			continue
		}
		began := time.Now()
		r := w.PlayFar(ctx, c, o.streams)
		failed += o.print(r.Row, began, beside(r.Services)+" ")
	}
	return failed
}

func (o options) plays(c suite.Cause) bool { return !(c.Slow && o.short) && o.run.MatchString(c.Name) }

func (o options) any(all []suite.FarCause) bool {
	for _, c := range all {
		if o.plays(c.Cause) {
			return true
		}
	}
	return false
}

// seconds is a column of so many characters, "-" where it has no meaning.
func seconds(width int, d time.Duration, shown bool) string {
	if !shown {
		return fmt.Sprintf("%*s", width, "-")
	}
	return fmt.Sprintf("%*.2f", width, d.Seconds())
}
