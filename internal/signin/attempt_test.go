package signin_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"testing"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/api/client"
	"github.com/sallyport/sallyport/api/client/clienttest"
	"github.com/sallyport/sallyport/internal/browser"
	"github.com/sallyport/sallyport/internal/signin"
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

// bring plays the browser: it brings code to where the login wants it.
func bring(ctx context.Context, d *clienttest.Daemon, id, code string) error {
	in := d.LoginInput(id)
	url := "http://127.0.0.1:" + strconv.Itoa(int(in.LoopbackPort)) + in.LoopbackPath + "?code=" + code
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

func TestLoopback(t *testing.T) {
	t.Parallel()
	c, d := open(t)
	d.Change(func(s *api.Status) { s.Edges[0].Address = "127.0.0.1:8443" })
	var shown api.Login
	var edge browser.Edge
	a := signin.Attempt{Client: c, Mode: api.ModeLoopback, Dialog: signin.Dialog{
		Show: func(l api.Login) { shown = l },
		Open: func(ctx context.Context, url string, e browser.Edge) error {
			edge = e
			if url != shown.URL {
				t.Errorf("opened %s, shown %s", url, shown.URL)
			}
			return bring(ctx, d, shown.ID, clienttest.GoodCode)
		},
	}}
	l, err := a.Run(t.Context())
	if err != nil || l.State != api.LoginDone || l.Session == nil {
		t.Errorf("got %+v, %v", l, err)
	}
	if want := (browser.Edge{Name: "edge.site.com", Address: "127.0.0.1:8443"}); edge != want {
		t.Errorf("checked against %+v, want %+v", edge, want)
	}
}

func TestLoopbackRefused(t *testing.T) {
	t.Parallel()
	c, d := open(t)
	var id string
	a := signin.Attempt{Client: c, Mode: api.ModeLoopback, Dialog: signin.Dialog{
		Show: func(l api.Login) { id = l.ID },
		Open: func(ctx context.Context, _ string, _ browser.Edge) error { return bring(ctx, d, id, "BAD") },
	}}
	if _, err := a.Run(t.Context()); codeOf(err) != api.CodeLoginRefused {
		t.Errorf("got %v", err)
	}
}

// The URL is shown and the attempt goes on where no browser opens.
func TestBrowserFails(t *testing.T) {
	t.Parallel()
	c, d := open(t)
	var id string
	noted := make(chan *api.Problem, 1)
	a := signin.Attempt{Client: c, Mode: api.ModeLoopback, Dialog: signin.Dialog{
		Show: func(l api.Login) { id = l.ID },
		Open: func(context.Context, string, browser.Edge) error { return errors.New("no display") },
		Note: func(p *api.Problem) { noted <- p },
	}}
	go func() {
		<-noted
		bring(t.Context(), d, id, clienttest.GoodCode)
	}()
	if _, err := a.Run(t.Context()); err != nil {
		t.Error(err)
	}
}

// Who joins the attempt of another opens no second browser.
func TestJoining(t *testing.T) {
	t.Parallel()
	c, d := open(t)
	d.Change(func(s *api.Status) {
		s.Logins = []api.Login{{ID: "lgn_x", Edge: "edge.site.com", Mode: api.ModeLoopback, Purpose: api.PurposeSession, State: api.LoginBrowser, URL: "https://edge.site.com/login/x", LoopbackPort: 1}}
	})
	a := signin.Attempt{Client: c, Mode: api.ModeLoopback, Dialog: signin.Dialog{
		Show: func(api.Login) {
			d.Change(func(s *api.Status) { s.Logins[0].State = api.LoginDone })
		},
		Open: func(context.Context, string, browser.Edge) error { t.Error("a second browser"); return nil },
	}}
	if _, err := a.Run(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestTypedCode(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		typed []string
		notes int
		want  api.Code
	}{
		{"right", []string{"GOODCODE"}, 0, ""},
		{"spaced, lower case", []string{" good-code\n"}, 0, ""},
		{"wrong, empty, right", []string{"WRONGCODE", "", "GOODCODE"}, 1, ""},
		{"fatal", []string{"BAD"}, 0, api.CodeLoginRefused},
		{"nobody types", nil, 0, api.CodeLoginAbandoned},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, d := open(t)
			notes, typed := 0, slices.Clone(tt.typed)
			a := signin.Attempt{Client: c, Mode: api.ModeCode, Dialog: signin.Dialog{
				Code: func(ctx context.Context) (string, error) {
					if len(typed) == 0 {
						return "", io.EOF
					}
					code := typed[0]
					typed = typed[1:]
					return code, nil
				},
				Open: func(context.Context, string, browser.Edge) error { t.Error("a browser opened"); return nil },
				Note: func(*api.Problem) { notes++ },
			}}
			_, err := a.Run(t.Context())
			if got := codeOf(err); got != tt.want || (err == nil) != (tt.want == "") {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if notes != tt.notes {
				t.Errorf("%d notes, want %d", notes, tt.notes)
			}
			d.Wait(t, "no live attempt", func(s *api.Status) bool { return s.Logins[0].State.Final() })
		})
	}
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	c, d := open(t)
	cause := errors.New("interrupted")
	ctx, cancel := context.WithCancelCause(t.Context())
	a := signin.Attempt{Client: c, Mode: api.ModeLoopback, Dialog: signin.Dialog{Show: func(api.Login) { cancel(cause) }}}
	if _, err := a.Run(ctx); !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
	d.Wait(t, "a cancelled attempt", func(s *api.Status) bool { return s.Logins[0].State == api.LoginCancelled })
}

// A taker takes what is wanted, once, and opens one browser for it.
func TestTaker(t *testing.T) {
	t.Parallel()
	c, d := open(t)
	opened := 0
	done := make(chan error, 1)
	taker := signin.NewTaker(signin.Taker{
		Client: c, Mode: api.ModeLoopback, Edge: "Edge.Site.Com",
		Dialog: signin.Dialog{Open: func(ctx context.Context, url string, _ browser.Edge) error {
			opened++
			return bring(ctx, d, "lgn_w", clienttest.GoodCode)
		}},
		Done: func(_ api.Login, err error) { done <- err },
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- taker.Run(ctx) }()

	elsewhere := d.Status()
	elsewhere.Logins = []api.Login{{ID: "lgn_o", Edge: "other.com", State: api.LoginWanted}}
	taker.Offer(&elsewhere)
	d.Change(func(s *api.Status) {
		s.Logins = []api.Login{{ID: "lgn_w", Edge: "edge.site.com", State: api.LoginWanted, Waiting: 200}}
	})
	st := d.Status()
	taker.Offer(&st)
	if err := <-done; err != nil {
		t.Error(err)
	}
	st = d.Status()
	taker.Offer(&st)
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("run: %v", err)
	}
	if st := d.Status(); opened != 1 || len(st.Sessions) != 1 {
		t.Errorf("%d browsers, sessions %+v", opened, st.Sessions)
	}
}

// Where the edge takes logins by a code alone, the taker goes on with that, once.
func TestTakerGoesOnInTheOtherMode(t *testing.T) {
	t.Parallel()
	c, d := open(t)
	d.CodeOnly = true
	d.Change(func(s *api.Status) {
		s.Logins = []api.Login{{ID: "lgn_w", Edge: "edge.site.com", State: api.LoginWanted, Waiting: 2}}
	})
	done, by := make(chan error, 1), make(chan string, 1)
	taker := signin.NewTaker(signin.Taker{
		Client: c, Mode: api.ModeLoopback,
		Dialog: signin.Dialog{Open: func(context.Context, string, browser.Edge) error {
			t.Error("a browser opened")
			return nil
		}},
		Other: func(ctx context.Context, edge string) (api.Login, error) {
			by <- edge
			return signin.Attempt{Client: c, Edge: edge, Mode: api.ModeCode, Dialog: signin.Dialog{
				Code: func(context.Context) (string, error) { return clienttest.GoodCode, nil },
			}}.Run(ctx)
		},
		Done: func(_ api.Login, err error) { done <- err },
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- taker.Run(ctx) }()
	st := d.Status()
	taker.Offer(&st)
	if edge := <-by; edge != "edge.site.com" {
		t.Errorf("goes on at %q", edge)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	cancel()
	<-ended
	if st := d.Status(); len(st.Sessions) != 1 {
		t.Errorf("sessions %+v", st.Sessions)
	}
}
