package client_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/api/client"
	"github.com/sallyport/sallyport/api/client/clienttest"
)

func open(t *testing.T) (*client.Client, *clienttest.Daemon) {
	t.Helper()
	d := clienttest.New(t)
	c, err := client.New(client.Options{Socket: d.Socket})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, d
}

func codeOf(err error) api.Code {
	var p *api.Problem
	if errors.As(err, &p) {
		return p.Code
	}
	return ""
}

func TestForwards(t *testing.T) {
	t.Parallel()
	c, _ := open(t)
	ctx := t.Context()
	f, err := c.AddForward(ctx, api.ForwardInput{Hostname: "tcp.site.com", Listen: "localhost:9210", Hold: true})
	if err != nil || f.Hold || f.Hostname != "tcp.site.com" {
		t.Fatalf("add: %+v, %v", f, err)
	}
	paused := true
	if f, err = c.EditForward(ctx, f.ID, api.ForwardPatch{Paused: &paused}); err != nil || f.State != api.ForwardPaused {
		t.Errorf("edit: %+v, %v", f, err)
	}
	if got, err := c.Forward(ctx, f.ID); err != nil || got != f {
		t.Errorf("get: %+v, %v", got, err)
	}
	if list, err := c.Forwards(ctx); err != nil || len(list) != 1 {
		t.Errorf("list: %+v, %v", list, err)
	}
	if err := c.RemoveForward(ctx, f.ID); err != nil {
		t.Errorf("remove: %v", err)
	}
	if err := c.RemoveForward(ctx, f.ID); codeOf(err) != api.CodeNotFound {
		t.Errorf("second remove: %v", err)
	}
}

func TestReads(t *testing.T) {
	t.Parallel()
	c, d := open(t)
	ctx := t.Context()
	d.SetApps(api.App{Hostname: "tcp.site.com", Online: true})
	if v, err := c.Version(ctx); err != nil || v.Version != "1.2.3" {
		t.Errorf("version: %+v, %v", v, err)
	}
	if s, err := c.Status(ctx); err != nil || s.User != "bob" || len(s.Edges) != 1 {
		t.Errorf("status: %+v, %v", s, err)
	}
	if a, err := c.Apps(ctx, "edge.site.com"); err != nil || len(a) != 1 || !a[0].Online {
		t.Errorf("apps: %+v, %v", a, err)
	}
	if doc, err := c.OpenAPI(ctx); err != nil || !strings.Contains(string(doc), "3.1.0") {
		t.Errorf("openapi: %.60s, %v", doc, err)
	}
	if e, err := c.Enrol(ctx, "secret"); err != nil || e.Site != "site.com" {
		t.Errorf("enrol: %+v, %v", e, err)
	}
	if list, err := c.Enrolments(ctx); err != nil || len(list) != 1 {
		t.Errorf("enrolments: %+v, %v", list, err)
	}
	if e, err := c.UseEdge(ctx, api.EdgeInput{Name: "e2"}); err != nil || e.Name != "e2" {
		t.Errorf("use: %+v, %v", e, err)
	} else if err := c.RemoveEdge(ctx, e.ID); err != nil {
		t.Errorf("remove: %v", err)
	}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	c, d := open(t)
	d.Fail("GET /v1/status", api.Problem{Code: api.CodePermission, Title: "no", Hint: "ask"})
	_, err := c.Status(t.Context())
	var p *api.Problem
	if !errors.As(err, &p) || p.Code != api.CodePermission || p.Hint != "ask" || p.Status != 400 {
		t.Errorf("got %+v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("enough")
	cancel(cause)
	if _, err := c.Version(ctx); !errors.Is(err, cause) {
		t.Errorf("cancelled: %v", err)
	}
}

// Something else serves the socket.
func TestStrangeAnswer(t *testing.T) {
	t.Parallel()
	there, here := net.Pipe()
	c, err := client.New(client.Options{Socket: "x", Dial: func(context.Context, string) (net.Conn, error) { return here, nil }})
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		there.Read(make([]byte, 4096))
		io.WriteString(there, "HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\noops")
	}()
	_, err = c.Version(t.Context())
	if codeOf(err) != api.CodeInternal || !strings.Contains(err.Error(), "502") {
		t.Errorf("got %v", err)
	}
}

func TestDaemonDown(t *testing.T) {
	dir, err := os.MkdirTemp("", "sp")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	stale := filepath.Join(dir, "stale.sock")
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: stale, Net: "unix"})
	if err != nil {
		t.Skip(err)
	}
	ln.SetUnlinkOnClose(false)
	ln.Close()
	for name, tt := range map[string]struct{ socket, detail string }{
		"missing": {filepath.Join(dir, "none.sock"), "no such socket"},
		"stale":   {stale, "nobody listens"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("SALLYPORT_SOCKET", tt.socket)
			c, err := client.New(client.Options{})
			if err != nil {
				t.Fatal(err)
			}
			for what, err := range map[string]error{
				"status": second(c.Status(t.Context())),
				"stream": second(c.OpenStream(t.Context(), api.StreamInput{Hostname: "h"})),
			} {
				var p *api.Problem
				if !errors.As(err, &p) || p.Code != api.CodeDaemonDown || !strings.Contains(p.Detail, tt.detail) || !strings.Contains(p.Hint, "sallyportd run") {
					t.Errorf("%s: %+v", what, err)
				}
			}
		})
	}
}

