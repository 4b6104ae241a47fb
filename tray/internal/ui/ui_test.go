package ui

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/api/client"
	"github.com/sallyport/sallyport/api/client/clienttest"
	"github.com/sallyport/sallyport/internal/browser"
	"github.com/sallyport/sallyport/tray/internal/menu"
	"github.com/sallyport/sallyport/tray/internal/notify"
)

// bench is a tray of a test, with the desktop that it runs on.
type bench struct {
	*testing.T
	daemon  *clienttest.Daemon
	changes chan menu.Change
	clicks  chan menu.Slot
	opened  chan struct{}
	shown   menu.Menu
	notes   chan notify.Note
	pressed chan string
	over    chan struct{}
	pages   chan string // of the edge
	own     chan string // of the tray
	copied  chan string
	starts  atLogin
	now     time.Time
	done    chan error
}

func (b *bench) Apply(c menu.Change)      { b.changes <- c }
func (b *bench) Clicks() <-chan menu.Slot { return b.clicks }
func (b *bench) Opened() <-chan struct{}  { return b.opened }
func (b *bench) Pressed() <-chan string   { return b.pressed }
func (b *bench) Ended() <-chan struct{}   { return b.over }
func (b *bench) Show(_ context.Context, n notify.Note) error {
	b.notes <- n
	return nil
}

type atLogin struct {
	sync.Mutex
	on bool
}

func (a *atLogin) Enabled() (bool, error) {
	a.Lock()
	defer a.Unlock()
	return a.on, nil
}

func (a *atLogin) Set(on bool) error {
	a.Lock()
	defer a.Unlock()
	a.on = on
	return nil
}

