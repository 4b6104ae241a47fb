package main

import (
	"context"
	"sync"
	"time"

	"github.com/sallyport/sallyport/edge/internal/audit"
	"github.com/sallyport/sallyport/internal/osservice"
)

// leaving is an administrator's word that the edge is to leave.
type leaving struct {
	asked chan time.Time // one slot

	mu       sync.Mutex
	deadline time.Time // the first that was asked for; guarded by mu
}

// ask has the edge leave at the deadline; the first one counts.
func (l *leaving) ask(deadline time.Time) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.deadline.IsZero() {
		l.deadline = deadline
		l.asked <- deadline
	}
	return l.deadline
}

// stopTime is what an edge may take to end once it has drained.
const stopTime = 30 * time.Second

// leave waits until the edge is told to end, by told or by an administrator, and
// drains it. It returns when nothing is to be waited for any more, or with ctx.
func (r *rooms) leave(told, ctx context.Context) {
	grace := func() time.Time { return time.Now().Add(r.settings.Load().Drain.Deadline) }
	var deadline time.Time
	select {
	case <-ctx.Done():
		return
	case <-told.Done():
		deadline = grace()
	case deadline = <-r.leaving.asked:
	}
	r.metrics.SetReady(false)
	r.tellManager(func() error { return osservice.Stopping(time.Until(deadline) + stopTime) })
	r.log.Info("edge drains", "deadline", deadline.UTC(), "streams", r.relay.Links().Streams)
	r.audit.Note(audit.Record{Event: audit.EventEdgeDrains, Outcome: audit.OK})
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// A signal while an administrator's deadline runs shortens it.
	defer context.AfterFunc(told, func() {
		select {
		case <-time.After(time.Until(grace())):
			cancel()
		case <-ctx.Done():
		}
	})()
	r.relay.Drain(ctx, deadline)
}
