package client_test

import (
	"context"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/api/client"
)

// routeCalls has one call of each method of the client. The errors do not
// matter here, only what was asked.
var routeCalls = map[string]func(ctx context.Context, c *client.Client){
	"Version":       func(ctx context.Context, c *client.Client) { c.Version(ctx) },
	"Status":        func(ctx context.Context, c *client.Client) { c.Status(ctx) },
	"OpenAPI":       func(ctx context.Context, c *client.Client) { c.OpenAPI(ctx) },
	"Edges":         func(ctx context.Context, c *client.Client) { c.Edges(ctx) },
	"UseEdge":       func(ctx context.Context, c *client.Client) { c.UseEdge(ctx, api.EdgeInput{}) },
	"RemoveEdge":    func(ctx context.Context, c *client.Client) { c.RemoveEdge(ctx, "x/y") },
	"Forwards":      func(ctx context.Context, c *client.Client) { c.Forwards(ctx) },
	"Forward":       func(ctx context.Context, c *client.Client) { c.Forward(ctx, "x/y") },
	"AddForward":    func(ctx context.Context, c *client.Client) { c.AddForward(ctx, api.ForwardInput{Hostname: "h"}) },
	"EditForward":   func(ctx context.Context, c *client.Client) { c.EditForward(ctx, "x/y", api.ForwardPatch{}) },
	"RemoveForward": func(ctx context.Context, c *client.Client) { c.RemoveForward(ctx, "x/y") },
	"HoldForward": func(ctx context.Context, c *client.Client) {
		once(c.HoldForward(ctx, api.ForwardInput{Hostname: "h"}))
	},
	"Tunnels":      func(ctx context.Context, c *client.Client) { c.Tunnels(ctx) },
	"Tunnel":       func(ctx context.Context, c *client.Client) { c.Tunnel(ctx, "x/y") },
	"AddTunnel":    func(ctx context.Context, c *client.Client) { c.AddTunnel(ctx, api.TunnelInput{}) },
	"EditTunnel":   func(ctx context.Context, c *client.Client) { c.EditTunnel(ctx, "x/y", api.TunnelPatch{}) },
	"RemoveTunnel": func(ctx context.Context, c *client.Client) { c.RemoveTunnel(ctx, "x/y") },
	"HoldTunnel":   func(ctx context.Context, c *client.Client) { once(c.HoldTunnel(ctx, api.TunnelInput{})) },
	"Enrolments":   func(ctx context.Context, c *client.Client) { c.Enrolments(ctx) },
	"Enrol":        func(ctx context.Context, c *client.Client) { c.Enrol(ctx, "t") },
	"Logins":       func(ctx context.Context, c *client.Client) { c.Logins(ctx) },
	"Login":        func(ctx context.Context, c *client.Client) { c.Login(ctx, "x/y") },
	"StartLogin":   func(ctx context.Context, c *client.Client) { c.StartLogin(ctx, api.LoginInput{}) },
	"HoldLogin":    func(ctx context.Context, c *client.Client) { once(c.HoldLogin(ctx, api.LoginInput{})) },
	"Redeem":       func(ctx context.Context, c *client.Client) { c.Redeem(ctx, "x/y", "c") },
	"CancelLogin":  func(ctx context.Context, c *client.Client) { c.CancelLogin(ctx, "x/y") },
	"Sessions":     func(ctx context.Context, c *client.Client) { c.Sessions(ctx) },
	"EndSession":   func(ctx context.Context, c *client.Client) { c.EndSession(ctx, "x/y") },
	"Apps":         func(ctx context.Context, c *client.Client) { c.Apps(ctx, "") },
	"Watch":        func(ctx context.Context, c *client.Client) { once(c.Watch(ctx)) },
	"OpenStream": func(ctx context.Context, c *client.Client) {
		if s, err := c.OpenStream(ctx, api.StreamInput{Hostname: "h"}); err == nil {
			s.Close()
		}
	},
	"StreamEnd": func(ctx context.Context, c *client.Client) { c.StreamEnd(ctx, "x/y") },
	"Close":     func(context.Context, *client.Client) {},
}

func once[T any](seq func(yield func(T, error) bool)) {
	seq(func(T, error) bool { return false })
}

// The client has a method for each route of the document, and calls no other.
func TestRoutesMatchOpenAPI(t *testing.T) {
	t.Parallel()
	c, d := open(t)
	methods := reflect.TypeOf(c)
	for i := range methods.NumMethod() {
		if name := methods.Method(i).Name; routeCalls[name] == nil {
			t.Errorf("%s is not looked at", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(routeCalls)) {
		routeCalls[name](t.Context(), c)
	}
	called := map[string]bool{}
	for _, call := range d.Calls() {
		method, path, _ := strings.Cut(call, " ")
		path = strings.ReplaceAll(strings.TrimPrefix(path, api.Prefix), "/x/y", "/{id}")
		called[strings.ToLower(method)+" "+path] = true
	}

	var doc struct {
		Paths map[string]map[string]any `json:"paths"`
	}
	if err := json.Unmarshal(api.OpenAPI(), &doc); err != nil {
		t.Fatal(err)
	}
	for path, operations := range doc.Paths {
		for method := range operations {
			if key := method + " " + path; !called[key] {
				t.Errorf("%s has no method", key)
			} else {
				delete(called, key)
			}
		}
	}
	for key := range called {
		t.Errorf("%s is not in the document", key)
	}
}
