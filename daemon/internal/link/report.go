package link

import (
	"context"
	"sync"

	"github.com/sallyport/sallyport/wire"
)

const (
	// reportBatch is how many reports go out before the edge has to show that
	// it reads: together they are far below wire.MaxLinkQueue, whose overflow
	// ends the link.
	reportBatch = 128
	// maxReports bounds what is kept for an edge that is away.
	maxReports = 16 << 10
)

// reports are the ends of streams that the edge is to be told.
type reports struct {
	mu    sync.Mutex
	queue []*wire.StreamEnded
	lost  int // not kept
	// more has one slot.
	more chan struct{}
}

func (r *reports) init() { r.more = make(chan struct{}, 1) }

// Report tells the edge that a stream is over, at a pace that the link bears.
// It does not wait.
func (l *Link) Report(m *wire.StreamEnded) {
	r := &l.reports
	r.mu.Lock()
	if len(r.queue) < maxReports {
		r.queue = append(r.queue, m)
	} else {
		r.lost++
	}
	r.mu.Unlock()
	signal(r.more)
}

func (r *reports) take(n int) []*wire.StreamEnded {
	r.mu.Lock()
	defer r.mu.Unlock()
	n = min(n, len(r.queue))
	batch := r.queue[:n:n]
	r.queue = r.queue[n:]
	if len(r.queue) == 0 {
		r.queue = nil // an idle link keeps no queue
	}
	return batch
}

// send writes reports until the instance ends. What is taken when it ends may
// be lost; the edge then knows from its own counts.
func (r *reports) send(ctx context.Context, inst *instance) {
	unheard := 0
	for {
		batch := r.take(reportBatch - unheard)
		for _, m := range batch {
			if inst.SendSoon(m) != nil {
				return
			}
		}
		unheard += len(batch)
		if unheard >= reportBatch {
			// The answer shows that the edge has read everything before it.
			if _, err := inst.Call(ctx, &wire.Ping{}); err != nil {
				return
			}
			unheard = 0
			continue
		}
		if len(batch) > 0 {
			continue
		}
		select {
		case <-r.more:
		case <-ctx.Done():
			return
		}
	}
}
