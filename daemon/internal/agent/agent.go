package agent

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/daemon/internal/agent/picture"
	"github.com/sallyport/sallyport/daemon/internal/agent/plan"
	"github.com/sallyport/sallyport/daemon/internal/agent/unit"
	"github.com/sallyport/sallyport/daemon/internal/owner"
	"github.com/sallyport/sallyport/daemon/internal/store"
	"github.com/sallyport/sallyport/internal/ipc"
	"github.com/sallyport/sallyport/internal/logging"
)

const (
	// publishGap is the shortest time between two pictures of which the second
	// was not asked for: counters move with every connection.
	publishGap = 100 * time.Millisecond
	// tickEvery is how often the passing of time is looked at (expiry, units
	// that are no longer wanted, units that could not start).
	tickEvery = 10 * time.Second
	// wantFor is how long a client or host runs on that was asked for once.
	wantFor = 5 * time.Minute
	// settleFor bounds how long a write waits to be told in its answer.
	settleFor = 2 * time.Second
	// aliveWithin is how long a pass may take before Run counts as stuck.
	aliveWithin = 20 * time.Second
	// ResumeWindow is how long streams wait for another carrier unless something
	// else is said: longer than a restart, a walk between two networks or a short
	// sleep, and shorter than most peers bear.
	ResumeWindow = 5 * time.Minute
)

// Config is what an Agent needs. Store, Owner, BootID and Log are required.
type Config struct {
	Store *store.Store
	Owner *owner.Checker
	// DeviceName is what the edge calls this machine.
	DeviceName string
	// BootID names this process: 128 random bits in hex.
	BootID  string
	Version string
	Log     *slog.Logger
	// ResumeWindow bounds how long streams outlive what carries them; 0: not at all.
	ResumeWindow time.Duration
	// Now is the wall clock; nil means time.Now.
	Now func() time.Time
}

// Agent keeps the daemon doing what its database says.
type Agent struct {
	cfg   Config
	store *store.Store
	log   *slog.Logger
	now   func() time.Time

	wake    chan struct{} // one slot: the desired set may have changed
	touched chan struct{} // one slot: a snapshot has changed
	unit    unit.Config
	ready   chan struct{} // closed after the first pass
	stopped chan struct{} // closed when Run has stopped every unit
	asked   atomic.Uint64 // how often wake was poked

	// writing makes one of validate and store. It is taken before mu.
	writing sync.Mutex

	// noting makes one of looking an account up and noting it. No other lock is
	// taken under it.
	noting sync.Mutex

	mu       sync.Mutex
	contents store.Contents // as Run read it last
	fault    error          // why it could not be read
	memory   plan.Memory
	units    units
	done     uint64 // value of asked at the last pass
	picture  *picture.Picture
	// passed is closed, and replaced, after each pass.
	passed chan struct{}

	// faults are problems of the daemon that do not change.
	faults []api.Problem
	// painter and names belong to Run.
	painter *picture.Painter
	names   map[string]string
}

// New returns an Agent that does nothing until Run.
func New(c Config) *Agent {
	if c.Now == nil {
		c.Now = time.Now
	}
	a := &Agent{
		cfg: c, store: c.Store, log: c.Log, now: c.Now,
		wake: make(chan struct{}, 1), touched: make(chan struct{}, 1),
		ready: make(chan struct{}), stopped: make(chan struct{}), passed: make(chan struct{}),
		memory: plan.NewMemory(), units: newUnits(), picture: new(picture.Picture), painter: picture.NewPainter(), names: map[string]string{},
	}
	a.unit = unit.Config{
		Store: c.Store, Owner: c.Owner, DeviceName: c.DeviceName, BootID: c.BootID, ResumeWindow: c.ResumeWindow, Version: c.Version, Log: c.Log, Now: c.Now,
		Touched: a.touch, Saved: a.poke,
	}
	for _, f := range c.Store.Faults() {
		a.faults = append(a.faults, api.Problem{Code: api.CodeInternal, Title: "The database was damaged", Detail: f.Detail, Hint: f.Hint})
	}
	if !c.Owner.Supported() {
		a.faults = append(a.faults, api.Problem{
			Code: api.CodeUnsupported, Title: "Forwarded ports are open to every user of this machine",
			Detail: "Sallyport knows no way to ask this system whose connection it is",
			Hint:   "Where others have accounts here, use forwards on a Unix socket.",
		})
	}
	return a
}

// Ready is closed when everything that was kept has been started once.
func (a *Agent) Ready() <-chan struct{} { return a.ready }

