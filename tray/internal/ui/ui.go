// Package ui shows the tray: it watches the daemon, keeps the system's menu as
// package menu says, carries out what is clicked, takes the logins that
// connections want, and tells what happened on the desktop.
//
// Shapes: a Tray joins the daemon's client, a Surface (the system's tray in
// systray.go, or a fake of the tests), and the few things it does on the
// person's desktop. What is shown is a function of one menu.View, which Run
// alone changes: everybody else hands it an update.
//
// Units and limits: one sign-in of each kind at a time; a notice about the same
// thing at most once in quietFor, and all together at most burst a minute.
//
// Errors: what goes wrong is shown in the menu and logged; Run ends with its
// context, with ErrQuit, or with ErrOver.
//
// Concurrency: Run starts and joins all goroutines; only Run's own touches the
// surface and the view.
package ui

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/sallyport/sallyport/api/client"
	"github.com/sallyport/sallyport/internal/browser"
	"github.com/sallyport/sallyport/internal/signin"
	"github.com/sallyport/sallyport/tray/internal/menu"
	"github.com/sallyport/sallyport/tray/internal/notify"
)

var (
	// ErrQuit is the end that the person asked for.
	ErrQuit = errors.New("quit")
	// ErrOver is the end of the desktop session.
	ErrOver = errors.New("the desktop session is over")
)

// Surface is where a menu is shown.
type Surface interface {
	// Apply makes one change.
	Apply(c menu.Change)
	// Clicks gives the slots that are clicked.
	Clicks() <-chan menu.Slot
	// Opened tells that the menu is being looked at, where the system says so.
	Opened() <-chan struct{}
}

// Desktop is where notices are shown.
type Desktop interface {
	Show(ctx context.Context, n notify.Note) error
	Pressed() <-chan string
	Ended() <-chan struct{}
}

// Autostart says, and changes, whether the tray starts at login.
type Autostart interface {
	Enabled() (bool, error)
	Set(on bool) error
}

// Config is what a Tray needs; all of it is required.
type Config struct {
	Client *client.Client
	// Open opens a page of an edge, OpenOwn one that the tray serves.
	Open      func(ctx context.Context, url string, e browser.Edge) error
	OpenOwn   func(ctx context.Context, url string) error
	Copy      func(ctx context.Context, text string) error
	Desktop   Desktop
	Autostart Autostart
	Log       *slog.Logger
	Version   string
	Now       func() time.Time
}

// Tray is one tray.
type Tray struct {
	Config
	taker   *signin.Taker
	updates chan func(*menu.View)
	notices chan menu.Notice
	jobs    chan job
	signIns chan struct{}
	codes   chan struct{}
	apps    chan struct{}
	limit   limiter

	// Only Run's goroutine uses what follows.
	view    menu.View
	offered map[string]menu.Action // by the key of the notice
	warned  time.Time              // until when endings of sessions were looked at
	known   bool                   // a status was seen
}

// jobBacklog is how many clicks wait while one is carried out.
const jobBacklog = 8

// New returns a tray. It starts nothing.
func New(c Config) *Tray {
	t := &Tray{
		Config: c, updates: make(chan func(*menu.View), jobBacklog), notices: make(chan menu.Notice, burst), jobs: make(chan job, jobBacklog),
		signIns: make(chan struct{}, 1), codes: make(chan struct{}, 1), apps: make(chan struct{}, 1),
		offered: map[string]menu.Action{}, limit: limiter{},
	}
	t.taker = t.newTaker()
	return t
}

// Run shows the tray on s until ctx ends, the person quits (ErrQuit) or the
// desktop session is over (ErrOver).
func (t *Tray) Run(ctx context.Context, s Surface) error {
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	for _, f := range []func(context.Context){t.watch, t.take, t.signInOnClick, t.codeOnClick, t.work, t.fetchApps, t.tell} {
		all.Go(func() { f(ctx) })
	}
	t.view = menu.View{Down: connecting, Version: t.Version, Now: t.Now(), Autostart: t.startsAtLogin()}
	t.warned = t.view.Now
	var shown menu.Menu
	warn := time.NewTimer(0)
	defer warn.Stop()
	for {
		t.view.Now = t.Now()
		next := menu.Build(t.view)
		for _, c := range menu.Diff(shown, next) {
			s.Apply(c)
		}
		shown = next
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-t.Desktop.Ended():
			return ErrOver
		case f := <-t.updates:
			f(&t.view)
			warn.Reset(t.expiring())
		case <-warn.C:
			warn.Reset(t.expiring())
		case slot := <-s.Clicks():
			if !t.perform(shown.Entries[slot].Action) {
				return ErrQuit
			}
		case key := <-t.Desktop.Pressed():
			t.perform(t.offered[key])
		case <-s.Opened():
			poke(t.apps)
		}
	}
}

// connecting is shown until the daemon was asked for the first time.
const connecting = "Looking for it"

// update hands a change of the view to Run.
func (t *Tray) update(ctx context.Context, f func(*menu.View)) {
	select {
	case t.updates <- f:
	case <-ctx.Done():
	}
}

// say shows a line about what has just happened; "" takes it back.
func (t *Tray) say(ctx context.Context, note string) {
	t.update(ctx, func(v *menu.View) { v.Note = note })
}

// poke asks for something that is done once however often it is asked for.
func poke(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (t *Tray) startsAtLogin() bool {
	on, err := t.Autostart.Enabled()
	if err != nil {
		t.Log.Warn("cannot say whether the tray starts at login", "error", err)
	}
	return on
}
