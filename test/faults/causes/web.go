//go:build linux

package causes

import (
	"context"
	"time"

	"github.com/sallyport/sallyport/test/faults/suite"
)

// WebCauses are all that are played in WebSockets. What a connection there is
// nobody sees from outside, so that all of a daemon are cut at once.
func WebCauses() []suite.FarCause {
	web := func(c suite.Cause) suite.FarCause { return suite.FarCause{Cause: c, Copy: 200_000_000} }
	cuts := func(name string, resume time.Duration, fault func(context.Context, *suite.World) error) suite.FarCause {
		// A daemon tries the direct form again at times, which costs seconds here.
		return web(half(suite.Cause{Name: name, Resume: resume, New: 10 * time.Second, Fault: fault}))
	}
	return []suite.FarCause{
		cuts("all of the client cut", 10*time.Second, cut(false, nil)),
		cuts("all of the host cut", 10*time.Second, cut(true, nil)),
		cuts("edge killed with -9, and restarted", 15*time.Second, during(2*time.Second, killEdge, startEdge)),
	}
}
