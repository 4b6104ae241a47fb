package agent

import (
	"context"
	"errors"
	"log/slog"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/daemon/internal/agent/check"
	"github.com/sallyport/sallyport/daemon/internal/agent/picture"
	"github.com/sallyport/sallyport/daemon/internal/agent/plan"
	"github.com/sallyport/sallyport/daemon/internal/forward"
	"github.com/sallyport/sallyport/daemon/internal/store"
	"github.com/sallyport/sallyport/internal/ipc"
	"github.com/sallyport/sallyport/internal/logging"
)

// maxForwards bounds what one OS user may have: each is a listener or two.
const maxForwards = 1000

// AddForward sets a forward up: kept in the database, or with Hold in memory
// until ReleaseForward.
func (a *Agent) AddForward(ctx context.Context, who ipc.Identity, in api.ForwardInput) (api.Forward, error) {
	row := store.Forward{
		ID: newID("fwd"), Owner: who.Owner(), OwnerName: who.Name, Listen: in.Listen, HTTP: in.HTTP, Paused: in.Paused, Share: in.Share, CreatedAt: a.now().UTC(),
	}
	var p *api.Problem
	if row.Hostname, p = check.Hostname(in.Hostname); p != nil {
		return api.Forward{}, p
	}
	if err := a.addForward(&row, in, who); err != nil {
		return api.Forward{}, err
	}
	a.log.Info("forward added", slog.String(logging.KeyForward, row.ID), slog.String(logging.KeyOwner, who.Name),
		slog.String(logging.KeyHostname, row.Hostname), slog.String(logging.KeyListen, row.Listen), slog.Bool("hold", in.Hold))
	a.settle(ctx)
	a.bound(ctx, row.ID)
	if f, ok := a.look().Forward(who, row.ID); ok {
		return f, nil
	}
	// The agent is slow, or stopping: the forward is there all the same.
	return api.Forward{
		ID: row.ID, Hostname: row.Hostname, Listen: row.Listen, Edge: row.Edge, HTTP: row.HTTP, Paused: row.Paused, Hold: in.Hold, Share: row.Share,
		Owner: row.OwnerName, State: api.ForwardStarting, Since: row.CreatedAt,
	}, nil
}

func (a *Agent) addForward(row *store.Forward, in api.ForwardInput, who ipc.Identity) error {
	a.writing.Lock()
	defer a.writing.Unlock()
	edge, err := a.edgeFor(who.Owner(), in.Edge, who)
	if err != nil {
		return err
	}
	row.Edge = edge.Name
	if err := a.checkForward(*row, who); err != nil {
		return err
	}
	if !in.Hold {
		return a.stored(a.store.Forwards.Put(row.ID, *row))
	}
	a.mu.Lock()
	a.memory.Forwards[row.ID] = *row
	a.mu.Unlock()
	return nil
}

// checkForward judges a forward against all others. The caller holds writing.
func (a *Agent) checkForward(row store.Forward, who ipc.Identity) error {
	if p := check.Listen(row.Listen, who); p != nil {
		return p
	}
	if p := forward.CheckListen(row.Listen, who.Administrator); p != nil {
		return p
	}
	if p := check.Share(row.Share, row.Listen, who); p != nil {
		return p
	}
	all, err := a.allForwards()
	if err != nil {
		return a.stored(err)
	}
	mine := 0
	for _, f := range all {
		if f.ID == row.ID {
			continue
		}
		if f.Owner == row.Owner {
			mine++
		}
		switch {
		case f.Listen != row.Listen:
		case f.Owner == row.Owner:
			return conflict("listen", "Change it: sallyport forward edit "+f.Listen+", or choose another port", "%s is the forward %s to %s", f.Listen, f.ID, f.Hostname)
		default:
			return conflict("listen", "Choose another port", "%s is a forward of another user", f.Listen)
		}
	}
	if mine >= maxForwards {
		return &api.Problem{Code: api.CodeLimit, Title: "Too many forwards", Detail: "a user may have 1,000"}
	}
	return nil
}

