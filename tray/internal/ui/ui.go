// Package ui shows the tray: it watches the daemon, keeps the system's menu as
// package menu says, and takes the logins that connections want.
//
// Shapes: a Tray joins the daemon's client and a surface, which is the system's
// tray (systray.go) or a fake of the tests. The surface's clicks come as slots.
//
// Errors: what goes wrong is shown in the menu and logged; Run ends with its
// context or with Quit.
//
// Concurrency: Run starts and joins the watcher, the taker and one sign-in at a
// time; only Run's own goroutine touches the surface.
package ui

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/api/client"
	"github.com/sallyport/sallyport/internal/browser"
	"github.com/sallyport/sallyport/internal/signin"
	"github.com/sallyport/sallyport/tray/internal/menu"
)

// reconnectEvery is how often a daemon that does not answer is looked for.
const reconnectEvery = 2 * time.Second

// ErrQuit is the end that the person asked for.
var ErrQuit = errors.New("quit")

// Surface is where a menu is shown.
type Surface interface {
	// Apply makes one change.
	Apply(c menu.Change)
	// Clicks gives the slots that are clicked.
	Clicks() <-chan menu.Slot
}

// Config is what a Tray needs; all of it is required.
type Config struct {
	Client *client.Client
	Open   func(ctx context.Context, url string, e browser.Edge) error
	Log    *slog.Logger
}

// Tray is one tray.
type Tray struct {
	Config
	taker  *signin.Taker
	menus  chan menu.Menu // from the watcher; the newest replaces an older
	notes  chan string
	signIn chan struct{}
}

// New returns a tray. It starts nothing.
func New(c Config) *Tray {
	t := &Tray{Config: c, menus: make(chan menu.Menu, 1), notes: make(chan string, 8), signIn: make(chan struct{}, 1)}
	t.taker = signin.NewTaker(signin.Taker{Client: c.Client, Mode: api.ModeLoopback, Dialog: t.dialog(), Done: t.signedIn})
	return t
}

// Run shows the tray on s until ctx ends or the person quits (ErrQuit).
func (t *Tray) Run(ctx context.Context, s Surface) error {
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{}, 3)
	for _, f := range []func(context.Context){t.watch, t.take, t.signInOnClick} {
		go run(ctx, f, done)
	}
	defer func() {
		for range cap(done) {
			<-done
		}
	}()
	defer cancel(nil)

	var shown, now menu.Menu
	note := ""
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case now = <-t.menus:
		case note = <-t.notes:
		case slot := <-s.Clicks():
			if slot == menu.SlotQuit {
				return ErrQuit
			}
			t.clicked(slot)
			continue
		}
		next := now.WithNote(note)
		for _, c := range menu.Diff(shown, next) {
			s.Apply(c)
		}
		shown = next
	}
}

func run(ctx context.Context, f func(context.Context), done chan<- struct{}) {
	f(ctx)
	done <- struct{}{}
}

func (t *Tray) clicked(slot menu.Slot) {
	if slot != menu.SlotSignIn {
		return
	}
	select {
	case t.signIn <- struct{}{}:
	default: // one is under way already
	}
}

// watch follows the daemon, and looks for it while it does not answer.
func (t *Tray) watch(ctx context.Context) {
	for ctx.Err() == nil {
		for ev, err := range t.Client.Watch(ctx) {
			if err != nil {
				t.lost(ctx, err)
				break
			}
			if ev.Status != nil {
				t.show(menu.Build(*ev.Status))
				t.taker.Offer(ev.Status)
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(reconnectEvery):
		}
	}
}

func (t *Tray) lost(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	t.Log.Debug("daemon lost", "error", err)
	t.show(menu.Down(err.Error()))
}

// show replaces a menu that was not shown yet. Only the watcher calls it.
func (t *Tray) show(m menu.Menu) {
	select {
	case <-t.menus:
	default:
	}
	t.menus <- m
}

func (t *Tray) take(ctx context.Context) { t.taker.Run(ctx) }

// signInOnClick goes through one login for each click, at the caller's edge.
func (t *Tray) signInOnClick(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.signIn:
		}
		a := signin.Attempt{Client: t.Client, Mode: api.ModeLoopback, Purpose: api.PurposeSession, Dialog: t.dialog()}
		l, err := a.Run(ctx)
		if ctx.Err() == nil {
			t.signedIn(l, err)
		}
	}
}

func (t *Tray) dialog() signin.Dialog {
	return signin.Dialog{
		Show: func(l api.Login) {
			t.note("Sign in: the browser shows the code " + l.CompareCode)
		},
		Open: t.Open,
		Note: func(p *api.Problem) { t.failed(p) },
	}
}

// signedIn tells how a login ended.
func (t *Tray) signedIn(l api.Login, err error) {
	if err != nil {
		t.failed(err)
		return
	}
	t.Log.Info("signed in", "edge", l.Edge)
	t.note("")
}

func (t *Tray) failed(err error) {
	t.Log.Warn("sign-in failed", "error", err)
	t.note("Sign in: " + err.Error())
}

// note shows a line, unless so many are waiting that nobody would read it.
func (t *Tray) note(s string) {
	select {
	case t.notes <- s:
	default:
	}
}
