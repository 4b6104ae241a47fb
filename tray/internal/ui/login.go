package ui

import (
	"context"
	"sync"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/internal/signin"
	"github.com/sallyport/sallyport/tray/internal/menu"
)

// newTaker makes what takes the logins that connections want.
func (t *Tray) newTaker() *signin.Taker {
	return signin.NewTaker(signin.Taker{Client: t.Client, Mode: api.ModeLoopback})
}

func (t *Tray) take(ctx context.Context) {
	t.taker.Dialog, t.taker.Other = t.dialog(ctx), t.signInElsewhere
	t.taker.Done = func(l api.Login, err error) { t.signedIn(ctx, l, err) }
	t.taker.Run(ctx) // ends with ctx
}

// signInOnClick goes through one login for each click, at the caller's edge.
func (t *Tray) signInOnClick(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.signIns:
		}
		a := signin.Attempt{Client: t.Client, Mode: api.ModeLoopback, Purpose: api.PurposeSession, Dialog: t.dialog(ctx)}
		l, err := a.Run(ctx)
		if signin.WrongMode(err) {
			l, err = t.signInElsewhere(ctx, "")
		}
		t.signedIn(ctx, l, err)
	}
}

// dialog speaks with the person by the menu and by notices.
func (t *Tray) dialog(ctx context.Context) signin.Dialog {
	return signin.Dialog{
		Show: func(l api.Login) {
			t.update(ctx, func(v *menu.View) {
				v.Note = "Sign in: the browser shows the code " + l.CompareCode
				text := "The page shows the code " + l.CompareCode + ". If it shows another one, refuse."
				if l.Waiting > 0 {
					text = "A connection waits for it. " + text
				}
				t.notice(menu.Notice{
					Key: "login", Title: "Sign in at " + l.Edge + " in the browser", Text: text,
					Button: "Open the page again", Action: menu.Action{Kind: menu.OpenLogin, Target: l.ID},
				})
			})
		},
		Open: t.Open,
		Note: func(p *api.Problem) {
			t.Log.Warn("sign-in", "error", p)
			t.say(ctx, "Sign in: "+message(p))
		},
	}
}

// signedIn tells how a login ended.
func (t *Tray) signedIn(ctx context.Context, l api.Login, err error) {
	if ctx.Err() != nil {
		return
	}
	if err == nil {
		t.Log.Info("signed in", "edge", l.Edge)
		t.say(ctx, "")
		return
	}
	t.Log.Warn("sign-in failed", "error", err)
	t.update(ctx, func(v *menu.View) {
		v.Note = "Sign in: " + message(err)
		t.notice(menu.Notice{
			Key: "login", Title: "The sign-in did not succeed", Text: message(err),
			Button: "Try again", Action: menu.Action{Kind: menu.SignIn},
		})
	})
}

// openLogin opens the page of a login that is under way once more, whoever
// began it: the code goes back to them.
func (t *Tray) openLogin(ctx context.Context, j job) error {
	l, err := t.Client.Login(ctx, j.Target)
	if err != nil {
		return err
	}
	if l.State != api.LoginBrowser || l.Mode != api.ModeLoopback {
		return &api.Problem{Code: api.CodeLoginExpired, Title: "that sign-in is over", Hint: "Choose Sign in again"}
	}
	return t.Open(ctx, l.URL, edgeNamed(j.status, l.Edge))
}

// codeOnClick goes through one login with a browser elsewhere for each click.
func (t *Tray) codeOnClick(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.codes:
		}
		l, err := t.signInElsewhere(ctx, "")
		t.signedIn(ctx, l, err)
	}
}

// signInElsewhere goes through a login at an edge ("": the caller's) by a code. It opens
// a page of the tray's own, on which the person finds the address to open and types the
// code that it shows at the end.
func (t *Tray) signInElsewhere(ctx context.Context, edge string) (api.Login, error) {
	page, err := signin.NewCodePage(ctx)
	if err != nil {
		return api.Login{}, err
	}
	serving, stop := context.WithCancel(ctx)
	var served sync.WaitGroup
	served.Go(func() {
		if err := page.Serve(serving); err != nil {
			t.Log.Warn("the page for the code ended", "error", err)
		}
	})
	defer served.Wait()
	defer stop()

	opened := make(chan error, 1)
	attempt, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	a := signin.Attempt{Client: t.Client, Edge: edge, Mode: api.ModeCode, Purpose: api.PurposeSession, Dialog: signin.Dialog{
		Show: func(l api.Login) {
			page.Show(l)
			t.say(ctx, "Sign in: open "+l.URL+" anywhere")
			served.Go(func() { opened <- t.OpenOwn(attempt, page.URL()) })
		},
		Code: func(ctx context.Context) (string, error) {
			select {
			case err := <-opened:
				if err != nil {
					return "", noPage(err)
				}
			case <-ctx.Done():
				return "", context.Cause(ctx)
			}
			opened <- nil // for the next code
			return page.Code(ctx)
		},
		Note: page.Note,
	}}
	l, err := a.Run(attempt)
	if err != nil {
		page.Over("The sign-in did not succeed: " + message(err))
	} else {
		page.Over("You are signed in")
	}
	return l, err
}

// noPage is the end where there is nowhere to type the code.
func noPage(err error) error {
	return &api.Problem{
		Code: api.CodeUnsupported, Title: "no browser opens here to type the code in", Detail: err.Error(),
		Hint: "Use a terminal: sallyport login --no-browser",
	}
}
