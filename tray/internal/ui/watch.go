package ui

import (
	"context"
	"slices"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/tray/internal/menu"
)

const (
	// reconnectEvery is how often a daemon that does not answer is looked for.
	reconnectEvery = 2 * time.Second
	// callTime bounds a call of the daemon that answers at once.
	callTime = 15 * time.Second
)

// watch follows the daemon, and looks for it while it does not answer.
func (t *Tray) watch(ctx context.Context) {
	for ctx.Err() == nil {
		for ev, err := range t.Client.Watch(ctx) {
			if err != nil {
				t.lost(ctx, err)
				break
			}
			if ev.Status != nil {
				t.update(ctx, t.changed(*ev.Status))
				t.taker.Offer(ev.Status)
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(reconnectEvery):
		}
	}
}

func (t *Tray) lost(ctx context.Context, err error) {
	t.Log.Debug("daemon lost", "error", err)
	t.update(ctx, func(v *menu.View) { v.Down = err.Error() })
}

// changed takes a new status over. It runs in Run.
func (t *Tray) changed(st api.Status) func(*menu.View) {
	return func(v *menu.View) {
		before := v.Status
		v.Status, v.Down = st, ""
		if t.known {
			for _, n := range menu.Notices(before, st) {
				t.notice(n)
			}
		}
		if !t.known || appsDiffer(before, st) {
			poke(t.apps)
		}
		t.known = true
	}
}

// appsDiffer says whether other apps may be in reach: who is signed in where,
// by which edge, and whether it can be asked.
func appsDiffer(a, b api.Status) bool {
	active := func(st api.Status) []string {
		var ids []string
		for _, s := range st.Sessions {
			if s.State == api.SessionActive {
				ids = append(ids, s.ID)
			}
		}
		for _, e := range st.Edges {
			ids = append(ids, e.Name, string(e.Link.State))
		}
		return ids
	}
	return !slices.Equal(active(a), active(b))
}

// fetchApps asks for the apps that can be reached, when something says that
// there may be others.
func (t *Tray) fetchApps(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.apps:
		}
		call, cancel := context.WithTimeout(ctx, callTime)
		apps, err := t.Client.Apps(call, "")
		cancel()
		if err != nil {
			t.Log.Debug("cannot list the apps", "error", err)
			apps = nil
		}
		t.update(ctx, func(v *menu.View) { v.Apps = apps })
	}
}
