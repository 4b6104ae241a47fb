// Package web serves the edge's pages.
package web

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/sallyport/sallyport/edge/internal/authn"
	"github.com/sallyport/sallyport/edge/internal/config"
	"github.com/sallyport/sallyport/edge/internal/login"
)

// Provider is who tells the pages whose browser it is; authn.Provider is one.
type Provider interface {
	AuthURL(ctx context.Context, r authn.Request) (string, error)
	Exchange(ctx context.Context, code, verifier, nonce string) (authn.Identity, error)
}

// Setup makes the first administrator.
type Setup interface {
	// CheckSetup says whether the token of a set-up link is good.
	CheckSetup(token string) error
	// SetupPerson makes the person; an error that is a person's fault is shown.
	SetupPerson(ctx context.Context, token, email, name, password string) error
}

// Config is what the pages are made of.
type Config struct {
	// Edge gives the present configuration. Required.
	Edge func() *config.Config
	// Logins are required.
	Logins *login.Service
	// Provider is required.
	Provider Provider
	// IDP serves /idp/ and Setup serves /setup; both nil with an external provider.
	IDP   http.Handler
	Setup Setup
	Log   *slog.Logger
}

// New returns the handler of the edge's web side.
func New(cfg Config) http.Handler { panic("soon") }
