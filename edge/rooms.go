package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/edge/internal/admin"
	"github.com/sallyport/sallyport/edge/internal/audit"
	"github.com/sallyport/sallyport/edge/internal/authn"
	"github.com/sallyport/sallyport/edge/internal/certs"
	"github.com/sallyport/sallyport/edge/internal/config"
	"github.com/sallyport/sallyport/edge/internal/enrol"
	"github.com/sallyport/sallyport/edge/internal/idp"
	"github.com/sallyport/sallyport/edge/internal/login"
	"github.com/sallyport/sallyport/edge/internal/metrics"
	"github.com/sallyport/sallyport/edge/internal/policy"
	"github.com/sallyport/sallyport/edge/internal/registry"
	"github.com/sallyport/sallyport/edge/internal/relay"
	"github.com/sallyport/sallyport/edge/internal/sessions"
	"github.com/sallyport/sallyport/edge/internal/store"
	"github.com/sallyport/sallyport/edge/internal/web"
	"github.com/sallyport/sallyport/internal/buildinfo"
	"github.com/sallyport/sallyport/wire"
)

// rooms is everything that one edge is made of.
type rooms struct {
	path     string // of the config file
	log      *slog.Logger
	settings atomic.Pointer[config.Config]

	certs    *certs.Certs
	store    *store.Bolt
	audit    *audit.Log
	apps     *policy.Apps
	sessions *sessions.Service
	enrol    *enrol.Service
	idp      *idp.Provider // nil with an external provider
	provider *provider
	login    *login.Service
	relay    *relay.Relay
	metrics  *metrics.Metrics
	leaving  leaving
}

// openRooms opens what an edge keeps and joins its rooms. Nothing runs yet.
func openRooms(ctx context.Context, path string, c *config.Config, log *slog.Logger) (r *rooms, err error) {
	r = &rooms{path: path, log: log, metrics: metrics.New(buildinfo.Version()), leaving: leaving{asked: make(chan time.Time, 1)}}
	r.settings.Store(c)
	if err := os.MkdirAll(c.State, 0o700); err != nil {
		return nil, fmt.Errorf("make state directory: %w", err)
	}
	if r.certs, err = certs.Open(c, log); err != nil {
		return nil, err
	}
	if r.store, err = store.Open(c.Database(), log); err != nil {
		return nil, err
	}
	if err := r.openKept(ctx, c); err != nil {
		r.store.Close()
		return nil, err
	}
	if err := r.join(ctx, c); err != nil {
		r.store.Close()
		return nil, err
	}
	return r, nil
}

// openKept opens the rooms that keep rows.
func (r *rooms) openKept(ctx context.Context, c *config.Config) (err error) {
	if r.apps, err = policy.NewApps(ctx, r.store, r.log); err != nil {
		return err
	}
	if r.sessions, err = sessions.New(ctx, r.store, c.Session.Lifetime, r.log); err != nil {
		return err
	}
	sites := func() []config.Site { return r.settings.Load().Sites }
	if r.enrol, err = enrol.New(ctx, r.store, sites, r.log); err != nil {
		return err
	}
	r.audit, err = audit.Open(c.Audit.File, c.ID, r.log)
	return err
}

// join makes the rooms that work on them.
func (r *rooms) join(ctx context.Context, c *config.Config) (err error) {
	if c.OIDC == nil {
		if r.idp, err = idp.New(ctx, r.store, idp.Config{WebURL: c.WebURL(), Log: r.log}); err != nil {
			return err
		}
		r.idp.People().OnRemoved(r.personRemoved)
	}
	first, err := r.newProvider(c)
	if err != nil {
		return err
	}
	r.provider = &provider{}
	r.provider.Store(first)
	r.login = login.New(login.Config{Edge: r.settings.Load, Log: r.log})
	r.relay = relay.New(relay.Config{
		Settings: r.settings.Load, Certificate: r.certs.Get, Web: r.pages(),
		Sessions: r.sessions, Enrol: r.enrol, Login: r.login, Apps: r.apps,
		Registry: registry.New(), Audit: r.audit, Meter: r.metrics, Log: r.log,
	})
	r.metrics.Watch(r.gauges)
	return nil
}

