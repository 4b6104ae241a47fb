//go:build linux

package suite

import (
	"context"
	"fmt"
	"time"

	"github.com/sallyport/sallyport/test/faults/ledger"
)

// goOn waits until every ping-pong stream that has not ended has gone on from
// where it is now, and says how long that took.
func (w *World) goOn(ctx context.Context) (time.Duration, error) {
	start := time.Now()
	before := map[uint32]uint64{}
	for _, e := range w.server.Entries() {
		if e.Kind == ledger.PingPong && e.End == ledger.EndOpen {
			before[e.Stream] = e.Received
		}
	}
	for len(before) > 0 {
		if ctx.Err() != nil || time.Since(start) > time.Minute {
			return time.Since(start), fmt.Errorf("%d streams have not gone on", len(before))
		}
		pause(ctx, 10*time.Millisecond)
		for _, e := range w.server.Entries() {
			if n, ok := before[e.Stream]; ok && (e.End != ledger.EndOpen || e.Received > n) {
				delete(before, e.Stream)
			}
		}
	}
	return time.Since(start), nil
}
