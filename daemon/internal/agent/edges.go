package agent

import (
	"cmp"
	"context"
	"log/slog"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/daemon/internal/agent/check"
	"github.com/sallyport/sallyport/daemon/internal/agent/picture"
	"github.com/sallyport/sallyport/daemon/internal/agent/plan"
	"github.com/sallyport/sallyport/daemon/internal/store"
	"github.com/sallyport/sallyport/internal/ipc"
	"github.com/sallyport/sallyport/internal/logging"
)

// UseEdge makes an edge the caller's (or the machine's) from now on. Of one that
// is known, what is not given stays as it was.
func (a *Agent) UseEdge(ctx context.Context, who ipc.Identity, in api.EdgeInput) (api.Edge, error) {
	name, p := check.EdgeName(in.Name, who)
	p = cmp.Or(p, check.EdgeAddress(in.Address, who), check.CAPEM(in.CAPEM), check.Proxy(in.Proxy, who), check.HostKeys(in.HostKeys))
	scope := who.Owner()
	if in.Machine {
		scope = store.Machine
		if p == nil && !who.Administrator {
			p = check.Denied("machine", "only administrators choose the machine's edge")
		}
	}
	if p != nil {
		return api.Edge{}, p
	}
	a.writing.Lock()
	if err := a.roomForEdge(scope, name); err != nil {
		a.writing.Unlock()
		return api.Edge{}, err
	}
	row, err := a.store.Edges.Update(store.Key(scope, name), func(row *store.Edge) error {
		if row.ID == "" {
			row.ID = newID("edg")
		}
		row.Scope, row.Name = scope, name
		row.Address, row.CAPEM, row.Proxy = cmp.Or(in.Address, row.Address), cmp.Or(in.CAPEM, row.CAPEM), cmp.Or(in.Proxy, row.Proxy)
		row.HostKeys = cmp.Or(in.HostKeys, row.HostKeys)
		row.UsedAt = a.now().UTC()
		return nil
	})
	a.writing.Unlock()
	if err != nil {
		return api.Edge{}, a.stored(err)
	}
	a.log.Info("edge chosen", slog.String(logging.KeyEdge, name), slog.String(logging.KeyOwner, who.Name), slog.Bool("machine", in.Machine))
	a.settle(ctx)
	return a.look().Edge(row, who), nil
}

// maxEdges bounds what one OS user may have: each has a link, and certificates.
const maxEdges = 32

// roomForEdge says whether a scope may have one more. The caller holds writing.
func (a *Agent) roomForEdge(scope, name string) error {
	rows, err := a.store.Edges.List()
	if err != nil {
		return a.stored(err)
	}
	n := 0
	for _, row := range rows {
		if row.Scope == scope && row.Name != name {
			n++
		}
	}
	if n >= maxEdges {
		return &api.Problem{Code: api.CodeLimit, Title: "Too many edges", Detail: "a user may have 32", Hint: "Remove one: sallyport edge rm NAME"}
	}
	return nil
}

// RemoveEdge forgets an edge. Forwards and tunnels that lead there stay, and
// say that they have none.
func (a *Agent) RemoveEdge(ctx context.Context, who ipc.Identity, id string) error {
	a.writing.Lock()
	defer a.writing.Unlock()
	rows, err := a.store.Edges.List()
	if err != nil {
		return a.stored(err)
	}
	for _, row := range rows {
		if row.ID != id || (row.Scope != who.Owner() && row.Scope != store.Machine) {
			continue
		}
		if row.Scope == store.Machine && !who.Administrator {
			return check.Denied("", "only administrators remove the machine's edge")
		}
		if err := a.store.Edges.Delete(store.Key(row.Scope, row.Name)); err != nil {
			return a.stored(err)
		}
		a.log.Info("edge removed", slog.String(logging.KeyEdge, row.Name), slog.String(logging.KeyOwner, who.Name))
		a.settle(ctx)
		return nil
	}
	return notFound("edge")
}

// edgeFor is the edge that a caller means by a name; "" is the one used last.
func (a *Agent) edgeFor(owner, name string, who ipc.Identity) (store.Edge, error) {
	if name != "" {
		var p *api.Problem
		if name, p = check.EdgeName(name, who); p != nil {
			p.Field = "edge"
			return store.Edge{}, p
		}
	}
	rows, err := a.store.Edges.List()
	if err != nil {
		return store.Edge{}, a.stored(err)
	}
	row, ok := plan.FindEdge(rows, owner, name)
	if ok {
		return row, nil
	}
	p := picture.NoEdge()
	if owner == store.Machine {
		p = picture.NoMachineEdge()
	}
	p.Field = "edge"
	if name != "" {
		p.Detail = name + " is not among the edges that were chosen"
		p.Hint = "Choose it first: sallyport edge use " + name
	}
	return store.Edge{}, p
}