// Woke says that this machine's network may be another one: every link looks
// whether it still lives, or tries again at once. It does not block.
func (a *Agent) Woke(what string) {
	a.log.Info("this machine has changed, links are checked", slog.String("what", what))
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range a.units.clients {
		c.Wake()
	}
	for _, h := range a.units.hosts {
		h.Wake()
	}
}

// Run keeps what runs at what is wanted until ctx ends; it returns when all of
// it has stopped.
func (a *Agent) Run(ctx context.Context) error {
	defer close(a.stopped)
	defer a.stopEverything()
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	if err := a.noteAccounts(); err != nil {
		a.log.Error("accounts not noted", slog.Any(logging.KeyError, err))
	}
	a.pass(ctx, true)
	close(a.ready)
	for {
		whole := true
		select {
		case <-ctx.Done():
			return nil
		case <-a.wake:
		case <-tick.C:
		case <-a.touched:
			whole = a.pause(ctx)
		}
		a.pass(ctx, whole)
	}
}

// pause merges a burst of changes into one picture; a poke ends it.
func (a *Agent) pause(ctx context.Context) (poked bool) {
	timer := time.NewTimer(publishGap)
	defer timer.Stop()
	select {
	case <-timer.C:
		return false
	case <-a.wake:
		return true
	case <-ctx.Done():
		return false
	}
}

// pass goes once from the desired set to the picture. Only Run calls it. Where
// not whole, only snapshots have changed.
func (a *Agent) pass(ctx context.Context, whole bool) {
	asked := a.asked.Load()
	if whole && ctx.Err() == nil {
		a.reconcile(ctx)
	}
	a.learn()
	p := a.paint()
	a.mu.Lock()
	a.picture = p
	if whole {
		a.done = asked
	}
	close(a.passed)
	a.passed = make(chan struct{})
	a.mu.Unlock()
}

// reconcile reads, plans, stops and starts.
func (a *Agent) reconcile(ctx context.Context) {
	contents, err := a.store.Load()
	contents = plan.WithoutFormer(contents)
	a.mu.Lock()
	if err != nil {
		contents = a.contents // what was wanted last is wanted still
	}
	a.contents, a.fault = contents, err
	a.forgetLocked()
	want := plan.Desired(contents, a.memory, a.now())
	a.mu.Unlock()
	if err != nil {
		a.log.Error("database not readable", slog.Any(logging.KeyError, err))
	}
	a.apply(plan.Difference(want, a.units.running()), want)
	a.tellTables(contents)
}

// forgetLocked drops what was asked for long ago, and prolongs what is in use.
func (a *Agent) forgetLocked() {
	now := a.now()
	for key, until := range a.memory.Clients {
		c := a.units.clients[key]
		switch {
		case c != nil && c.Busy():
			a.memory.Clients[key] = now.Add(wantFor)
		case !now.Before(until):
			delete(a.memory.Clients, key)
		}
	}
	for edge, until := range a.memory.Hosts {
		h := a.units.hosts[edge]
		switch {
		case h != nil && h.Busy():
			a.memory.Hosts[edge] = now.Add(wantFor)
		case !now.Before(until):
			delete(a.memory.Hosts, edge)
		}
	}
}

// poke says that the desired set may have changed.
func (a *Agent) poke() {
	a.asked.Add(1)
	signal(a.wake)
}

// touch says that a snapshot has changed. It is what units call.
func (a *Agent) touch() { signal(a.touched) }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

var errSettled = errors.New("settled long enough")

// settle pokes, and waits until Run has done what is wanted now, or a while.
func (a *Agent) settle(ctx context.Context) {
	a.poke()
	asked := a.asked.Load()
	ctx, cancel := context.WithTimeoutCause(ctx, settleFor, errSettled)
	defer cancel()
	a.await(ctx, func() bool { return a.done >= asked })
}

// Alive says whether Run still does what is asked of it.
func (a *Agent) Alive(ctx context.Context) bool {
	a.poke()
	asked := a.asked.Load()
	ctx, cancel := context.WithTimeout(ctx, aliveWithin)
	defer cancel()
	return a.await(ctx, func() bool { return a.done >= asked })
}

// await waits until a condition holds after a pass; ok is asked under mu. It is
// false where ctx or the agent ends before.
func (a *Agent) await(ctx context.Context, ok func() bool) bool {
	for {
		a.mu.Lock()
		holds, passed := ok(), a.passed
		a.mu.Unlock()
		if holds {
			return true
		}
		select {
		case <-passed:
		case <-a.stopped:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// userName is the name of an OS user. Only Run calls it: asking the system may
// cost a look into a directory service.
func (a *Agent) userName(uid string) string {
	name, ok := a.names[uid]
	if !ok {
		name = ipc.UserName(store.UIDOf(uid))
		a.names[uid] = name
	}
	return name
}
