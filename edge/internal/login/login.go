package login

import (
	"context"
	"log/slog"
	"net/netip"
	"time"

	"github.com/sallyport/sallyport/edge/internal/config"
	"github.com/sallyport/sallyport/edge/internal/policy"
	"github.com/sallyport/sallyport/wire"
)

// Config is what a Service needs to know.
type Config struct {
	// Edge gives the present configuration: web URL, sites, administrators,
	// allowed modes. Required; it is asked at every step.
	Edge func() *config.Config
	// Log is required.
	Log *slog.Logger
	// Clock is the time; nil means time.Now.
	Clock func() time.Time
}

// Service is the table of attempts.
type Service struct{}

// Identity is the person that the provider named, and how.
type Identity struct {
	policy.Subject
	Name     string
	AMR      []string
	ACR      string
	AuthTime time.Time
}

// Approved is what a redeemed attempt allows.
type Approved struct {
	Attempt    string
	Purpose    wire.LoginPurpose
	Mode       wire.LoginMode
	Identity   Identity
	DeviceName string
	OSUser     string
	// From is the daemon's address at the start, Browser the browser's at the
	// confirm page.
	From    netip.Addr
	Browser netip.Addr
	// Site and Hostnames are what the person chose (purpose enrol).
	Site      string
	Hostnames []string
}

// Ended is an attempt that ended without being redeemed, for the audit.
type Ended struct {
	Key      wire.KeyID
	Approved // as far as it got; Identity is zero before the provider's answer
	Reason   wire.Reason
}

// New returns an empty table.
func New(cfg Config) *Service { panic("soon") }

// Start begins an attempt; it replaces an older one of the same key and purpose.
// A refusal is a *wire.Reason.
func (s *Service) Start(ctx context.Context, key wire.KeyID, from netip.Addr, m *wire.LoginStart) (*wire.LoginStarted, error) {
	panic("soon")
}

// Redeem takes the code that the browser brought back. A refusal is a
// *wire.Reason: code "invalid" leaves the attempt as it is (try again), any
// other ends it.
func (s *Service) Redeem(ctx context.Context, key wire.KeyID, m *wire.LoginRedeem) (*Approved, error) {
	panic("soon")
}

// Cancel gives an attempt up; unknown ones are ignored.
func (s *Service) Cancel(key wire.KeyID, attempt string) { panic("soon") }

// OnEnded adds a hook for attempts that end otherwise than by Redeem or Cancel:
// refused, expired, replaced. Call it before the first Start; it must not block.
func (s *Service) OnEnded(hook func(key wire.KeyID, attempt string, r wire.Reason)) { panic("soon") }

// OnAudit adds a hook for every attempt that ends without being redeemed,
// cancelled ones included. Call it before the first Start; it must not block.
func (s *Service) OnAudit(hook func(Ended)) { panic("soon") }

// Run expires attempts until ctx ends, then returns nil.
func (s *Service) Run(ctx context.Context) error { panic("soon") }
