//go:build linux

package suite

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"time"

	"github.com/sallyport/sallyport/test/faults/impair"
	"github.com/sallyport/sallyport/test/faults/ledger"
)

// BriefWindow is how long streams of BriefApp wait for another way.
const BriefWindow = 3 * time.Second

// windows are how long streams of an app wait for another way, where that is not
// the default.
var windows = map[string]time.Duration{BriefApp: BriefWindow, RigidApp: 0}

// dial opens a connection to the ledger through everything.
func (w *World) dial(ctx context.Context) (net.Conn, error) { return w.dialTo(ctx, w.forward) }

// dialApp is dial by another of the ledger's apps; "" is the first.
func (w *World) dialApp(app string) ledger.Dial {
	return func(ctx context.Context) (net.Conn, error) {
		switch app {
		case BriefApp:
			return w.dialTo(ctx, w.briefForward)
		case RigidApp:
			return w.dialTo(ctx, w.rigidForward)
		}
		return w.dial(ctx)
	}
}

func (w *World) dialTo(ctx context.Context, forward string) (c net.Conn, err error) {
	return c, w.far.inside(func() error {
		c, err = new(net.Dialer).DialContext(ctx, "tcp", forward)
		return err
	})
}

// next takes the numbers of n streams, and gives the first.
func (w *World) next(n int) uint32 { return uint32(w.stream.Add(uint64(n))) - uint32(n) + 1 }

// plans gives the next n streams of all kinds.
func (w *World) plans(n int, bulk uint64, lasts time.Duration) []ledger.Plan {
	return ledger.Mixed(w.seed, w.next(n), n, bulk, lasts)
}

// plansOf gives the next n streams of a cause.
func (w *World) plansOf(c Cause, n int) []ledger.Plan {
	if c.Ending {
		return ledger.Ending(w.seed, w.next(n), n, c.Lasts)
	}
	return w.plans(n, c.Bulk, c.Lasts)
}

func (w *World) plan(kind ledger.Kind, up, down uint64, lasts time.Duration) ledger.Plan {
	return ledger.Plan{Seed: w.seed, Stream: w.next(1), Kind: kind, Up: up, Down: down, Lasts: lasts}
}

// entries are those of both ends for some plans.
func (w *World) entries(c *ledger.Client, plans []ledger.Plan) (client, server []ledger.Entry) {
	mine := map[uint32]bool{}
	for _, p := range plans {
		mine[p.Stream] = true
	}
	for _, e := range w.server.Entries() {
		if mine[e.Stream] {
			server = append(server, e)
		}
	}
	return c.Entries(), server
}

// Lanes is how many trunks carry the ledger's streams beside the first: each is a lane,
// however its connections look.
func (w *World) Lanes(ctx context.Context) (int, error) {
	var list []struct{ Trunk, Hostname string }
	if err := w.edge.JSON(ctx, &list, "stream", "list"); err != nil {
		return 0, err
	}
	trunks := map[string]bool{}
	for _, s := range list {
		if s.Hostname == ledgerApp {
			trunks[s.Trunk] = true
		}
	}
	return max(len(trunks)-1, 0), nil
}

// works opens a connection, sends and hears a little, and ends it in order.
func (w *World) works(ctx context.Context, patience time.Duration) error {
	var c ledger.Client
	p := w.plan(ledger.PingPong, 128, 128, 0)
	if err := c.Run(ctx, w.dial, p, patience); err != nil {
		return err
	}
	if t := ledger.Sum(c.Entries()); t.Survived != 1 {
		return fmt.Errorf("%v", t.Examples)
	}
	return nil
}

// recovered says how long it takes until a new connection works again.
func (w *World) recovered(ctx context.Context, limit time.Duration) (time.Duration, error) {
	start := time.Now()
	for {
		err := w.works(ctx, limit)
		d := time.Since(start)
		if err == nil {
			return d, nil
		}
		if d > limit || ctx.Err() != nil {
			return d, fmt.Errorf("no new connection after %s: %w", d.Round(time.Millisecond), err)
		}
		pause(ctx, 20*time.Millisecond)
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// IsLink, IsTrunk and IsLane tell the connections of a daemon apart by their
// ClientHello. Within TLS, as in a WebSocket, none of them sees anything.
func IsLink(c *impair.Conn) bool  { return says(c, "sallyport/1") }
func IsTrunk(c *impair.Conn) bool { return says(c, "sallyport-trunk/1") }
func IsLane(c *impair.Conn) bool  { return says(c, "sallyport-lane/1") }

// Carries says that it is one of those that carry streams.
func Carries(c *impair.Conn) bool { return IsTrunk(c) || IsLane(c) }

func says(c *impair.Conn, alpn string) bool { return bytes.Contains(c.Head(), []byte(alpn)) }