// allForwards are the kept and the held ones.
func (a *Agent) allForwards() ([]store.Forward, error) {
	c, err := a.store.Load()
	if err != nil {
		return nil, err
	}
	rows := plan.WithoutFormer(c).Forwards
	a.mu.Lock()
	defer a.mu.Unlock()
	plan.ForEach(nil, a.memory.Forwards, func(f store.Forward) { rows = append(rows, f) })
	return rows, nil
}

// Forward is one forward that the caller may see.
func (a *Agent) Forward(who ipc.Identity, id string) (api.Forward, error) {
	if f, ok := a.look().Forward(who, id); ok {
		return f, nil
	}
	return api.Forward{}, notFound("forward")
}

// EditForward changes what the patch names; the connections of a forward whose
// hostname or address changes are closed.
func (a *Agent) EditForward(ctx context.Context, who ipc.Identity, id string, patch api.ForwardPatch) (api.Forward, error) {
	edit := func(row *store.Forward) error {
		if patch.Hostname != nil {
			hostname, p := check.Hostname(*patch.Hostname)
			if p != nil {
				return p
			}
			row.Hostname = hostname
		}
		assign(&row.Listen, patch.Listen)
		assign(&row.HTTP, patch.HTTP)
		assign(&row.Paused, patch.Paused)
		assign(&row.Share, patch.Share)
		if patch == (api.ForwardPatch{Paused: patch.Paused}) {
			return nil // what is switched off or on again was judged when it was made
		}
		return a.checkForward(*row, who)
	}
	if err := a.editForward(who, id, edit); err != nil {
		return api.Forward{}, err
	}
	a.log.Info("forward edited", slog.String(logging.KeyForward, id), slog.String(logging.KeyOwner, who.Name))
	a.settle(ctx)
	a.bound(ctx, id)
	return a.Forward(who, id)
}

func (a *Agent) editForward(who ipc.Identity, id string, edit func(*store.Forward) error) error {
	a.writing.Lock()
	defer a.writing.Unlock()
	a.mu.Lock()
	held, ok := a.memory.Forwards[id]
	a.mu.Unlock()
	if ok && picture.MaySee(who, held.Owner) {
		if err := edit(&held); err != nil {
			return err
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		if _, still := a.memory.Forwards[id]; !still {
			return notFound("forward")
		}
		a.memory.Forwards[id] = held
		return nil
	}
	row, err := a.store.Forwards.Get(id)
	if errors.Is(err, store.ErrNotFound) || (err == nil && !picture.MaySee(who, row.Owner)) {
		return notFound("forward")
	}
	if err != nil {
		return a.stored(err)
	}
	if err := edit(&row); err != nil {
		return err
	}
	return a.stored(a.store.Forwards.Put(id, row))
}

// RemoveForward takes a forward away; its connections are closed.
func (a *Agent) RemoveForward(ctx context.Context, who ipc.Identity, id string) error {
	if err := a.removeForward(who, id); err != nil {
		return err
	}
	a.log.Info("forward removed", slog.String(logging.KeyForward, id), slog.String(logging.KeyOwner, who.Name))
	a.settle(ctx)
	return nil
}

func (a *Agent) removeForward(who ipc.Identity, id string) error {
	a.writing.Lock()
	defer a.writing.Unlock()
	a.mu.Lock()
	held, ok := a.memory.Forwards[id]
	if ok = ok && picture.MaySee(who, held.Owner); ok {
		delete(a.memory.Forwards, id)
	}
	a.mu.Unlock()
	if ok {
		return nil
	}
	row, err := a.store.Forwards.Get(id)
	if errors.Is(err, store.ErrNotFound) || (err == nil && !picture.MaySee(who, row.Owner)) {
		return notFound("forward")
	}
	if err == nil {
		err = a.store.Forwards.Delete(id)
	}
	return a.stored(err)
}

// ReleaseForward takes a held forward away: the request that held it is over.
func (a *Agent) ReleaseForward(id string) {
	a.mu.Lock()
	delete(a.memory.Forwards, id)
	a.mu.Unlock()
	a.poke()
}

func assign[T any](dst *T, v *T) {
	if v != nil {
		*dst = *v
	}
}
