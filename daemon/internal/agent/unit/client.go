package unit

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/daemon/internal/agent/picture"
	"github.com/sallyport/sallyport/daemon/internal/agent/plan"
	"github.com/sallyport/sallyport/daemon/internal/link"
	"github.com/sallyport/sallyport/daemon/internal/login"
	"github.com/sallyport/sallyport/internal/logging"
	"github.com/sallyport/sallyport/wire"
)

// logoutWait bounds the telling of the edge; without its answer the session
// ends here all the same.
const logoutWait = 5 * time.Second

// Client is one OS user at one edge.
type Client struct {
	parts
	Key  plan.ClientKey
	Spec plan.Link
	// Attempts are the logins of this client.
	Attempts *login.Attempts

	log   *slog.Logger
	link  *link.Link
	vault *vault
	bid   chan struct{} // one slot: a logout is to be delivered
}

// Client starts a client. ownerName is the OS user's name.
func (c Config) Client(key plan.ClientKey, spec plan.Link, ownerName string) (*Client, error) {
	cfg, err := c.linkConfig(key.Owner, key.Edge, spec)
	if err != nil {
		return nil, err
	}
	u := &Client{Key: key, Spec: spec, log: c.Log.With(logging.KeyOwner, ownerName), bid: make(chan struct{}, 1)}
	if u.vault, err = openVault(c.Store, key, c.Now, c.Saved); err != nil {
		return nil, err
	}
	cfg.Role, cfg.OSUser, cfg.Vault, cfg.Log = wire.RoleClient, ownerName, u.vault, u.log
	cfg.Keys = hostKeys{c.Store, key, spec.Strict}
	u.link = link.New(cfg)
	u.Attempts = c.attempts(key.Edge, spec, ownerName, sessionLink{u.link, u}, c.Log)
	u.link.OnLoginEnded(u.Attempts.Ended)
	u.parts = c.launch("client of "+key.Edge, u.log, u.link.Run, u.deliver)
	return u, nil
}

// Wake lets its link and its trunks look whether they still live.
func (u *Client) Wake() { u.link.Wake() }

// sessionLink is the link as the attempts see it.
type sessionLink struct {
	*link.Link
	client *Client
}

// HasSession leaves out a session that was signed out of.
func (l sessionLink) HasSession() bool { return l.client.HasSession() }

// Stop gives up what waits, and ends it.
func (u *Client) Stop() {
	u.Attempts.Close()
	u.parts.Stop()
}

// HasSession is the link's word, but for a session that was signed out of.
func (u *Client) HasSession() bool { return u.vault.farewell() == "" && u.link.HasSession() }

// Busy says whether somebody is using it whom no row of the database names.
func (u *Client) Busy() bool {
	return u.link.Snapshot().Streams > 0 || slices.ContainsFunc(u.Attempts.List(), underWay)
}

func underWay(l api.Login) bool { return !l.State.Final() }

// Open opens a stream to a hostname, but not on a session that was signed out of.
func (u *Client) Open(ctx context.Context, hostname string) (*wire.Stream, error) {
	if u.vault.farewell() != "" {
		return nil, link.ProblemOf(&wire.Reason{Code: wire.CodeLoginNeeded})
	}
	return u.link.Open(ctx, hostname)
}

// OpenWith is Open with payload that goes ahead of the Verdict.
func (u *Client) OpenWith(ctx context.Context, hostname string, early []byte) (s *wire.Stream, sent int, err error) {
	if u.vault.farewell() != "" {
		return nil, 0, link.ProblemOf(&wire.Reason{Code: wire.CodeLoginNeeded})
	}
	return u.link.OpenWith(ctx, hostname, early)
}

// Apps asks which hostnames the session's person may reach.
func (u *Client) Apps(ctx context.Context) ([]api.App, error) {
	if u.vault.farewell() != "" {
		return nil, link.ProblemOf(&wire.Reason{Code: wire.CodeLoginNeeded})
	}
	return u.link.Apps(ctx)
}

// Logout ends the session here at once, and at the edge now or as soon as it
// can be reached.
func (u *Client) Logout(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, logoutWait)
	defer cancel()
	return u.link.Logout(ctx)
}

// Tend passes on what the link knows: who waits for a session is told, and the
// edge hears of a logout once it can be reached.
func (u *Client) Tend() {
	u.Attempts.Poke()
	id := u.vault.farewell()
	snap := u.link.Snapshot()
	switch {
	case id == "" || snap.Link.State != api.LinkOnline:
	case snap.Session == nil: // the edge knows no session of this key
		if err := u.vault.delivered(); err != nil {
			u.log.Warn("logout not forgotten", slog.String(logging.KeyEdge, u.Key.Edge), slog.Any(logging.KeyError, err))
		}
	case snap.Session.ID == id:
		select {
		case u.bid <- struct{}{}:
		default:
		}
	}
}

// deliver tells the edge of a logout whenever Tend says so.
func (u *Client) deliver(ctx context.Context) error {
	for {
		select {
		case <-u.bid:
			if err := u.Logout(ctx); err != nil {
				u.log.Debug("logout not delivered", slog.Any(logging.KeyError, err))
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// Picture is how it is.
func (u *Client) Picture() picture.Client {
	return picture.Client{Link: u.link.Snapshot(), HasSession: u.HasSession(), Logins: u.Attempts.List()}
}
