package policy

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/edge/internal/store"
)

// Apps are all apps of the edge: durable in the store, and in memory for Get.
type Apps struct {
	table *store.Table[App]
	log   *slog.Logger

	// all is replaced as a whole, so that Get takes no lock.
	all atomic.Pointer[map[string]*App]
	mu  sync.Mutex // held by writers of table and all, and guards removed and changed

	removed []func(ctx context.Context, hostname string)
	changed []func(ctx context.Context, hostname string)
}

// NewApps loads the apps. One that is broken is not loaded, which denies
// everybody, and said in the log.
func NewApps(ctx context.Context, s store.Store, log *slog.Logger) (*Apps, error) {
	a := &Apps{table: store.NewTable[App](s, "apps"), log: log}
	kvs, _, err := s.List(ctx, a.table.Prefix())
	if err != nil {
		return nil, fmt.Errorf("load the apps: %w", err)
	}
	all := make(map[string]*App, len(kvs))
	for _, kv := range kvs {
		app, err := a.table.Decode(kv)
		if err == nil {
			app, err = normal(app)
		}
		if err == nil && a.table.Key(app.Hostname) != kv.Key {
			err = fmt.Errorf("the row is that of %s", app.Hostname)
		}
		if err != nil {
			log.Error("app is broken and admits nobody", "row", kv.Key, "error", err)
			continue
		}
		all[app.Hostname] = &app
	}
	a.all.Store(&all)
	return a, nil
}

// Get returns the app of a hostname in normal form. It must not be changed.
func (a *Apps) Get(hostname string) (*App, bool) {
	app, ok := (*a.all.Load())[hostname]
	return app, ok
}

// ResumeWindow is how long a stream of a hostname waits for another trunk; 0
// where it does not.
func (a *Apps) ResumeWindow(hostname string) time.Duration {
	if app, ok := a.Get(hostname); ok {
		return app.ResumeWindow()
	}
	return 0
}

// List returns all apps, ordered by hostname. Their rules must not be changed.
func (a *Apps) List() []App {
	all := *a.all.Load()
	apps := make([]App, 0, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		apps = append(apps, *all[name])
	}
	return apps
}

// Create is Put for a hostname that has no app; else store.ErrExists.
func (a *Apps) Create(ctx context.Context, app App) error {
	return a.write(ctx, app, a.table.Create)
}

// Put checks, normalises and writes an app, new or not. Its version and time
// are set here. It counts for every stream opened after it returns, and returns
// when every hook of OnChanged has.
func (a *Apps) Put(ctx context.Context, app App) error {
	return a.write(ctx, app, a.table.Put)
}

func (a *Apps) write(ctx context.Context, app App, write func(context.Context, string, App) error) error {
	app, err := normal(app)
	if err != nil {
		return err
	}
	if err := a.store(ctx, app, write); err != nil {
		return err
	}
	a.mu.Lock()
	hooks := slices.Clone(a.changed)
	a.mu.Unlock()
	for _, hook := range hooks {
		hook(ctx, app.Hostname)
	}
	return nil
}

func (a *Apps) store(ctx context.Context, app App, write func(context.Context, string, App) error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	app.Version, app.UpdatedAt = 1, time.Now().UTC()
	if old, ok := a.Get(app.Hostname); ok {
		app.Version = old.Version + 1
	}
	if err := write(ctx, app.Hostname, app); err != nil {
		return err
	}
	a.replaceLocked(func(all map[string]*App) { all[app.Hostname] = &app })
	return nil
}

func (a *Apps) replaceLocked(change func(map[string]*App)) {
	all := maps.Clone(*a.all.Load())
	change(all)
	a.all.Store(&all)
}

// Remove deletes an app (store.ErrNotFound) and returns when every hook of
// OnRemoved has. A broken app can be removed too.
func (a *Apps) Remove(ctx context.Context, hostname string) error {
	name, err := Normalise(hostname)
	if err != nil {
		return err
	}
	a.mu.Lock()
	err = a.table.Delete(ctx, name)
	if err == nil {
		a.replaceLocked(func(all map[string]*App) { delete(all, name) })
	}
	hooks := slices.Clone(a.removed)
	a.mu.Unlock()
	if err != nil {
		return err
	}
	for _, hook := range hooks {
		hook(ctx, name)
	}
	return nil
}

// OnChanged adds a hook that Create and Put wait for: the relay cuts the streams
// that the app no longer allows.
func (a *Apps) OnChanged(hook func(ctx context.Context, hostname string)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.changed = append(a.changed, hook)
}

// OnRemoved adds a hook that Remove waits for: the relay cuts the app's streams.
func (a *Apps) OnRemoved(hook func(ctx context.Context, hostname string)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.removed = append(a.removed, hook)
}
