package agent

import (
	"context"
	"errors"
	"log/slog"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/daemon/internal/agent/check"
	"github.com/sallyport/sallyport/daemon/internal/agent/plan"
	"github.com/sallyport/sallyport/daemon/internal/store"
	"github.com/sallyport/sallyport/internal/ipc"
	"github.com/sallyport/sallyport/internal/logging"
)

// maxTunnels keeps the table of a host below the size of one message.
const maxTunnels = 500

// AddTunnel publishes an app: kept in the database, or with Hold in memory until
// ReleaseTunnel. The caller is an administrator.
func (a *Agent) AddTunnel(ctx context.Context, who ipc.Identity, in api.TunnelInput) (api.Tunnel, error) {
	row := store.Tunnel{ID: newID("tun"), Paused: in.Paused, CreatedAt: a.now().UTC()}
	var p *api.Problem
	if row.Hostname, p = check.Hostname(in.Hostname); p != nil {
		return api.Tunnel{}, p
	}
	if row.Origin, p = check.Origin(in.Origin); p != nil {
		return api.Tunnel{}, p
	}
	if err := a.addTunnel(&row, in.Hold, who); err != nil {
		return api.Tunnel{}, err
	}
	a.log.Info("tunnel added", slog.String(logging.KeyTunnel, row.ID), slog.String(logging.KeyHostname, row.Hostname),
		slog.String(logging.KeyOrigin, row.Origin), slog.String("by", who.Name), slog.Bool("hold", in.Hold))
	a.settle(ctx)
	if t, ok := a.look().Tunnel(row.ID); ok {
		return t, nil
	}
	// The agent is slow, or stopping: the tunnel is there all the same.
	return api.Tunnel{
		ID: row.ID, Hostname: row.Hostname, Origin: row.Origin, Edge: row.Edge, Paused: row.Paused, Hold: in.Hold,
		State: api.TunnelConnecting, Since: row.CreatedAt,
	}, nil
}

func (a *Agent) addTunnel(row *store.Tunnel, hold bool, who ipc.Identity) error {
	a.writing.Lock()
	defer a.writing.Unlock()
	edge, err := a.edgeFor(store.Machine, "", who)
	if err != nil {
		return err
	}
	row.Edge = edge.Name
	all, err := a.allTunnels()
	if err != nil {
		return a.stored(err)
	}
	if len(all) >= maxTunnels {
		return &api.Problem{Code: api.CodeLimit, Title: "Too many tunnels", Detail: "a machine may have 500"}
	}
	for _, t := range all {
		if t.Hostname == row.Hostname && t.Edge == row.Edge {
			return conflict("hostname", "Remove it first: sallyport tunnel rm "+t.Hostname, "%s is the tunnel %s to %s", t.Hostname, t.ID, t.Origin)
		}
	}
	if !hold {
		return a.stored(a.store.Tunnels.Put(row.ID, *row))
	}
	a.mu.Lock()
	a.memory.Tunnels[row.ID] = *row
	a.mu.Unlock()
	return nil
}

func (a *Agent) allTunnels() ([]store.Tunnel, error) {
	rows, err := a.store.Tunnels.List()
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	plan.ForEach(nil, a.memory.Tunnels, func(t store.Tunnel) { rows = append(rows, t) })
	return rows, nil
}

// Tunnel is one of the machine's tunnels. The caller is an administrator.
func (a *Agent) Tunnel(id string) (api.Tunnel, error) {
	if t, ok := a.look().Tunnel(id); ok {
		return t, nil
	}
	return api.Tunnel{}, notFound("tunnel")
}

// EditTunnel changes what the patch names; streams that are open go on. The
// caller is an administrator.
func (a *Agent) EditTunnel(ctx context.Context, who ipc.Identity, id string, patch api.TunnelPatch) (api.Tunnel, error) {
	if patch.Origin != nil {
		origin, p := check.Origin(*patch.Origin)
		if p != nil {
			return api.Tunnel{}, p
		}
		patch.Origin = &origin
	}
	if err := a.editTunnel(id, patch); err != nil {
		return api.Tunnel{}, err
	}
	a.log.Info("tunnel edited", slog.String(logging.KeyTunnel, id), slog.String("by", who.Name))
	a.settle(ctx)
	return a.Tunnel(id)
}

func (a *Agent) editTunnel(id string, patch api.TunnelPatch) error {
	a.writing.Lock()
	defer a.writing.Unlock()
	a.mu.Lock()
	held, ok := a.memory.Tunnels[id]
	if ok {
		assign(&held.Origin, patch.Origin)
		assign(&held.Paused, patch.Paused)
		a.memory.Tunnels[id] = held
	}
	a.mu.Unlock()
	if ok {
		return nil
	}
	row, err := a.store.Tunnels.Get(id)
	if errors.Is(err, store.ErrNotFound) {
		return notFound("tunnel")
	}
	if err != nil {
		return a.stored(err)
	}
	assign(&row.Origin, patch.Origin)
	assign(&row.Paused, patch.Paused)
	return a.stored(a.store.Tunnels.Put(id, row))
}

// RemoveTunnel publishes an app no longer. The caller is an administrator.
func (a *Agent) RemoveTunnel(ctx context.Context, who ipc.Identity, id string) error {
	if err := a.removeTunnel(id); err != nil {
		return err
	}
	a.log.Info("tunnel removed", slog.String(logging.KeyTunnel, id), slog.String("by", who.Name))
	a.settle(ctx)
	return nil
}

func (a *Agent) removeTunnel(id string) error {
	a.writing.Lock()
	defer a.writing.Unlock()
	a.mu.Lock()
	_, ok := a.memory.Tunnels[id]
	delete(a.memory.Tunnels, id)
	a.mu.Unlock()
	if ok {
		return nil
	}
	err := a.store.Tunnels.Delete(id)
	if errors.Is(err, store.ErrNotFound) {
		return notFound("tunnel")
	}
	return a.stored(err)
}

// ReleaseTunnel takes a held tunnel away: the request that held it is over.
func (a *Agent) ReleaseTunnel(id string) {
	a.mu.Lock()
	delete(a.memory.Tunnels, id)
	a.mu.Unlock()
	a.poke()
}