func second[T any](_ T, err error) error { return err }

func TestWatch(t *testing.T) {
	t.Parallel()
	c, d := open(t)
	var texts []string
	for ev, err := range c.Watch(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, ev.Status.Text)
		if len(texts) == 2 {
			break
		}
		d.Change(func(s *api.Status) { s.Text = "changed" })
	}
	if !slices.Equal(texts, []string{"Signed out", "changed"}) {
		t.Errorf("got %q", texts)
	}
}

func TestWatchEnds(t *testing.T) {
	t.Parallel()
	c, _ := open(t)
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	var last error
	for _, err := range c.Watch(ctx) {
		last = err
		cancel(cause)
	}
	if !errors.Is(last, cause) {
		t.Errorf("got %v", last)
	}
}

// A held forward is gone when its holder is.
func TestHold(t *testing.T) {
	t.Parallel()
	c, d := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var states []api.ForwardState
	for f, err := range c.HoldForward(ctx, api.ForwardInput{Hostname: "tcp.site.com", Listen: "localhost:9210"}) {
		if err != nil {
			break
		}
		states = append(states, f.State)
		switch f.State {
		case api.ForwardLoginNeeded:
			d.Change(func(s *api.Status) { s.Forwards[0].State = api.ForwardReady })
		case api.ForwardReady:
			cancel()
		}
	}
	if !slices.Equal(states, []api.ForwardState{api.ForwardLoginNeeded, api.ForwardReady}) {
		t.Errorf("states %q", states)
	}
	d.Wait(t, "no forward", func(s *api.Status) bool { return len(s.Forwards) == 0 })
}

func TestHoldTunnelRefused(t *testing.T) {
	t.Parallel()
	c, d := open(t)
	d.Fail("POST /v1/tunnels", api.Problem{Code: api.CodePermission, Title: "no"})
	n := 0
	for _, err := range c.HoldTunnel(t.Context(), api.TunnelInput{}) {
		n++
		if codeOf(err) != api.CodePermission {
			t.Errorf("got %v", err)
		}
	}
	if n != 1 {
		t.Errorf("%d values", n)
	}
}

func TestHoldLogin(t *testing.T) {
	t.Parallel()
	c, d := open(t)
	var states []api.LoginState
	for l, err := range c.HoldLogin(t.Context(), api.LoginInput{Mode: api.ModeCode}) {
		if err != nil {
			t.Fatal(err)
		}
		states = append(states, l.State)
		if l.State == api.LoginBrowser {
			if _, err := c.Redeem(t.Context(), l.ID, clienttest.GoodCode); err != nil {
				t.Error(err)
			}
		}
	}
	if !slices.Equal(states, []api.LoginState{api.LoginBrowser, api.LoginDone}) {
		t.Errorf("states %q", states)
	}
	if st := d.Status(); len(st.Sessions) != 1 {
		t.Errorf("sessions %+v", st.Sessions)
	} else if err := c.EndSession(t.Context(), st.Sessions[0].ID); err != nil {
		t.Error(err)
	}
}

func TestHoldLoginGivenUp(t *testing.T) {
	t.Parallel()
	c, d := open(t)
	for l, err := range c.HoldLogin(t.Context(), api.LoginInput{Mode: api.ModeCode}) {
		if err != nil || l.State.Final() {
			t.Fatal(l, err)
		}
		break
	}
	d.Wait(t, "the attempt cancelled", func(s *api.Status) bool { return s.Logins[0].State == api.LoginCancelled })
}
