package sessions

import (
	"context"
	"log/slog"
	"time"

	"github.com/sallyport/sallyport/edge/internal/store"
	"github.com/sallyport/sallyport/wire"
)

// Service holds all sessions of the edge.
type Service struct{}

// New reads the sessions from the store. lifetime is how long a new session
// lives.
func New(ctx context.Context, s store.Store, lifetime time.Duration, log *slog.Logger) (*Service, error) {
	panic("soon")
}

// Create writes a new session and ends an older one of the same key. The token
// goes to the daemon and is nowhere else.
func (s *Service) Create(ctx context.Context, n NewSession) (Session, string, error) { panic("soon") }

// Resume takes the token that a daemon showed in its hello and gives the next.
// A refusal is a *wire.Reason.
func (s *Service) Resume(ctx context.Context, key wire.KeyID, token string) (Session, string, error) {
	panic("soon")
}

// Get returns a live session. It is cheap: called for every stream.
func (s *Service) Get(id string) (Session, bool) { panic("soon") }

// ByKey returns the live session of a device key.
func (s *Service) ByKey(key wire.KeyID) (Session, bool) { panic("soon") }

// End ends a session: the row is durable, then every hook of OnEnd has
// returned, then End returns. Ending an ended session does nothing;
// store.ErrNotFound where there never was one.
func (s *Service) End(ctx context.Context, id string, r wire.Reason) error { panic("soon") }

// EndPerson ends every session of a person.
func (s *Service) EndPerson(ctx context.Context, issuer, subject string, r wire.Reason) error {
	panic("soon")
}

// OnEnd adds a hook; call it before Run. A hook must not call End for the same session.
func (s *Service) OnEnd(hook func(ctx context.Context, s Session, r wire.Reason)) { panic("soon") }

// List returns every session, live and ended, the newest first.
func (s *Service) List(ctx context.Context) ([]Session, error) { panic("soon") }

// SetLifetime changes how long sessions made from now on live.
func (s *Service) SetLifetime(d time.Duration) { panic("soon") }

// Run ends sessions at their expiry and drops ended ones after 30 days. It
// returns nil when ctx ends.
func (s *Service) Run(ctx context.Context) error { panic("soon") }