// newProvider is the relying party's view of the provider that c names.
func (r *rooms) newProvider(c *config.Config) (*authn.Provider, error) {
	a := authn.Config{RedirectURL: c.WebURL() + "/callback", Log: r.log}
	if c.OIDC == nil {
		a.Issuer, a.Transport = r.idp.Issuer(), r.idp.Transport()
		a.ClientID, a.ClientSecret = r.idp.Client()
		return authn.New(a)
	}
	a.Issuer, a.ClientID, a.SecretFile = c.OIDC.Issuer, c.OIDC.ClientID, c.OIDC.ClientSecretFile
	a.Scopes, a.GroupsClaim, a.CAFile = c.OIDC.Scopes, c.OIDC.GroupsClaim, c.OIDC.CAFile
	return authn.New(a)
}

// pages is the web side.
func (r *rooms) pages() http.Handler {
	w := web.Config{Edge: r.settings.Load, Logins: r.login, Provider: r.provider, Log: r.log}
	if r.idp != nil {
		w.IDP, w.Setup = r.idp.Handler(), r.idp
	}
	return web.New(w)
}

// adminHandler is what the commands of sallyport-edge talk to.
func (r *rooms) adminHandler() http.Handler {
	a := admin.Rooms{
		Settings: r.settings.Load, Apps: r.apps, Sessions: r.sessions, Enrol: r.enrol,
		Relay: r.relay, Audit: r.audit, Log: r.log, StartedAt: time.Now().UTC(),
		Drain: r.leaving.ask,
	}
	if r.idp != nil {
		a.People, a.SetupLink = people{r.idp.People(), r}, r.idp.SetupLink
	}
	return admin.New(a)
}

// personRemoved ends the sessions of somebody who was removed, and the logins
// that are under way.
func (r *rooms) personRemoved(ctx context.Context, issuer, subject string) {
	why := wire.Reason{
		Code: wire.CodeRevoked, Text: "your account was removed by an administrator",
		Hint: "ask an administrator of " + r.settings.Load().Name,
	}
	// In this order: a login that passes the first is stopped by the second.
	r.login.RefusePerson(issuer, subject, why)
	if err := r.sessions.EndPerson(ctx, issuer, subject, why); err != nil {
		r.log.Error("sessions of a removed person not ended", "error", err)
	}
}

// people are those of the embedded provider, whose groups count at once.
type people struct {
	*idp.People
	rooms *rooms
}

// SetGroups returns when nothing lives that the new groups do not allow.
func (p people) SetGroups(ctx context.Context, email string, groups []string) (idp.Person, error) {
	who, err := p.People.SetGroups(ctx, email, groups)
	if err != nil {
		return who, err
	}
	issuer := p.rooms.idp.Issuer()
	err = p.rooms.sessions.SetGroups(ctx, issuer, who.Subject, who.Groups)
	p.rooms.relay.PersonChanged(ctx, issuer, who.Subject)
	return who, err
}

func (r *rooms) gauges() metrics.Gauges {
	c := r.relay.Links()
	return metrics.Gauges{
		ClientLinks: c.Clients, HostLinks: c.Hosts, WaitingLinks: c.Waiting,
		Trunks: c.Trunks, Streams: c.Streams, Parked: c.Parked, BytesSpliced: c.BytesSpliced,
	}
}

// provider is the identity provider in use; a reload swaps it.
type provider struct{ atomic.Pointer[authn.Provider] }

// Issuer is the exact issuer of its tokens.
func (p *provider) Issuer() string { return p.Load().Issuer() }

// AuthURL is where the browser goes.
func (p *provider) AuthURL(ctx context.Context, r authn.Request) (string, error) {
	return p.Load().AuthURL(ctx, r)
}

// Exchange turns the code of the callback into a checked identity.
func (p *provider) Exchange(ctx context.Context, code, verifier, nonce string) (authn.Identity, error) {
	return p.Load().Exchange(ctx, code, verifier, nonce)
}
