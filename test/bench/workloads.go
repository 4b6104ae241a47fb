//go:build linux

package main

import (
	"context"
	"time"

	"github.com/sallyport/sallyport/test/bench/table"
)

// workload is one kind of measurement. Its figures are kept per path, and as
// "cpu" (all processes) and "cpu.ROLE" in seconds per GB where bytes are moved,
// else in microseconds per operation.
type workload struct {
	name string
	d    time.Duration
	run  func(ctx context.Context, addr string, d time.Duration) (table.Figures, error)
}

// workloads are those of goals that a loopback can show.
func workloads() []workload {
	bulkOf := func(n int, up bool) func(context.Context, string, time.Duration) (table.Figures, error) {
		return func(ctx context.Context, addr string, d time.Duration) (table.Figures, error) {
			return bulk(ctx, addr, n, up, d)
		}
	}
	return []workload{
		{"up1", 2 * time.Second, bulkOf(1, true)},
		{"down1", 2 * time.Second, bulkOf(1, false)},
		{"up8", 2 * time.Second, bulkOf(8, true)},
		{"down8", 2 * time.Second, bulkOf(8, false)},
		{"up64", 3 * time.Second, bulkOf(64, true)},
		{"down64", 3 * time.Second, bulkOf(64, false)},
		{"ping1", 1500 * time.Millisecond, func(ctx context.Context, addr string, d time.Duration) (table.Figures, error) {
			return pingpong(ctx, addr, 1, d)
		}},
		{"ping64", 2 * time.Second, func(ctx context.Context, addr string, d time.Duration) (table.Figures, error) {
			return pingpong(ctx, addr, 64, d)
		}},
		{"beside", 3 * time.Second, func(ctx context.Context, addr string, d time.Duration) (table.Figures, error) {
			return pingpongBeside(ctx, addr, 1, d)
		}},
		{"conn1", 2 * time.Second, func(ctx context.Context, addr string, d time.Duration) (table.Figures, error) {
			return touch(ctx, addr, 1, 6000, d)
		}},
		{"conn32", 2 * time.Second, func(ctx context.Context, addr string, d time.Duration) (table.Figures, error) {
			return touch(ctx, addr, 32, 9600, d)
		}},
	}
}
