//go:build linux

package causes

import (
	"context"
	"errors"
	"time"

	"github.com/sallyport/sallyport/test/bench/load"
	"github.com/sallyport/sallyport/test/faults/suite"
)

// WebCauses are all that are played in WebSockets. What a connection there is
// nobody sees from outside, so that all of a daemon are cut at once.
func WebCauses() []suite.FarCause {
	const some, whole = 200_000_000, 1_000_000_000
	web := func(c suite.Cause) suite.FarCause { return suite.FarCause{Cause: c, Copy: some} }
	cuts := func(name string, resume time.Duration, fault func(context.Context, *suite.World) error) suite.FarCause {
		// A daemon tries the direct form again at times, which costs seconds here.
		c := web(busy(2, suite.Cause{Name: name, Resume: resume, New: 10 * time.Second, Fault: fault}))
		c.Bulk = 8 << 20 // they share two cores with others
		return c
	}
	// quiet are those that last long by themselves.
	quiet := func(name string, resume time.Duration, fault func(context.Context, *suite.World) error) suite.FarCause {
		c := cuts(name, resume, fault)
		c.Lasts, c.Copy = 40*time.Second, whole
		return c
	}
	// A hundred are a crowd, which shares its trunk.
	lanes := cuts("all of the client cut, streams in lanes", 10*time.Second, inLanes(cut(false, nil)))
	lanes.Streams, lanes.Bulk = 6, 32<<20
	return []suite.FarCause{
		lanes,
		cuts("all of the client cut", 10*time.Second, cut(false, nil)),
		cuts("all of the host cut", 10*time.Second, cut(true, nil)),
		cuts("edge killed with -9, and restarted", 15*time.Second, during(2*time.Second, killEdge, startEdge)),
		cuts("edge ended by SIGTERM, and restarted", 15*time.Second, restartEdge),
		quiet("silent middle at the client, 20 s", trunkDead, during(20*time.Second, hole(false), healAll)),
		quiet("client paused for 30 s", trunkDead, paused(theClient, 30*time.Second)),
	}
}

// inLanes does a fault once streams have moved to lanes.
func inLanes(fault func(context.Context, *suite.World) error) func(context.Context, *suite.World) error {
	return func(ctx context.Context, w *suite.World) error {
		for end := time.Now().Add(10 * time.Second); ; load.Wait(ctx, 100*time.Millisecond) {
			n, err := w.Lanes(ctx)
			if err != nil || n > 0 {
				return errors.Join(err, fault(ctx, w))
			}
			if ctx.Err() != nil || time.Now().After(end) {
				return errors.New("no stream came to a lane")
			}
		}
	}
}
