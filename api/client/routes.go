package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/sallyport/sallyport/api"
)

// Version says what the daemon is and which features it has.
func (c *Client) Version(ctx context.Context) (api.Version, error) {
	return call[api.Version](ctx, c, http.MethodGet, "/version", nil)
}

// Status is the whole of what the caller may see, now.
func (c *Client) Status(ctx context.Context) (api.Status, error) {
	return call[api.Status](ctx, c, http.MethodGet, "/status", nil)
}

// OpenAPI is the document that the daemon serves.
func (c *Client) OpenAPI(ctx context.Context) ([]byte, error) {
	return call[json.RawMessage](ctx, c, http.MethodGet, "/openapi.json", nil)
}

// Edges lists the edges of the caller and of the machine.
func (c *Client) Edges(ctx context.Context) ([]api.Edge, error) {
	return call[[]api.Edge](ctx, c, http.MethodGet, "/edges", nil)
}

// UseEdge makes an edge the one to use from now on.
func (c *Client) UseEdge(ctx context.Context, in api.EdgeInput) (api.Edge, error) {
	return call[api.Edge](ctx, c, http.MethodPost, "/edges", in)
}

// RemoveEdge forgets an edge.
func (c *Client) RemoveEdge(ctx context.Context, id string) error {
	return c.remove(ctx, "/edges", id)
}

// Forwards lists the caller's forwards.
func (c *Client) Forwards(ctx context.Context) ([]api.Forward, error) {
	return call[[]api.Forward](ctx, c, http.MethodGet, "/forwards", nil)
}

// Forward is one of the caller's forwards.
func (c *Client) Forward(ctx context.Context, id string) (api.Forward, error) {
	return call[api.Forward](ctx, c, http.MethodGet, item("/forwards", id), nil)
}

// AddForward sets up a forward that is kept. HoldForward makes one that is not.
func (c *Client) AddForward(ctx context.Context, in api.ForwardInput) (api.Forward, error) {
	in.Hold = false
	return call[api.Forward](ctx, c, http.MethodPost, "/forwards", in)
}

// EditForward changes what the patch names.
func (c *Client) EditForward(ctx context.Context, id string, p api.ForwardPatch) (api.Forward, error) {
	return call[api.Forward](ctx, c, http.MethodPatch, item("/forwards", id), p)
}

// RemoveForward takes a forward away; its connections are closed.
func (c *Client) RemoveForward(ctx context.Context, id string) error {
	return c.remove(ctx, "/forwards", id)
}

// Tunnels lists the machine's tunnels.
func (c *Client) Tunnels(ctx context.Context) ([]api.Tunnel, error) {
	return call[[]api.Tunnel](ctx, c, http.MethodGet, "/tunnels", nil)
}

// Tunnel is one of the machine's tunnels.
func (c *Client) Tunnel(ctx context.Context, id string) (api.Tunnel, error) {
	return call[api.Tunnel](ctx, c, http.MethodGet, item("/tunnels", id), nil)
}

// AddTunnel publishes an app for good. HoldTunnel publishes it for a while.
func (c *Client) AddTunnel(ctx context.Context, in api.TunnelInput) (api.Tunnel, error) {
	in.Hold = false
	return call[api.Tunnel](ctx, c, http.MethodPost, "/tunnels", in)
}

// EditTunnel changes what the patch names.
func (c *Client) EditTunnel(ctx context.Context, id string, p api.TunnelPatch) (api.Tunnel, error) {
	return call[api.Tunnel](ctx, c, http.MethodPatch, item("/tunnels", id), p)
}

// RemoveTunnel publishes an app no longer.
func (c *Client) RemoveTunnel(ctx context.Context, id string) error {
	return c.remove(ctx, "/tunnels", id)
}

// Enrolments lists this machine's identities as a host.
func (c *Client) Enrolments(ctx context.Context) ([]api.Enrolment, error) {
	return call[[]api.Enrolment](ctx, c, http.MethodGet, "/enrolments", nil)
}

// Enrol makes this machine a host by a one-time join token.
func (c *Client) Enrol(ctx context.Context, token string) (api.Enrolment, error) {
	return call[api.Enrolment](ctx, c, http.MethodPost, "/enrolments", api.EnrolmentInput{Token: token})
}

// Logins lists the caller's attempts to sign in that are under way or wanted.
func (c *Client) Logins(ctx context.Context) ([]api.Login, error) {
	return call[[]api.Login](ctx, c, http.MethodGet, "/logins", nil)
}

// Login is one of the caller's attempts.
func (c *Client) Login(ctx context.Context, id string) (api.Login, error) {
	return call[api.Login](ctx, c, http.MethodGet, item("/logins", id), nil)
}

// StartLogin begins an attempt, or joins the one under way. HoldLogin ties it
// to the caller's life.
func (c *Client) StartLogin(ctx context.Context, in api.LoginInput) (api.Login, error) {
	in.Hold = false
	return call[api.Login](ctx, c, http.MethodPost, "/logins", in)
}

// Redeem shows the code that the browser brought back or that the person typed.
func (c *Client) Redeem(ctx context.Context, id, code string) (api.Login, error) {
	return call[api.Login](ctx, c, http.MethodPost, item("/logins", id)+"/redeem", api.RedeemInput{Code: code})
}

// CancelLogin gives an attempt up.
func (c *Client) CancelLogin(ctx context.Context, id string) error {
	return c.remove(ctx, "/logins", id)
}

// Sessions lists the caller's sessions.
func (c *Client) Sessions(ctx context.Context) ([]api.Session, error) {
	return call[[]api.Session](ctx, c, http.MethodGet, "/sessions", nil)
}

// EndSession logs out: every stream of the session is cut before it returns.
func (c *Client) EndSession(ctx context.Context, id string) error {
	return c.remove(ctx, "/sessions", id)
}

// Apps lists the hostnames that the signed-in person may reach by an edge; ""
// means the caller's edge.
func (c *Client) Apps(ctx context.Context, edge string) ([]api.App, error) {
	path := "/apps"
	if edge != "" {
		path += "?edge=" + url.QueryEscape(edge)
	}
	return call[[]api.App](ctx, c, http.MethodGet, path, nil)
}

// StreamEnd says how an upgraded stream is, or how it ended.
func (c *Client) StreamEnd(ctx context.Context, id string) (api.Stream, error) {
	return call[api.Stream](ctx, c, http.MethodGet, item("/streams", id), nil)
}

func (c *Client) remove(ctx context.Context, collection, id string) error {
	_, err := call[none](ctx, c, http.MethodDelete, item(collection, id), nil)
	return err
}
