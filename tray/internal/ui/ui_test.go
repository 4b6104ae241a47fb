package ui

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/api/client"
	"github.com/sallyport/sallyport/api/client/clienttest"
	"github.com/sallyport/sallyport/internal/browser"
	"github.com/sallyport/sallyport/tray/internal/menu"
)

// surface is a tray of a test.
type surface struct {
	changes chan menu.Change
	clicks  chan menu.Slot
	shown   menu.Menu
}

func (s *surface) Apply(c menu.Change)      { s.changes <- c }
func (s *surface) Clicks() <-chan menu.Slot { return s.clicks }

// await applies changes until the menu is as wanted.
func (s *surface) await(t *testing.T, what string, ok func(menu.Menu) bool) {
	t.Helper()
	patience := time.After(10 * time.Second)
	for !ok(s.shown) {
		select {
		case c := <-s.changes:
			switch {
			case c.Icon != nil:
				s.shown.Icon = *c.Icon
			case c.Tooltip != nil:
				s.shown.Tooltip = *c.Tooltip
			case c.Entry != nil:
				s.shown.Entries[c.Entry.Slot] = c.Entry.Entry
			}
		case <-patience:
			t.Fatalf("never saw %s; the menu is %+v", what, s.shown)
		}
	}
}

func text(slot menu.Slot, part string) func(menu.Menu) bool {
	return func(m menu.Menu) bool { return strings.Contains(m.Entries[slot].Text, part) }
}

// show runs a tray whose browser brings code back at once.
func show(t *testing.T, d *clienttest.Daemon, code string) (*surface, *int, <-chan error) {
	t.Helper()
	c, err := client.New(client.Options{Socket: d.Socket})
	if err != nil {
		t.Fatal(err)
	}
	opened := new(int)
	tray := New(Config{Client: c, Log: slog.New(slog.DiscardHandler), Open: func(ctx context.Context, url string, _ browser.Edge) error {
		*opened++
		in := d.LoginInput(url[strings.LastIndexByte(url, '/')+1:])
		back := "http://127.0.0.1:" + strconv.Itoa(int(in.LoopbackPort)) + in.LoopbackPath + "?code=" + code
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, back, nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		return resp.Body.Close()
	}})
	s := &surface{changes: make(chan menu.Change, 1000), clicks: make(chan menu.Slot)}
	done := make(chan error, 1)
	go func() { done <- tray.Run(t.Context(), s) }()
	t.Cleanup(c.Close)
	return s, opened, done
}

// A wanted login opens the browser once, and the menu follows.
func TestTakesWantedLogin(t *testing.T) {
	t.Parallel()
	d := clienttest.New(t)
	s, opened, done := show(t, d, clienttest.GoodCode)
	s.await(t, "signed out", text(menu.SlotWho, "Not signed in"))
	d.Change(func(st *api.Status) {
		st.Logins = []api.Login{{ID: "lgn_w", Edge: "edge.site.com", State: api.LoginWanted, Waiting: 2}}
	})
	s.await(t, "signed in", text(menu.SlotWho, "Signed in as alice@site.com at edge.site.com"))
	s.await(t, "the icon", func(m menu.Menu) bool { return m.Icon == menu.IconReady })
	s.clicks <- menu.SlotQuit
	if err := <-done; !errors.Is(err, ErrQuit) || *opened != 1 {
		t.Errorf("%d browsers, %v", *opened, err)
	}
}

func TestSignInByClick(t *testing.T) {
	t.Parallel()
	d := clienttest.New(t)
	s, opened, done := show(t, d, "BAD")
	s.await(t, "the entry", func(m menu.Menu) bool { return m.Entries[menu.SlotSignIn].Enabled })
	s.clicks <- menu.SlotSignIn
	s.await(t, "the reason", text(menu.SlotNote, "Sign in: the sign-in was refused"))
	s.clicks <- menu.SlotQuit
	<-done
	if *opened != 1 {
		t.Errorf("%d browsers", *opened)
	}
}

func TestDaemonGone(t *testing.T) {
	t.Parallel()
	s, _, done := show(t, &clienttest.Daemon{Socket: t.TempDir() + "/none"}, "")
	s.await(t, "the reason", text(menu.SlotHeadline, "The daemon does not answer"))
	if s.shown.Entries[menu.SlotSignIn].Enabled {
		t.Error("signing in cannot work without a daemon")
	}
	s.clicks <- menu.SlotQuit
	<-done
}
