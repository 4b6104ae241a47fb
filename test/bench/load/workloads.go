//go:build linux

package load

import (
	"context"
	"time"

	"github.com/sallyport/sallyport/test/bench/table"
)

// Workload is one kind of measurement.
type Workload struct {
	Name string
	For  time.Duration
	Run  func(ctx context.Context, addr string, d time.Duration) (table.Figures, error)
}

// Slow is the workload of the slow network, played once.
const Slow = "wan.slow"

func bulkOf(n int, up bool) func(context.Context, string, time.Duration) (table.Figures, error) {
	return func(ctx context.Context, addr string, d time.Duration) (table.Figures, error) {
		return Bulk(ctx, addr, n, up, d)
	}
}

// with is f with n connections.
func with(f func(context.Context, string, int, time.Duration) (table.Figures, error), n int) func(context.Context, string, time.Duration) (table.Figures, error) {
	return func(ctx context.Context, addr string, d time.Duration) (table.Figures, error) {
		return f(ctx, addr, n, d)
	}
}

// touchOf opens at most limit connections, so that a fast path does not use all
// ports up.
func touchOf(n, limit int) func(context.Context, string, time.Duration) (table.Figures, error) {
	return func(ctx context.Context, addr string, d time.Duration) (table.Figures, error) {
		return Touch(ctx, addr, n, limit, d)
	}
}

// Workloads are those of goals that a loopback can show.
func Workloads() []Workload {
	return []Workload{
		{"up1", 2 * time.Second, bulkOf(1, true)},
		{"down1", 2 * time.Second, bulkOf(1, false)},
		{"up8", 2 * time.Second, bulkOf(8, true)},
		{"down8", 2 * time.Second, bulkOf(8, false)},
		{"up64", 3 * time.Second, bulkOf(64, true)},
		{"down64", 3 * time.Second, bulkOf(64, false)},
		{"ping1", 1500 * time.Millisecond, with(PingPong, 1)},
		{"ping64", 2 * time.Second, with(PingPong, 64)},
		{"beside", 3 * time.Second, with(Beside, 1)},
		{"conn1", 2 * time.Second, touchOf(1, 6000)},
		{"conn32", 2 * time.Second, touchOf(32, 9600)},
	}
}

// WAN are those of an emulated network.
func WAN() []Workload {
	return []Workload{
		// First: what has sent at 500 Mbit/s before takes a path of 2 for one of those.
		{Slow, 30 * time.Second, SlowUplink},
		{"wan.up1", 5 * time.Second, bulkOf(1, true)},
		{"wan.down1", 5 * time.Second, bulkOf(1, false)},
		{"wan.up8", 5 * time.Second, bulkOf(8, true)},
		{"wan.down8", 5 * time.Second, bulkOf(8, false)},
		{"wan.ping", 3 * time.Second, with(PingPong, 8)},
		{"wan.beside", 4 * time.Second, with(Beside, 8)},
	}
}
