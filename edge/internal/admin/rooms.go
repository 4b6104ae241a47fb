package admin

import (
	"context"
	"log/slog"
	"time"

	"github.com/sallyport/sallyport/edge/internal/audit"
	"github.com/sallyport/sallyport/edge/internal/config"
	"github.com/sallyport/sallyport/edge/internal/enrol"
	"github.com/sallyport/sallyport/edge/internal/idp"
	"github.com/sallyport/sallyport/edge/internal/policy"
	"github.com/sallyport/sallyport/edge/internal/relay"
	"github.com/sallyport/sallyport/edge/internal/sessions"
	"github.com/sallyport/sallyport/wire"
)

// Rooms are what is administered. All are required but People and SetupLink,
// which are nil with an external provider.
type Rooms struct {
	Settings  func() *config.Config
	Apps      Apps
	People    People
	SetupLink func() string
	Sessions  Sessions
	Enrol     Enrol
	Relay     Relay
	Audit     Audit
	Log       *slog.Logger
	// Drain has the edge leave at the deadline, or before where no stream is left;
	// it returns at once, with the deadline that is in force.
	Drain func(deadline time.Time) time.Time
	// StartedAt is when the edge started.
	StartedAt time.Time
}

// Apps is *policy.Apps.
type Apps interface {
	Get(hostname string) (*policy.App, bool)
	List() []policy.App
	Create(ctx context.Context, app policy.App) error
	Put(ctx context.Context, app policy.App) error
	Remove(ctx context.Context, hostname string) error
}

// People is *idp.People.
type People interface {
	Add(ctx context.Context, n idp.NewPerson) (idp.Person, string, error)
	Get(ctx context.Context, email string) (idp.Person, error)
	List(ctx context.Context) ([]idp.Person, error)
	Remove(ctx context.Context, email string) error
	SetGroups(ctx context.Context, email string, groups []string) (idp.Person, error)
	SetPassword(ctx context.Context, email, password string) (string, error)
}

// Sessions is *sessions.Service.
type Sessions interface {
	List(ctx context.Context) ([]sessions.Session, error)
	End(ctx context.Context, id string, why wire.Reason) error
}

// Enrol is *enrol.Service.
type Enrol interface {
	List(ctx context.Context) ([]enrol.Connector, error)
	Revoke(ctx context.Context, id string, why wire.Reason) error
	NewToken(ctx context.Context, spec enrol.TokenSpec) (string, enrol.Token, error)
	Tokens(ctx context.Context) ([]enrol.Token, error)
	RemoveToken(ctx context.Context, id string) error
}

// Relay is *relay.Relay.
type Relay interface {
	Streams() []relay.StreamInfo
	CutStream(ctx context.Context, id wire.StreamID, why wire.Reason) error
	Links() relay.Counts
}

// Audit is *audit.Log.
type Audit interface {
	Write(ctx context.Context, r audit.Record) error
	Tail(ctx context.Context, n int, follow bool, each func(line []byte) error) error
	Inspect() (audit.Summary, error)
}

var (
	_ Apps     = (*policy.Apps)(nil)
	_ People   = (*idp.People)(nil)
	_ Sessions = (*sessions.Service)(nil)
	_ Enrol    = (*enrol.Service)(nil)
	_ Relay    = (*relay.Relay)(nil)
	_ Audit    = (*audit.Log)(nil)
)
