package agent

import (
	"log/slog"
	"maps"
	"sync"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/daemon/internal/agent/picture"
	"github.com/sallyport/sallyport/daemon/internal/agent/plan"
	"github.com/sallyport/sallyport/daemon/internal/agent/unit"
	"github.com/sallyport/sallyport/daemon/internal/forward"
	"github.com/sallyport/sallyport/daemon/internal/store"
	"github.com/sallyport/sallyport/internal/logging"
)

// units is everything that runs. Run alone changes it, under Agent.mu.
type units struct {
	clients map[plan.ClientKey]*unit.Client
	hosts   map[string]*unit.Host
	entries map[string]*unit.Entry
	// failed says why a unit could not be started.
	failed map[plan.ClientKey]*api.Problem
}

func newUnits() units {
	return units{map[plan.ClientKey]*unit.Client{}, map[string]*unit.Host{}, map[string]*unit.Entry{}, map[plan.ClientKey]*api.Problem{}}
}

// running is what runs. What has ended by itself is not what is wanted, so that
// it starts again.
func (u units) running() plan.Set {
	have := plan.NewSet()
	for k, c := range u.clients {
		if have.Clients[k] = c.Spec; c.Over() {
			have.Clients[k] = plan.Link{}
		}
	}
	for k, h := range u.hosts {
		if have.Hosts[k] = h.Spec; h.Over() {
			have.Hosts[k] = plan.Link{}
		}
	}
	for k, e := range u.entries {
		if have.Entries[k] = e.Spec; e.Over() || e.Client.Over() {
			have.Entries[k] = plan.Entry{}
		}
	}
	return have
}

// apply makes the changes. Only Run calls it.
func (a *Agent) apply(c plan.Changes, want plan.Set) {
	a.stop(c)
	for _, edge := range c.StartHosts {
		h, err := a.unit.Host(edge, want.Hosts[edge])
		a.started(plan.ClientKey{Owner: store.Machine, Edge: edge}, err, func(u units) { u.hosts[edge] = h })
	}
	for _, key := range c.StartClients {
		cl, err := a.unit.Client(key, want.Clients[key], a.userName(key.Owner))
		a.started(key, err, func(u units) { u.clients[key] = cl })
	}
	for _, id := range c.StartEntries {
		spec := want.Entries[id]
		cl := a.units.clients[spec.Client]
		if cl == nil {
			continue // it could not be started, and says why
		}
		e := a.unit.Entry(id, spec, cl)
		a.mu.Lock()
		a.units.entries[id] = e
		a.mu.Unlock()
	}
	a.forgetFailed(want)
}

// started takes a unit in, or notes why it is not there. It is tried again at
// the next pass.
func (a *Agent) started(key plan.ClientKey, err error, take func(units)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err == nil {
		delete(a.units.failed, key)
		take(a.units)
		return
	}
	a.log.Error("link not started", slog.String(logging.KeyEdge, key.Edge), slog.Any(logging.KeyError, err))
	a.units.failed[key] = &api.Problem{
		Code: api.CodeInternal, Title: "The link to " + key.Edge + " could not be started", Detail: err.Error(),
		Hint: "Look at the daemon's log; is the disk full?",
	}
}

// forgetFailed forgets failures to start what nobody wants any more.
func (a *Agent) forgetFailed(want plan.Set) {
	a.mu.Lock()
	defer a.mu.Unlock()
	maps.DeleteFunc(a.units.failed, func(k plan.ClientKey, _ *api.Problem) bool {
		_, client := want.Clients[k]
		_, host := want.Hosts[k.Edge]
		return !client && !(host && k.Owner == store.Machine)
	})
}

// stop ends units: what hangs on a unit before it.
func (a *Agent) stop(c plan.Changes) {
	var first, then []stopper
	a.mu.Lock()
	for _, id := range c.StopEntries {
		first = append(first, a.units.entries[id])
		delete(a.units.entries, id)
	}
	for _, k := range c.StopClients {
		then = append(then, a.units.clients[k])
		delete(a.units.clients, k)
	}
	for _, k := range c.StopHosts {
		then = append(then, a.units.hosts[k])
		delete(a.units.hosts, k)
	}
	a.mu.Unlock()
	stopAll(first)
	stopAll(then)
}

// stopEverything ends what runs.
func (a *Agent) stopEverything() {
	a.stop(plan.Difference(plan.NewSet(), a.units.running()))
}

type stopper interface{ Stop() }

// stopAll stops units side by side: each may have connections to close.
func stopAll(all []stopper) {
	var wg sync.WaitGroup
	for _, u := range all {
		wg.Go(u.Stop)
	}
	wg.Wait()
}

// tellTables gives each host its tunnels.
func (a *Agent) tellTables(c store.Contents) {
	for edge, h := range a.units.hosts {
		table := map[string]string{}
		a.mu.Lock()
		plan.ForEach(c.Tunnels, a.memory.Tunnels, func(t store.Tunnel) {
			if t.Edge == edge && !t.Paused {
				table[t.Hostname] = t.Origin
			}
		})
		a.mu.Unlock()
		h.SetTable(table)
	}
}

// learn takes from the units what is to be remembered, and lets them pass on
// what they know. Only Run calls it.
func (a *Agent) learn() {
	for _, c := range a.units.clients {
		c.Tend()
	}
	for edge, h := range a.units.hosts {
		wrote, err := h.Learn(a.enrolmentAt(edge))
		if err != nil {
			a.log.Error("enrolment not stored", slog.String(logging.KeyEdge, edge), slog.Any(logging.KeyError, err))
		}
		if wrote {
			a.poke()
		}
	}
}

// enrolmentAt is the stored enrolment at an edge, nil without one.
func (a *Agent) enrolmentAt(edge string) *store.Enrolment {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range a.contents.Enrolments {
		if e.Edge == edge {
			return &e
		}
	}
	return nil
}

// paint makes the picture of now. Only Run calls it.
func (a *Agent) paint() *picture.Picture {
	f := picture.Facts{
		At: a.now(), Version: a.cfg.Version, OwnerCheck: a.cfg.Owner.Supported(), UserName: a.userName,
		Clients: map[plan.ClientKey]picture.Client{}, Hosts: map[string]picture.Host{}, Entries: map[string]forward.Snapshot{},
		Problems: a.faults,
	}
	for k, c := range a.units.clients {
		f.Clients[k] = c.Picture()
	}
	for edge, h := range a.units.hosts {
		f.Hosts[edge] = h.Picture()
	}
	for id, e := range a.units.entries {
		f.Entries[id] = e.Picture()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	f.Contents = a.contents
	f.Failed = maps.Clone(a.units.failed)
	f.Memory = plan.Memory{Forwards: maps.Clone(a.memory.Forwards), Tunnels: maps.Clone(a.memory.Tunnels)}
	if a.fault != nil {
		f.Problems = append([]api.Problem{{
			Code: api.CodeInternal, Title: "The database cannot be read", Detail: a.fault.Error(),
			Hint: "Restart the daemon: it sets a damaged database aside and takes its backup.",
		}}, f.Problems...)
	}
	return a.painter.Paint(f)
}
