// Package admintest runs the administration of an edge for tests: real rooms on
// a real socket, and a stand-in for the relay.
package admintest

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/edge/internal/admin"
	"github.com/sallyport/sallyport/edge/internal/audit"
	"github.com/sallyport/sallyport/edge/internal/config"
	"github.com/sallyport/sallyport/edge/internal/enrol"
	"github.com/sallyport/sallyport/edge/internal/idp"
	"github.com/sallyport/sallyport/edge/internal/policy"
	"github.com/sallyport/sallyport/edge/internal/relay"
	"github.com/sallyport/sallyport/edge/internal/sessions"
	"github.com/sallyport/sallyport/edge/internal/store"
	"github.com/sallyport/sallyport/wire"
)

// Edge is an edge without its public port.
type Edge struct {
	Dir      string // of edge.yaml
	Config   string // the path of edge.yaml
	Socket   string
	Apps     *policy.Apps
	Sessions *sessions.Service
	Enrol    *enrol.Service
	People   *idp.People
	Audit    *audit.Log
	Relay    *Relay
}

// Options shape an Edge.
type Options struct {
	// External is true for an edge without people of its own.
	External bool
}

// Relay stands in for the relay: a list of streams that can be cut.
type Relay struct {
	mu   sync.Mutex
	live []relay.StreamInfo
	Cuts []wire.Reason
}

// Open adds a stream.
func (r *Relay) Open(info relay.StreamInfo) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.live = append(r.live, info)
}

// Streams lists the streams.
func (r *Relay) Streams() []relay.StreamInfo {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.live)
}

// CutStream removes a stream.
func (r *Relay) CutStream(_ context.Context, id wire.StreamID, why wire.Reason) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.live, func(s relay.StreamInfo) bool { return s.ID == id })
	if i < 0 {
		return relay.ErrNoStream
	}
	r.live, r.Cuts = slices.Delete(r.live, i, i+1), append(r.Cuts, why)
	return nil
}

// Links counts the streams.
func (r *Relay) Links() relay.Counts {
	return relay.Counts{Clients: 2, Hosts: 1, Trunks: 1, Streams: len(r.Streams())}
}

// Start runs an edge named edge.site.com with the site site.com until the end
// of the test.
func Start(t *testing.T, o Options) *Edge {
	t.Helper()
	// Not t.TempDir: a socket's path has about 100 bytes at most, and the test's
	// name is in it.
	dir, err := os.MkdirTemp("", "edge")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	e := &Edge{Dir: dir, Config: filepath.Join(dir, "edge.yaml"), Relay: &Relay{}}
	text := config.Template(config.TemplateInput{Name: "edge.site.com", Listen: ":8443", State: "state", Zones: []string{"site.com"}})
	if err := os.WriteFile(e.Config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(e.Config)
	if err != nil {
		t.Fatal(err)
	}
	e.Socket = c.Socket()
	e.serve(t, c, o)
	return e
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func (e *Edge) serve(t *testing.T, c *config.Config, o Options) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	db := must[*store.Bolt](t)(store.Open(c.Database(), log))
	t.Cleanup(func() { db.Close() })
	ctx, cancel := context.WithCancel(context.Background())
	e.Apps = must[*policy.Apps](t)(policy.NewApps(ctx, db, log))
	e.Sessions = must[*sessions.Service](t)(sessions.New(ctx, db, time.Hour, log))
	e.Enrol = must[*enrol.Service](t)(enrol.New(ctx, db, func() []config.Site { return c.Sites }, log))
	e.Audit = must[*audit.Log](t)(audit.Open(c.Audit.File, c.ID, log))
	rooms := admin.Rooms{Settings: func() *config.Config { return c }, Apps: e.Apps, Sessions: e.Sessions, Enrol: e.Enrol,
		Relay: e.Relay, Audit: e.Audit, Log: log, StartedAt: time.Now(),
		Drain: func(deadline time.Time) time.Time { return deadline }}
	if !o.External {
		provider := must[*idp.Provider](t)(idp.New(ctx, db, idp.Config{WebURL: c.WebURL(), Log: log}))
		e.People = provider.People()
		rooms.People, rooms.SetupLink = e.People, provider.SetupLink
	}
	l, err := admin.Listen(c.Socket())
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { e.Audit.Run(ctx) })
	wg.Go(func() {
		if err := admin.Serve(ctx, l, admin.New(rooms)); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
}
