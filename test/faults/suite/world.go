//go:build linux

// Package suite plays faults on the real programs and says what came of each: an
// edge, a host and a client daemon, each of which reaches the edge through a
// proxy that can be impaired, with the ledger's streams through them.
//
// Shapes: a World is the programs and the two proxies. Causes are faults of what
// lies between; Play runs one and gives a Row. Hostile plays the behaviours of
// package hostilepeer beside honest streams.
//
// Concurrency: a World plays one fault at a time. Close ends and joins all.
package suite

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/test/bench/load"
	"github.com/sallyport/sallyport/test/faults/impair"
	"github.com/sallyport/sallyport/test/faults/ledger"
	"github.com/sallyport/sallyport/test/harness"
)

const (
	ledgerApp = "ledger.site.com"
	echoApp   = "echo.site.com"
	evilApp   = "evil.site.com"
	loadApp   = "load.site.com"
)

// BriefApp and RigidApp lead to the ledger too; their streams wait for another way
// briefly and not at all.
const (
	BriefApp = "brief.site.com"
	RigidApp = "rigid.site.com"
)

// World is the programs under test, with what stands around them.
type World struct {
	*harness.World
	edge         *harness.Edge
	host, client *harness.Daemon
	// toEdge are the proxies of the two daemons.
	hostProxy, clientProxy *impair.Proxy
	mallory                harness.Person
	server                 *ledger.Server
	forward, evilForward   string
	loadForward            string
	briefForward           string
	rigidForward           string
	echoConns, echoBytes   atomic.Int64
	extra                  map[string]string // forwards that were added later, by their app

	far *far // nil: everything is on loopback

	seed   uint64        // of all streams
	stream atomic.Uint64 // the last one's number
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// Open starts everything below dir and signs the honest person in. seed decides
// what chance does.
func Open(ctx context.Context, dir string, seed uint64) (*World, error) {
	return start(ctx, dir, seed, nil, harness.EdgeOptions{})
}

func start(ctx context.Context, dir string, seed uint64, f *far, o harness.EdgeOptions) (*World, error) {
	hw, err := harness.NewWorld(ctx, dir)
	if err != nil {
		return nil, err
	}
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	w := &World{World: hw, server: &ledger.Server{Patience: 5 * time.Minute}, seed: seed, cancel: cancel, far: f}
	if err := w.begin(ctx, life, o); err != nil {
		return nil, errors.Join(err, errors.New(w.Logs()), w.Close())
	}
	return w, nil
}

// Close ends the programs and everything else.
func (w *World) Close() error {
	err := w.World.Close()
	w.cancel()
	w.wg.Wait()
	return err
}

func (w *World) begin(ctx, life context.Context, o harness.EdgeOptions) error {
	var err error
	if w.edge, err = w.StartEdge(ctx, o); err != nil {
		return err
	}
	for _, p := range []**impair.Proxy{&w.hostProxy, &w.clientProxy} {
		if *p, err = impair.New(impair.Config{Target: fmt.Sprintf("127.0.0.1:%d", w.edge.Port), Seed: w.seed}); err != nil {
			return err
		}
		w.wg.Go(func() { (*p).Run(life) })
	}
	for _, app := range append([]string{ledgerApp, echoApp, evilApp, loadApp, BriefApp, RigidApp}, w.far.apps()...) {
		rules := []string{"--allow", "domain:site.com"}
		if window, ok := windows[app]; ok {
			rules = append(rules, "--resume-window", window.String())
		}
		if err := w.edge.AddApp(ctx, app, rules...); err != nil {
			return err
		}
	}
	if err := w.startHost(ctx, life); err != nil {
		return err
	}
	return w.startClient(ctx)
}

func (w *World) startHost(ctx, life context.Context) error {
	origin, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	w.wg.Go(func() { w.server.Serve(life, origin) })
	echo, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	w.wg.Go(func() { w.echo(life, echo) })
	service, err := load.Listen(ctx, "127.0.0.1:0")
	if err != nil {
		return err
	}
	w.wg.Go(func() { load.Service(life, service) })
	if w.host, err = w.StartDaemon(ctx, "host", harness.DaemonOptions{}); err != nil {
		return err
	}
	if err := w.use(ctx, w.host, w.hostProxy, "--machine"); err != nil {
		return err
	}
	token, err := w.edge.JoinToken(ctx, "*."+w.edge.Site)
	if err != nil {
		return err
	}
	if err := w.host.CtlInput(ctx, token+"\n", "tunnel", "join").Err(); err != nil {
		return err
	}
	origins := map[string]string{echoApp: echo.Addr().String(), loadApp: service.Addr().String()}
	for _, app := range []string{ledgerApp, BriefApp, RigidApp} {
		origins[app] = origin.Addr().String()
	}
	maps.Copy(origins, w.far.origins())
	for app, addr := range origins {
		if err := w.host.AddTunnel(ctx, app, "tcp://"+addr); err != nil {
			return err
		}
		if err := w.host.AwaitTunnel(ctx, app, api.TunnelPublished); err != nil {
			return err
		}
	}
	return nil
}

// use makes a daemon reach the edge through a proxy.
func (w *World) use(ctx context.Context, d *harness.Daemon, p *impair.Proxy, more ...string) error {
	return w.lead(ctx, d, p.Addr(), more...)
}

// lead makes a daemon reach the edge at an address.
func (w *World) lead(ctx context.Context, d *harness.Daemon, addr string, more ...string) error {
	args := append([]string{"edge", "use", w.edge.Name(), "--ca", w.edge.CA, "--address", addr}, more...)
	return d.Ctl(ctx, args...).Err()
}

func (w *World) startClient(ctx context.Context) error {
	var err error
	if err := w.far.inside(func() (err error) {
		w.client, err = w.StartDaemon(ctx, "client", harness.DaemonOptions{})
		return err
	}); err != nil {
		return err
	}
	// A login page over plain http must be on the port that is dialled, so the
	// proxy comes after the login.
	if err := w.lead(ctx, w.client, w.far.address(w.edge)); err != nil {
		return err
	}
	alice, err := w.edge.AddPerson(ctx, "alice@site.com")
	if err != nil {
		return err
	}
	if w.mallory, err = w.edge.AddPerson(ctx, "mallory@site.com"); err != nil {
		return err
	}
	forwards := map[string]*string{ledgerApp: &w.forward, evilApp: &w.evilForward, loadApp: &w.loadForward,
		BriefApp: &w.briefForward, RigidApp: &w.rigidForward}
	maps.Copy(forwards, w.far.forwards())
	for app, addr := range forwards {
		port, err := harness.FreePort(0)
		if err != nil {
			return err
		}
		*addr = fmt.Sprintf("127.0.0.1:%d", port)
		if err := w.client.Ctl(ctx, "forward", "add", app, fmt.Sprintf("localhost:%d", port)).Err(); err != nil {
			return err
		}
	}
	if w.far != nil && w.far.near != nil {
		return w.client.SignIn(ctx, w.edge, alice, harness.TypedCode)
	}
	if err := w.client.SignIn(ctx, w.edge, alice, harness.Loopback); err != nil {
		return err
	}
	return w.use(ctx, w.client, w.clientProxy)
}

// echo sends back what comes, and counts.
func (w *World) echo(ctx context.Context, l net.Listener) {
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		w.echoConns.Add(1)
		w.wg.Go(func() {
			defer c.Close()
			stop := context.AfterFunc(ctx, func() { c.Close() })
			defer stop()
			n, err := io.Copy(c, c)
			w.echoBytes.Add(n)
			if err != nil {
				c.(*net.TCPConn).SetLinger(0)
			}
		})
	}
}

// roots are those of the edge's private CA.
func (w *World) roots() (*x509.CertPool, error) {
	pem, err := os.ReadFile(w.edge.CA)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	return pool, nil
}
