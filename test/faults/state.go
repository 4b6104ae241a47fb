//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/sallyport/sallyport/test/faults/durable"
	"github.com/sallyport/sallyport/test/harness"
)

// playState kills daemons and damages their databases.
func (o options) playState(ctx context.Context) (failed int, err error) {
	programs, err := harness.FindPrograms(ctx)
	if err != nil {
		return 0, err
	}
	dir, err := os.MkdirTemp("", "sp-state-")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	fmt.Fprintf(o.out, "\n%-46s %7s %7s %8s %6s %9s %6s\n", "fault of a daemon's state", "tried", "noticed", "changes", "lost", "slowest s", "took s")
	c := durable.Config{Program: programs.Daemon, Dir: dir, Seed: o.seed, Short: o.short}
	began := time.Now()
	durable.Play(ctx, c, o.run.MatchString, func(r durable.Row) {
		fmt.Fprintf(o.out, "%-46s %7d %7d %8d %6d %9.3f %6.0f %s\n", r.Name, r.Tried, r.Met, r.Changes, r.Lost, r.Slowest.Seconds(), time.Since(began).Seconds(), mark(r.Faults))
		if r.Faults != nil {
			failed++
		}
		began = time.Now()
	})
	return failed, err
}