// begin runs a tray. The browser brings code back at once; "" is a person who
// does nothing.
func begin(t *testing.T, d *clienttest.Daemon, code string) *bench {
	t.Helper()
	c, err := client.New(client.Options{Socket: d.Socket})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	b := &bench{
		T: t, daemon: d, changes: make(chan menu.Change, 1000), clicks: make(chan menu.Slot), opened: make(chan struct{}),
		notes: make(chan notify.Note, 100), pressed: make(chan string), over: make(chan struct{}), pages: make(chan string, 100),
		own: make(chan string, 10), copied: make(chan string, 10), now: clienttest.Start, done: make(chan error, 1),
	}
	tray := New(Config{
		Client: c, Log: slog.New(slog.DiscardHandler), Desktop: b, Autostart: &b.starts, Version: "1.2.3",
		Now:     func() time.Time { return b.now },
		OpenOwn: func(_ context.Context, url string) error { b.own <- url; return nil },
		Copy:    func(_ context.Context, text string) error { b.copied <- text; return nil },
		Open: func(ctx context.Context, url string, _ browser.Edge) error {
			b.pages <- url
			if code == "" {
				return nil
			}
			in := d.LoginInput(url[strings.LastIndexByte(url, '/')+1:])
			return get(ctx, "http://127.0.0.1:"+strconv.Itoa(int(in.LoopbackPort))+in.LoopbackPath+"?code="+code)
		},
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { b.done <- tray.Run(ctx, b); close(ended) }()
	t.Cleanup(func() { cancel(); <-ended })
	return b
}

func get(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// await applies changes until the menu is as wanted.
func (b *bench) await(what string, ok func(menu.Menu) bool) {
	b.Helper()
	patience := time.After(10 * time.Second)
	for !ok(b.shown) {
		select {
		case c := <-b.changes:
			switch {
			case c.Icon != nil:
				b.shown.Icon = *c.Icon
			case c.Tooltip != nil:
				b.shown.Tooltip = *c.Tooltip
			case c.Entry != nil:
				b.shown.Entries[c.Entry.Slot] = c.Entry.After
			}
		case <-patience:
			b.Fatalf("never saw %s; the menu is %+v", what, b.shown)
		}
	}
}

// text waits until a slot shows a text.
func (b *bench) text(slot menu.Slot, part string) {
	b.Helper()
	b.await(part, func(m menu.Menu) bool { return strings.Contains(m.Entries[slot].Text, part) })
}

// click waits until a slot can be clicked for a purpose, and does.
func (b *bench) click(slot menu.Slot, k menu.Kind) {
	b.Helper()
	b.await(string(k), func(m menu.Menu) bool { return m.Entries[slot].Action.Kind == k })
	b.clicks <- slot
}

// take receives what comes within a while.
func take[T any](b *bench, what string, c <-chan T) T {
	b.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(10 * time.Second):
		b.Fatalf("no %s came", what)
		panic("unreachable")
	}
}

func (b *bench) ends(want error) {
	b.Helper()
	if err := take(b, "end", b.done); !errors.Is(err, want) {
		b.Errorf("ended with %v, want %v", err, want)
	}
}

// twoForwards is somebody with forwards, one of which is paused.
func twoForwards(s *api.Status) {
	s.Forwards = []api.Forward{
		{ID: "fwd_a", Owner: "bob", Hostname: "a.site.com", Listen: "localhost:9210", State: api.ForwardReady},
		{ID: "fwd_b", Owner: "bob", Hostname: "b.site.com", Listen: "localhost:9211", State: api.ForwardPaused, Paused: true},
	}
	s.Sessions = []api.Session{{ID: "ses", Edge: "edge.site.com", Owner: "bob", State: api.SessionActive, StartedAt: clienttest.Start, ExpiresAt: clienttest.Start.Add(12 * time.Hour),
		Person: api.Person{Email: "alice@site.com"}}}
}

// A wanted login opens the browser once, and the menu follows.
func TestTakesWantedLogin(t *testing.T) {
	t.Parallel()
	d := clienttest.New(t)
	b := begin(t, d, clienttest.GoodCode)
	b.text(menu.SlotWho, "Not signed in")
	d.Change(func(st *api.Status) {
		st.Logins = []api.Login{{ID: "lgn_w", Edge: "edge.site.com", State: api.LoginWanted, Waiting: 2}}
	})
	b.text(menu.SlotWho, "alice@site.com at edge.site.com until")
	b.await("the icon", func(m menu.Menu) bool { return m.Icon == menu.IconReady })
	n := take(b, "notice", b.notes)
	if !strings.Contains(n.Text, "KITE-42") || !strings.HasPrefix(n.Text, "A connection waits") || n.Button == "" {
		t.Errorf("notice %+v", n)
	}
	b.click(menu.SlotQuit, menu.Quit)
	b.ends(ErrQuit)
	if len(b.pages) != 1 {
		t.Errorf("%d browsers", len(b.pages))
	}
}

// A sign-in that fails says why, in the menu and in a notice whose button tries
// again.
func TestSignInByClick(t *testing.T) {
	t.Parallel()
	b := begin(t, clienttest.New(t), "BAD")
	b.click(menu.SlotSignIn, menu.SignIn)
	b.text(menu.SlotNote, "Sign in: the sign-in was refused")
	take(b, "first notice", b.notes)
	if n := take(b, "notice", b.notes); n.Title != "The sign-in did not succeed" || n.Button != "Try again" {
		t.Errorf("notice %+v", n)
	}
	take(b, "page", b.pages)
	b.pressed <- "login"
	take(b, "second page", b.pages)
}

// While the browser shows the page, a click on the menu or on the notice opens
// that page again.
func TestOpensPageAgain(t *testing.T) {
	t.Parallel()
	b := begin(t, clienttest.New(t), "")
	b.click(menu.SlotSignIn, menu.SignIn)
	first := take(b, "page", b.pages)
	b.click(menu.SlotSignIn, menu.OpenLogin)
	if again := take(b, "page", b.pages); again != first {
		t.Errorf("%s, then %s", first, again)
	}
	take(b, "notice", b.notes)
	b.pressed <- "login"
	if again := take(b, "page", b.pages); again != first {
		t.Errorf("%s, then %s", first, again)
	}
}

func TestSignInElsewhere(t *testing.T) {
	t.Parallel()
	b := begin(t, clienttest.New(t), "")
	b.click(menu.SlotElsewhere, menu.Elsewhere)
	b.text(menu.SlotNote, "Sign in: open https://edge.site.com/login/")
	page := take(b, "page", b.own)
	for _, code := range []string{clienttest.WrongCode, clienttest.GoodCode} {
		resp, err := http.PostForm(page, url.Values{"code": {code}})
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	b.text(menu.SlotWho, "alice@site.com")
}

func TestForwards(t *testing.T) {
	t.Parallel()
	d := clienttest.New(t)
	d.Change(twoForwards)
	b := begin(t, d, "")
	paused := func(want ...bool) {
		t.Helper()
		d.Wait(t, "the forwards", func(s *api.Status) bool {
			return slices.EqualFunc(s.Forwards, want, func(f api.Forward, w bool) bool { return f.Paused == w })
		})
	}
	b.click(menu.ForwardSlot(1), menu.Resume)
	paused(false, false)
	b.click(menu.SlotPause, menu.PauseAll)
	paused(true, true)
	b.click(menu.SlotPause, menu.ResumeAll)
	paused(false, false)
	b.click(menu.ForwardSlot(0), menu.Pause)
	paused(true, false)
	b.click(menu.SlotCopy, menu.Copy)
	if got := take(b, "copy", b.copied); got != "localhost:9210" {
		t.Errorf("copied %q", got)
	}
	d.Fail("PATCH /v1/forwards/fwd_a", api.Problem{Code: api.CodeInternal, Title: "no room", Hint: "Free some."})
	b.click(menu.ForwardSlot(0), menu.Resume)
	b.text(menu.SlotNote, "no room. Free some.")
}

// An app that is in reach gets a forward on a port that nobody has.
func TestAddForward(t *testing.T) {
	t.Parallel()
	d := clienttest.New(t)
	d.Change(twoForwards)
	d.SetApps(api.App{Hostname: "a.site.com", Online: true}, api.App{Hostname: "new.site.com", Online: true})
	b := begin(t, d, "")
	b.click(menu.SlotAdd, menu.AddForward)
	st := d.Wait(t, "a forward", func(s *api.Status) bool { return len(s.Forwards) == 3 })
	if f := st.Forwards[2]; f.Hostname != "new.site.com" || !strings.HasPrefix(f.Listen, "localhost:92") || f.Listen == "localhost:9210" || f.Listen == "localhost:9211" {
		t.Errorf("forward %+v", f)
	}
	b.await("no app left", func(m menu.Menu) bool { return m.Entries[menu.SlotAdd].Text == "" })

	// What may be reached is asked for again when the menu is opened.
	d.SetApps(api.App{Hostname: "later.site.com"})
	b.opened <- struct{}{}
	b.text(menu.SlotAdd, "later.site.com (offline)")
}

func TestAccount(t *testing.T) {
	t.Parallel()
	d := clienttest.New(t)
	d.Change(twoForwards)
	d.Change(func(s *api.Status) {
		s.Edges = append(s.Edges, api.Edge{ID: "edg_2", Name: "e2.com", Address: "10.0.0.1:1", CAPEM: "pem"})
	})
	b := begin(t, d, "")
	b.click(menu.SlotPortal, menu.Portal)
	if got := take(b, "page", b.pages); got != "https://edge.site.com/" {
		t.Errorf("portal %s", got)
	}
	b.click(menu.SlotEdge+1, menu.UseEdge)
	d.Wait(t, "the other edge", func(s *api.Status) bool {
		e := s.Edges[len(s.Edges)-1]
		return len(s.Edges) == 3 && e.Name == "e2.com" && e.Address == "10.0.0.1:1" && e.CAPEM == "pem"
	})
	b.click(menu.SlotSignOut, menu.SignOut)
	d.Wait(t, "nobody signed in", func(s *api.Status) bool { return len(s.Sessions) == 0 })
	b.click(menu.SlotAutostart, menu.StartOn)
	b.click(menu.SlotAutostart, menu.StartOff)
	b.await("off", func(m menu.Menu) bool { return m.Entries[menu.SlotAutostart].Action.Kind == menu.StartOn })
	b.click(menu.SlotAbout, menu.About)
	if n := take(b, "notice", b.notes); n.Title != "Sallyport 1.2.3" || !strings.Contains(n.Text, "Service 1.2.3") {
		t.Errorf("about %+v", n)
	}
}

// Access that ends is told, with who, why and what next.
func TestCut(t *testing.T) {
	t.Parallel()
	d := clienttest.New(t)
	d.Change(twoForwards)
	b := begin(t, d, "")
	b.text(menu.SlotWho, "alice")
	d.Change(func(s *api.Status) {
		s.Sessions[0].State, s.Sessions[0].Problem = api.SessionEnded, &api.Problem{Code: api.CodeRevoked, Title: "Revoked by an administrator", Hint: "Ask why"}
	})
	if n := take(b, "notice", b.notes); n.Text != "Revoked by an administrator. Ask why" || n.Button != "Sign in" {
		t.Errorf("notice %+v", n)
	}
	b.pressed <- "session edge.site.com"
	take(b, "page", b.pages)
}

func TestDaemonGone(t *testing.T) {
	t.Parallel()
	b := begin(t, &clienttest.Daemon{Socket: t.TempDir() + "/none"}, "")
	b.text(menu.SlotHeadline, "The Sallyport service does not answer")
	b.text(menu.SlotWho, "no such socket")
	if b.shown.Entries[menu.SlotSignIn].Action.Kind != menu.Nothing || b.shown.Icon != menu.IconOffline {
		t.Error("signing in cannot work without a daemon")
	}
	close(b.over)
	b.ends(ErrOver)
}

func TestLimiter(t *testing.T) {
	t.Parallel()
	var l limiter
	at := clienttest.Start
	n := func(key, text string) menu.Notice { return menu.Notice{Key: key, Text: text} }
	steps := []struct {
		after time.Duration
		n     menu.Notice
		want  bool
	}{
		{0, n("a", "x"), true},
		{time.Second, n("a", "x"), false},
		{time.Second, n("a", "y"), true}, // other words
		{time.Second, n("b", "x"), true},
		{time.Second, n("c", "x"), true},
		{time.Second, n("d", "x"), true},
		{time.Second, n("e", "x"), false}, // a flood
		{time.Minute, n("e", "x"), true},
		{8 * time.Minute, n("a", "x"), false},
		{time.Minute, n("a", "x"), true},
	}
	for i, s := range steps {
		at = at.Add(s.after)
		if got := l.allow(s.n, at); got != s.want {
			t.Errorf("step %d: %v", i, got)
		}
	}
}
