//go:build linux

package causes

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sallyport/sallyport/test/bench/load"
	"github.com/sallyport/sallyport/test/faults/impair"
	"github.com/sallyport/sallyport/test/faults/suite"
)

// laneCauses are faults of lanes, to which bulk streams have moved. Of more streams too
// many would have one; they come first, since a crowd keeps its trunk without lanes for a
// while.
func laneCauses() []suite.Cause {
	all := []suite.Cause{
		busy(1, suite.Cause{Name: "lanes alone cut, of client and host, 6 times", Fault: lanesCut}),
		busy(2, suite.Cause{Name: "the client's trunks alone cut, lanes live", New: soon, Fault: cut(false, suite.IsTrunk)}),
		busy(2, suite.Cause{Name: "lanes cut while they are made, for 8 s", Lasts: 14 * time.Second, Fault: lanesUnmade, Heal: healAll}),
	}
	for i := range all {
		all[i].Streams = 6
	}
	return all
}

// lanesCut cuts the lanes of one daemon, then those of the other, and lets streams
// come to new ones in between.
func lanesCut(ctx context.Context, w *suite.World) error {
	for i := range 6 {
		p := w.Proxy()
		if i%2 == 1 {
			p = w.HostProxy()
		}
		if err := await(ctx, p); err != nil {
			return fmt.Errorf("before cut %d: %w", i+1, err)
		}
		p.Cut(suite.IsLane)
	}
	return nil
}

// await waits until a daemon has lanes, and a moment more.
func await(ctx context.Context, p *impair.Proxy) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for !someLane(p) {
		load.Wait(ctx, 20*time.Millisecond)
		if ctx.Err() != nil {
			return errors.New("no stream came to a lane")
		}
	}
	load.Wait(ctx, 300*time.Millisecond)
	return nil
}

func someLane(p *impair.Proxy) bool {
	for _, c := range p.Conns() {
		if suite.IsLane(c) {
			return true
		}
	}
	return false
}

// unmadeAt are the bytes from a daemon after which a lane is cut: within its
// hello, its handshake, its ATTACH and the first of its stream.
var unmadeAt = []uint64{1, 800, 1600, 2200, 2600, 3200, 8 << 10}

// lanesUnmade cuts the lanes that there are, and for a while each new one somewhere
// in its making.
func lanesUnmade(ctx context.Context, w *suite.World) error {
	if err := await(ctx, w.Proxy()); err != nil {
		return err
	}
	for _, p := range []*impair.Proxy{w.Proxy(), w.HostProxy()} {
		p.Filter(func(c *impair.Conn) bool {
			up, _ := c.Passed()
			return suite.IsLane(c) && up >= unmadeAt[c.Number%len(unmadeAt)]
		})
	}
	before := w.Proxy().Count() + w.HostProxy().Count()
	w.Proxy().Cut(suite.IsLane)
	load.Wait(ctx, 8*time.Second)
	w.Proxy().Filter(nil)
	w.HostProxy().Filter(nil)
	if w.Proxy().Count()+w.HostProxy().Count() == before {
		return errors.New("no lane was tried")
	}
	return nil
}
