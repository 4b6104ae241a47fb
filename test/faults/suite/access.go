//go:build linux

package suite

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/test/faults/gauge"
	"github.com/sallyport/sallyport/test/faults/hostilepeer"
	"github.com/sallyport/sallyport/test/faults/hostilepeer/speak"
	"github.com/sallyport/sallyport/test/faults/impair"
	"github.com/sallyport/sallyport/test/faults/ledger"
	"github.com/sallyport/sallyport/test/faults/wan"
	"github.com/sallyport/sallyport/test/harness"
)

// Edge is the running edge.
func (w *World) Edge() *harness.Edge { return w.edge }

// Client is the client's daemon.
func (w *World) Client() *harness.Daemon { return w.client }

// Host is the host's daemon.
func (w *World) Host() *harness.Daemon { return w.host }

// HostProxy is what the host reaches the edge through.
func (w *World) HostProxy() *impair.Proxy { return w.hostProxy }

// Move gives the client's machine another address, every time another.
func (w *World) Move() error {
	w.far.moves++
	return w.far.network.Address(netip.AddrFrom4([4]byte{10, 99, 0, byte(10 + w.far.moves)}))
}

// Network is that of OpenFar.
func (w *World) Network() *wan.Network { return w.far.network }

// Inside runs what opens or starts something on the client's side of the network.
func (w *World) Inside(do func() error) error { return w.far.inside(do) }

// Guest is a person who may open the apps and is signed in nowhere.
func (w *World) Guest() harness.Person { return w.mallory }

// EchoApp leads to a service that sends back what comes; Echoed is what came.
func (w *World) EchoApp() string { return echoApp }

// Echoed counts the connections to the service of EchoApp, and their bytes.
func (w *World) Echoed() (conns, bytes int64) { return w.echoConns.Load(), w.echoBytes.Load() }

// Proxy is what the client reaches the edge through.
func (w *World) Proxy() *impair.Proxy { return w.clientProxy }

// CutTrunks cuts the client's trunks and lanes and says how many.
func (w *World) CutTrunks() int { return w.clientProxy.Cut(Carries) }

// Direct lets the client reach the edge without the proxy, or with it again: what
// is timed shall not wait for the proxy.
func (w *World) Direct(ctx context.Context, direct bool) error {
	address := w.clientProxy.Addr()
	if direct {
		address = w.edge.Address()
	}
	if err := w.lead(ctx, w.client, address); err != nil {
		return err
	}
	_, err := w.recovered(ctx, 20*time.Second)
	return err
}

// Load is a forward to the service of package load.
func (w *World) Load() string { return w.loadForward }

// LoadApp is where that forward leads to.
func (w *World) LoadApp() string { return loadApp }

// Speaker is the edge as a hand-written peer reaches it.
func (w *World) Speaker() (speak.Edge, error) {
	roots, err := w.roots()
	return speak.Edge{Addr: w.edge.Address(), Name: w.edge.Host, Roots: roots}, err
}

// Plans gives the next n streams of all kinds.
func (w *World) Plans(n int, bulk uint64, lasts time.Duration) []ledger.Plan {
	return w.plans(n, bulk, lasts)
}

// Streams plays plans at once and sums up what both ends saw. The other end has
// a moment more to see the last of it.
func (w *World) Streams(ctx context.Context, plans []ledger.Plan, patience time.Duration) ledger.Tally {
	w.server.Forget()
	var c ledger.Client
	c.RunAll(ctx, w.dial, plans, patience) // what came is in the entries
	w.over(ctx, &c, plans, time.Now().Add(5*time.Second))
	return ledger.Sum(w.entries(&c, plans))
}

// Begun waits until the other end knows all of some plans.
func (w *World) Begun(ctx context.Context, plans []ledger.Plan) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for i, p := range plans {
		for !w.server.Knows(p.Stream) {
			if pause(ctx, 10*time.Millisecond); ctx.Err() != nil {
				return fmt.Errorf("of %d streams %d have begun at the origin, and the next has not", len(plans), i)
			}
		}
	}
	return nil
}

// Recovered says how long it takes until a new connection works.
func (w *World) Recovered(ctx context.Context, limit time.Duration) (time.Duration, error) {
	return w.recovered(ctx, limit)
}

// SecondClient starts another daemon beside the client, signed in as somebody else.
func (w *World) SecondClient(ctx context.Context) (*harness.Daemon, error) {
	var d *harness.Daemon
	err := w.far.inside(func() (err error) {
		d, err = w.StartDaemon(ctx, "second", harness.DaemonOptions{})
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := w.lead(ctx, d, w.far.address(w.edge)); err != nil {
		return d, err
	}
	return d, d.SignIn(ctx, w.edge, w.mallory, harness.TypedCode)
}

// Holding is what the three programs hold.
type Holding struct {
	Descriptors int
	Memory      int64 // of the largest
}

// Holds looks.
func (w *World) Holds() (h Holding) {
	for _, p := range []*harness.Process{w.edge.Process(), w.host.Process(), w.client.Process()} {
		h.Descriptors += gauge.Descriptors(p.PID())
		now, _ := gauge.Memory(p.PID())
		h.Memory = max(h.Memory, now)
	}
	return h
}

// BackTo waits until no more descriptors are held than before, but for a few.
func (w *World) BackTo(ctx context.Context, before Holding, limit time.Duration) (Holding, error) {
	const few = 12 // warm trunks, the link's next connection
	for end := time.Now().Add(limit); ; pause(ctx, 100*time.Millisecond) {
		now := w.Holds()
		if now.Descriptors <= before.Descriptors+few {
			return now, nil
		}
		if time.Now().After(end) || ctx.Err() != nil {
			return now, fmt.Errorf("%d descriptors are held after %s, %d before", now.Descriptors, limit, before.Descriptors)
		}
	}
}

// EdgeGrowth watches the edge's memory and log: the function it gives says by
// how much they grew since.
func (w *World) EdgeGrowth() func() (memoryBytes, logBytes int64) {
	return w.Growth(hostilepeer.TheEdge)
}

// Growth is EdgeGrowth of any of the programs.
func (w *World) Growth(p hostilepeer.Program) func() (memoryBytes, logBytes int64) {
	return w.watch(string(p), w.process(p).PID()).Grown
}

// Resident is the memory of a program.
func (w *World) Resident(p hostilepeer.Program) int64 {
	now, _ := gauge.Memory(w.process(p).PID())
	return now
}

func (w *World) process(p hostilepeer.Program) *harness.Process {
	return map[hostilepeer.Program]*harness.Process{
		hostilepeer.TheEdge: w.edge.Process(), hostilepeer.TheHost: w.host.Process(), hostilepeer.TheClient: w.client.Process(),
	}[p]
}

// Serve publishes an app that everybody may use, whose origin is at addr.
func (w *World) Serve(ctx context.Context, app, addr string) error {
	if err := w.edge.AddApp(ctx, app, "--allow", "domain:site.com"); err != nil {
		return err
	}
	if err := w.host.AddTunnel(ctx, app, "tcp://"+addr); err != nil {
		return err
	}
	return w.host.AwaitTunnel(ctx, app, api.TunnelPublished)
}

// StallLinks stalls the links of both daemons half way through the next message
// to them.
func (w *World) StallLinks() (n int) {
	for _, p := range []*impair.Proxy{w.hostProxy, w.clientProxy} {
		for _, c := range p.Conns() {
			if IsLink(c) {
				c.Spring(impair.Trap{Direction: impair.Down, At: 20, Action: impair.Stall})
				n++
			}
		}
	}
	return n
}
