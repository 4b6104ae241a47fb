package walk

import (
	"context"
	"slices"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/ctl/internal/cli/view"
)

// Forward keeps a forward until ctx ends, tells what changes, and takes the
// logins that its connections want.
func (w *Walk) Forward(ctx context.Context, in api.ForwardInput, noBrowser bool) error {
	var taker companion
	// A code could be typed only where somebody types, or says so.
	if mode, _ := w.Term.LoginMode(noBrowser); mode == api.ModeLoopback || noBrowser || w.Term.Terminal {
		taker = w.taker(in.Edge, noBrowser, w.Term.Typed)
	}
	return w.beside(ctx, in.Edge, taker, func(ctx context.Context) error {
		var before *api.Forward
		for f, err := range w.Client.HoldForward(ctx, in) {
			if err != nil {
				return err
			}
			if err := w.Term.Line(f); err != nil {
				return err
			}
			// What cannot be bound at first is a mistake; later it may pass.
			if f.State == api.ForwardError && (before == nil || before.State == api.ForwardStarting) {
				return given(f.Problem, "the forward does not listen")
			}
			w.Term.Note(view.ForwardChange(before, &f)...)
			before = &f
		}
		return nil
	})
}

// Tunnel publishes an app until ctx ends and tells what changes. A refusal at
// the start is final, a later one may pass.
func (w *Walk) Tunnel(ctx context.Context, in api.TunnelInput) error {
	var before *api.Tunnel
	published := false
	for t, err := range w.Client.HoldTunnel(ctx, in) {
		if err != nil {
			return err
		}
		if err := w.Term.Line(t); err != nil {
			return err
		}
		switch t.State {
		case api.TunnelRefused, api.TunnelEnrolNeeded, api.TunnelError:
			if !published {
				return given(t.Problem, "the tunnel is "+string(t.State))
			}
		case api.TunnelPublished, api.TunnelOriginDown:
			published = true
		}
		w.Term.Note(view.TunnelChange(before, &t)...)
		before = &t
	}
	return nil
}

// settleTime is how long a command waits to hear what became of a tunnel.
const settleTime = 3 * time.Second

// Settled waits a moment until the edge has said yes or no to a tunnel, and
// gives it as it is then.
func (w *Walk) Settled(ctx context.Context, t api.Tunnel) api.Tunnel {
	if t.State != api.TunnelConnecting {
		return t
	}
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	for ev, err := range w.Client.Watch(ctx) {
		if err != nil {
			break // what is known already is an answer
		}
		if ev.Status == nil {
			continue
		}
		i := slices.IndexFunc(ev.Status.Tunnels, func(now api.Tunnel) bool { return now.ID == t.ID })
		if i < 0 {
			break
		}
		if t = ev.Status.Tunnels[i]; t.State != api.TunnelConnecting {
			break
		}
	}
	return t
}

// given is the problem as an error, or one made of a title.
func given(p *api.Problem, title string) error {
	if p == nil {
		return &api.Problem{Code: api.CodeInternal, Title: title, Hint: "sallyport status"}
	}
	return p
}
