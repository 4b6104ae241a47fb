//go:build linux

package suite

import (
	"context"
	"time"

	"github.com/sallyport/sallyport/test/faults/ledger"
)

// Want is what must become of the streams that live when a fault comes.
type Want string

const (
	// Survive: every stream goes on, byte by byte.
	Survive Want = "survive"
	// Die: every stream ends with a reset, never with an EOF.
	Die Want = "reset"
)

// Cause is one fault of what carries streams.
type Cause struct {
	Name string
	Want Want
	// Ends bounds the time from the fault to the end of the last stream, where
	// streams die; Resume that from the end of the fault until they go on, where
	// they survive (0: five seconds), and is generous; New that until a new
	// connection works, from healing on.
	Ends, Resume, New time.Duration
	// Lasts is how long the streams last, Bulk how many bytes the large ones have.
	Lasts time.Duration
	Bulk  uint64
	// Streams is how many there are at most; 0: as many as asked for.
	Streams int
	// Ending: the streams send a little and come to their ends, FINs and resets of both
	// sides, when they have lasted; it leaves out Bulk.
	Ending bool
	// Slow says that it waits for a time limit; the short form leaves it out.
	Slow bool
	// App is the ledger's app that the streams are of; "": the first.
	App string
	// Before makes ready for it before the streams begin, and gives what takes that
	// back; nil: nothing is to be made ready.
	Before func(ctx context.Context, w *World) (after func(context.Context) error, err error)
	// Fault does it; Heal takes it back, nil: nothing is to be taken back.
	Fault func(ctx context.Context, w *World) error
	Heal  func(ctx context.Context, w *World) error
}

// Row is what came of a cause.
type Row struct {
	Cause Cause
	ledger.Tally
	// Ended is from the fault to the end of the last stream, New from healing to
	// the first new connection that worked.
	Ended, New time.Duration
	// Resumed is from the end of the fault until every ping-pong stream went on.
	Resumed time.Duration
	// Slow says what took longer than it should; nothing broke.
	Slow error
	// Memory is the most that any of the three programs grew by.
	Memory int64
	// Faults are what is wrong; empty is as it should be.
	Faults error
}
