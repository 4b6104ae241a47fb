package relay

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"sync"
	"time"

	"github.com/sallyport/sallyport/edge/internal/audit"
	"github.com/sallyport/sallyport/edge/internal/config"
	"github.com/sallyport/sallyport/edge/internal/enrol"
	"github.com/sallyport/sallyport/edge/internal/login"
	"github.com/sallyport/sallyport/edge/internal/policy"
	"github.com/sallyport/sallyport/edge/internal/registry"
	"github.com/sallyport/sallyport/edge/internal/relay/decide"
	"github.com/sallyport/sallyport/edge/internal/relay/gate"
	"github.com/sallyport/sallyport/edge/internal/relay/trunk"
	"github.com/sallyport/sallyport/edge/internal/relay/webside"
	"github.com/sallyport/sallyport/edge/internal/sessions"
	"github.com/sallyport/sallyport/internal/crew"
	"github.com/sallyport/sallyport/wire"
)

// Config joins the relay with the rooms it works with. All are required but Meter.
type Config struct {
	// Settings returns the settings in force; a reload swaps them.
	Settings func() *config.Config
	// Certificate is the public port's GetCertificate.
	Certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// Web gets every connection that is neither a link nor a ticket's.
	Web      http.Handler
	Sessions *sessions.Service
	Enrol    *enrol.Service
	Login    *login.Service
	Apps     *policy.Apps
	Registry *registry.Registry
	Audit    *audit.Log
	// Meter counts; nil counts nothing.
	Meter Meter
	Log   *slog.Logger
}

// errStopped is why links end when the edge does.
var errStopped = errors.New("edge is stopping")

// Relay is the public port of an edge. Use New.
type Relay struct {
	cfg     Config
	log     *slog.Logger
	meter   Meter
	wait    times
	gate    *gate.Gate
	turns   *gate.Turns
	pace    *gate.Pace
	ask     decide.Decider
	trunks  *trunk.Table
	web     *webside.Server
	linkTLS *tls.Config
	webTLS  *tls.Config
	wg      sync.WaitGroup
	opening crew.Crew            // decides streams, of all links
	mu      sync.Mutex           // guards what follows, and the fields of peers that say so
	peers   map[wire.KeyID]*peer // the newest link of each key
	loose   map[netip.Prefix]int // links without session and connector, by address
	// draining: no link is taken any more.
	draining bool
}

// times are the limits of waiting, as fields so that tests need not wait.
type times struct {
	peek    time.Duration // for the first ClientHello
	hello   time.Duration // for TLS and hello of a link together
	web     time.Duration // for TLS and the headers of a web request, each
	parting time.Duration // how long a refused link stays, so that the refusal arrives
	loose   time.Duration // for a link with neither session nor connector
	cut     time.Duration // for a host's word that a stream is cut
	report  time.Duration // for a host's figures of a stream that is over
	orphan  time.Duration // how long a trunk outlives its host's link
	park    time.Duration // how long the row of a parked stream outlives the daemons' window
}

func defaultTimes() times {
	return times{
		peek: wire.PeekTimeout, hello: wire.HelloTimeout, web: 5 * time.Second,
		parting: 2 * time.Second, loose: 15 * time.Minute, cut: wire.CutDoneWait, report: 3 * time.Second, orphan: wire.TrunkWithoutLink,
		park: 30 * time.Second,
	}
}

// New makes a relay and registers its hooks with the rooms. It starts nothing.
func New(cfg Config) *Relay { return newRelay(cfg, defaultTimes()) }

func newRelay(cfg Config, wait times) *Relay {
	r := &Relay{
		cfg: cfg, log: cfg.Log, meter: cfg.Meter, wait: wait,
		peers: make(map[wire.KeyID]*peer),
		loose: make(map[netip.Prefix]int),
	}
	if r.meter == nil {
		r.meter = noMeter{}
	}
	// Half of the processors: the rest is for what lives.
	r.turns = gate.NewTurns(runtime.NumCPU() / 2)
	r.pace = gate.NewPace()
	r.gate = gate.New(gate.MaxTotal, gate.MaxAddress, func() { r.meter.Refused(causeCulled) })
	r.ask = decide.Decider{
		Settings: cfg.Settings, Sessions: cfg.Sessions, Apps: cfg.Apps, Enrol: cfg.Enrol, Registry: cfg.Registry,
		Link: func(key wire.KeyID) decide.Link {
			if p := r.peer(key); p != nil {
				return p
			}
			return nil
		},
	}
	r.trunks = trunk.New(trunk.Config{
		Decider: r.ask, Audit: cfg.Audit, Meter: r.meter, Log: cfg.Log, CutTime: wait.cut, ReportTime: wait.report, OrphanTime: wait.orphan, ParkTime: wait.park,
	})
	r.linkTLS = wire.LinkServerConfig(cfg.Certificate)
	r.webTLS = &tls.Config{
		MinVersion: tls.VersionTLS13, SessionTicketsDisabled: true,
		GetCertificate: cfg.Certificate, NextProtos: []string{"h2", "http/1.1"},
	}
	r.web = webside.New(r.guardPlain(r.proxied(r.carry(cfg.Web))), wait.web, cfg.Log)
	cfg.Sessions.OnEnd(r.sessionEnded)
	cfg.Enrol.OnRevoked(r.connectorRevoked)
	cfg.Enrol.OnClaimed(r.claimed)
	cfg.Apps.OnRemoved(r.appRemoved)
	cfg.Apps.OnChanged(r.appChanged)
	cfg.Login.OnEnded(r.loginEnded)
	cfg.Login.OnAudit(r.loginAudit)
	return r
}

// Serve takes connections from l until ctx ends, then closes every link and
// trunk and returns when all is over.
func (r *Relay) Serve(ctx context.Context, l net.Listener) error {
	// Connections outlive ctx for as long as it takes to tell them why.
	conns, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(errStopped)
	accepting, stopAccepting := context.WithCancel(ctx)
	defer stopAccepting()
	stop := context.AfterFunc(accepting, func() { l.Close() })
	defer stop()
	var webErr error
	r.wg.Go(func() {
		webErr = r.web.Run(conns)
		stopAccepting()
	})
	err := r.accept(accepting, conns, l)
	r.trunks.Stop()
	cancel(errStopped)
	r.wg.Wait() // with it the links, which ask for streams
	r.opening.Wait()
	return errors.Join(err, webErr)
}

// peer returns the newest link of a key, nil where there is none.
func (r *Relay) peer(key wire.KeyID) *peer {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.peers[key]
}
