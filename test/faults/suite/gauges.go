//go:build linux

package suite

import (
	"context"
	"path/filepath"

	"github.com/sallyport/sallyport/test/faults/gauge"
)

// watch watches one of the programs from now on, where nobody else does.
func (w *World) watch(name string, pid int) gauge.Process {
	gauge.ForgetPeak(pid)
	return w.alsoWatch(name, pid)
}

// alsoWatch watches beside others: peaks that were theirs count as well.
func (w *World) alsoWatch(name string, pid int) gauge.Process {
	return gauge.Watch(pid, filepath.Join(w.Dir, "logs", name+".log"))
}

// Decisions is how often the edge's policy was asked for tickets and streams.
func (w *World) Decisions(ctx context.Context) (float64, error) {
	return gauge.Metric(ctx, w.edge.Metrics, "sallyport_decisions_total{")
}

// Goroutines are those of the edge.
func (w *World) Goroutines(ctx context.Context) (int, error) {
	n, err := gauge.Metric(ctx, w.edge.Metrics, "go_goroutines")
	return int(n), err
}
