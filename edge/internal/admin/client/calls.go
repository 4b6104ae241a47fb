package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/sallyport/sallyport/edge/internal/admin/adminapi"
)

func get[T any](ctx context.Context, c *Client, path string) (T, error) {
	var out T
	err := c.do(ctx, http.MethodGet, path, nil, &out)
	return out, err
}

func call[T any](ctx context.Context, c *Client, method, path string, in any) (T, error) {
	var out T
	err := c.do(ctx, method, path, in, &out)
	return out, err
}

func esc(s string) string { return url.PathEscape(s) }

// Status says how the edge is.
func (c *Client) Status(ctx context.Context) (adminapi.Status, error) {
	return get[adminapi.Status](ctx, c, "/status")
}

// Drain has the edge leave once its streams have ended, or at the deadline.
func (c *Client) Drain(ctx context.Context, in adminapi.DrainInput) (adminapi.Drain, error) {
	return call[adminapi.Drain](ctx, c, http.MethodPost, "/drain", in)
}

// Apps lists the apps, ordered by hostname.
func (c *Client) Apps(ctx context.Context) ([]adminapi.App, error) {
	return get[[]adminapi.App](ctx, c, "/apps")
}

// AddApp makes an app.
func (c *Client) AddApp(ctx context.Context, in adminapi.AppInput) (adminapi.App, error) {
	return call[adminapi.App](ctx, c, http.MethodPost, "/apps", in)
}

// EditApp changes an app.
func (c *Client) EditApp(ctx context.Context, hostname string, in adminapi.AppPatch) (adminapi.App, error) {
	return call[adminapi.App](ctx, c, http.MethodPatch, "/apps/"+esc(hostname), in)
}

// RemoveApp removes an app; its streams are cut when it returns.
func (c *Client) RemoveApp(ctx context.Context, hostname string) error {
	return c.do(ctx, http.MethodDelete, "/apps/"+esc(hostname), nil, nil)
}

// Why asks what a person would be told.
func (c *Client) Why(ctx context.Context, in adminapi.WhyInput) (adminapi.Why, error) {
	return call[adminapi.Why](ctx, c, http.MethodPost, "/decisions", in)
}

// People lists the people of the embedded provider, ordered by address.
func (c *Client) People(ctx context.Context) ([]adminapi.Person, error) {
	return get[[]adminapi.Person](ctx, c, "/people")
}

// AddPerson makes a person.
func (c *Client) AddPerson(ctx context.Context, in adminapi.PersonInput) (adminapi.Credentials, error) {
	return call[adminapi.Credentials](ctx, c, http.MethodPost, "/people", in)
}

// EditPerson changes a person.
func (c *Client) EditPerson(ctx context.Context, email string, in adminapi.PersonPatch) (adminapi.Person, error) {
	return call[adminapi.Person](ctx, c, http.MethodPatch, "/people/"+esc(email), in)
}

// SetPassword changes a password; an empty one is generated.
func (c *Client) SetPassword(ctx context.Context, email, password string) (adminapi.Credentials, error) {
	return call[adminapi.Credentials](ctx, c, http.MethodPut, "/people/"+esc(email)+"/password", adminapi.PasswordInput{Password: password})
}

// RemovePerson removes a person; their sessions are over when it returns.
func (c *Client) RemovePerson(ctx context.Context, email string) error {
	return c.do(ctx, http.MethodDelete, "/people/"+esc(email), nil, nil)
}

// SetupLink gives the link by which the first administrator is made.
func (c *Client) SetupLink(ctx context.Context) (adminapi.SetupLink, error) {
	return get[adminapi.SetupLink](ctx, c, "/setup-link")
}

// Sessions lists sessions, the newest first; all includes those that are over.
func (c *Client) Sessions(ctx context.Context, all bool) ([]adminapi.Session, error) {
	return get[[]adminapi.Session](ctx, c, "/sessions"+query("all", flag(all)))
}

// RevokeSession ends a session by id, or all of an address; their streams are
// cut when it returns.
func (c *Client) RevokeSession(ctx context.Context, target, reason string) (adminapi.Ended, error) {
	return call[adminapi.Ended](ctx, c, http.MethodDelete, "/sessions/"+esc(target)+query("reason", reason), nil)
}

// Connectors lists enrolled hosts; all includes those that were revoked.
func (c *Client) Connectors(ctx context.Context, all bool) ([]adminapi.Connector, error) {
	return get[[]adminapi.Connector](ctx, c, "/connectors"+query("all", flag(all)))
}

// RevokeConnector ends an enrolment; its streams are cut when it returns.
func (c *Client) RevokeConnector(ctx context.Context, id, reason string) error {
	return c.do(ctx, http.MethodDelete, "/connectors/"+esc(id)+query("reason", reason), nil, nil)
}

// Tokens lists the join tokens that can still be used.
func (c *Client) Tokens(ctx context.Context) ([]adminapi.Token, error) {
	return get[[]adminapi.Token](ctx, c, "/tokens")
}

// NewToken makes a join token.
func (c *Client) NewToken(ctx context.Context, in adminapi.TokenInput) (adminapi.NewToken, error) {
	return call[adminapi.NewToken](ctx, c, http.MethodPost, "/tokens", in)
}

// RemoveToken removes a join token.
func (c *Client) RemoveToken(ctx context.Context, id string) error {
	return c.do(ctx, http.MethodDelete, "/tokens/"+esc(id), nil, nil)
}

// Streams lists the live streams, ordered by their start.
func (c *Client) Streams(ctx context.Context) ([]adminapi.Stream, error) {
	return get[[]adminapi.Stream](ctx, c, "/streams")
}

// CutStream ends one stream; it is over when it returns.
func (c *Client) CutStream(ctx context.Context, id, reason string) error {
	return c.do(ctx, http.MethodDelete, "/streams/"+esc(id)+query("reason", reason), nil, nil)
}

// Verify checks the chain of the audit log.
func (c *Client) Verify(ctx context.Context) (adminapi.AuditSummary, error) {
	return get[adminapi.AuditSummary](ctx, c, "/audit/verify")
}
