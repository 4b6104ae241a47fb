package signin

import (
	"cmp"
	"context"
	"errors"
	"io"
	"strings"
	"sync"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/api/client"
	"github.com/sallyport/sallyport/internal/browser"
)

// Dialog is how an attempt speaks with the person. Nil functions are left out.
type Dialog struct {
	// Show tells the URL and the compare code, once.
	Show func(l api.Login)
	// Open opens the URL in a browser (mode loopback). It is not called where
	// another taker has opened one already.
	Open func(ctx context.Context, url string, e browser.Edge) error
	// Code reads what the person typed (mode code); io.EOF means that nobody
	// will. Required in that mode.
	Code func(ctx context.Context) (string, error)
	// Note tells one line: a browser that did not open, a code that was wrong.
	Note func(p *api.Problem)
}

// Attempt is one login. Mode is required; an empty Edge means the caller's.
type Attempt struct {
	Client  *client.Client
	Edge    string
	Mode    api.LoginMode
	Purpose api.LoginPurpose
	Dialog  Dialog
}

// Run goes through the login until its final state. It is nil only for
// api.LoginDone; the end of ctx gives the attempt up.
func (a Attempt) Run(ctx context.Context) (api.Login, error) {
	in := api.LoginInput{Edge: a.Edge, Mode: a.Mode, Purpose: a.Purpose}
	var ln *Listener
	if a.Mode == api.ModeLoopback {
		var err error
		if ln, err = Listen(ctx); err != nil {
			return api.Login{}, &api.Problem{Code: api.CodeInternal, Title: "Cannot wait for the browser", Detail: err.Error(), Hint: "use --no-browser"}
		}
		in.LoopbackPort, in.LoopbackPath = ln.Port(), ln.Path()
	}
	ctx, cancel := context.WithCancelCause(ctx)
	w := &walk{Attempt: a, listener: ln, fail: cancel}
	login, err := w.follow(ctx, in)
	cancel(nil)
	w.join()
	return login, err
}

// WrongMode says whether an attempt failed since the edge takes logins of the other mode
// alone.
func WrongMode(err error) bool {
	var p *api.Problem
	return errors.As(err, &p) && p.Code == api.CodeLoginMode
}

// walk is one run of an attempt.
type walk struct {
	Attempt
	listener *Listener
	fail     context.CancelCauseFunc
	shown    bool
	helpers  sync.WaitGroup
}

func (w *walk) follow(ctx context.Context, in api.LoginInput) (api.Login, error) {
	var last api.Login
	for l, err := range w.Client.HoldLogin(ctx, in) {
		if err != nil {
			return last, err
		}
		last = l
		if l.State == api.LoginBrowser && !w.shown {
			w.shown = true
			w.begin(ctx, l)
		}
	}
	return last, outcome(last, w.command())
}

// command is what a person types to try again.
func (w *walk) command() string {
	if w.Purpose == api.PurposeEnrol {
		return "sallyport tunnel login"
	}
	return "sallyport login"
}

// begin shows the URL and starts waiting for the code.
func (w *walk) begin(ctx context.Context, l api.Login) {
	if w.Dialog.Show != nil {
		w.Dialog.Show(l)
	}
	if w.listener == nil {
		w.helpers.Go(func() { w.typed(ctx, l.ID) })
		return
	}
	w.helpers.Go(func() { w.returned(ctx, l.ID) })
	if l.LoopbackPort == 0 || l.LoopbackPort == w.listener.Port() {
		w.helpers.Go(func() { w.open(ctx, l) })
	}
}

// returned waits for the browser.
func (w *walk) returned(ctx context.Context, id string) {
	err := w.listener.Serve(ctx, w.done(), func(ctx context.Context, code string) error {
		_, err := w.Client.Redeem(ctx, id, code)
		if err != nil {
			defer w.fail(err)
		}
		return err
	})
	if err != nil {
		w.fail(&api.Problem{Code: api.CodeInternal, Title: "Cannot wait for the browser", Detail: err.Error()})
	}
}

// done is the title of the page that the person sees at the end.
func (w *walk) done() string {
	if w.Purpose == api.PurposeEnrol {
		return "This machine may publish now"
	}
	return "You are signed in"
}

// typed reads codes until one is taken or the attempt is over.
func (w *walk) typed(ctx context.Context, id string) {
	for ctx.Err() == nil {
		code, err := w.Dialog.Code(ctx)
		if err != nil {
			w.fail(noCode(err, w.command()))
			return
		}
		if code = tidy(code); code == "" {
			continue
		}
		_, err = w.Client.Redeem(ctx, id, code)
		var p *api.Problem
		switch {
		case err == nil || ctx.Err() != nil:
			return
		case !errors.As(err, &p) || p.Code != api.CodeInvalid:
			w.fail(err)
			return
		}
		w.note(p)
	}
}

func (w *walk) open(ctx context.Context, l api.Login) {
	if w.Dialog.Open == nil {
		return
	}
	err := w.Dialog.Open(ctx, l.URL, w.edge(ctx, l.Edge))
	if err != nil && ctx.Err() == nil {
		w.note(&api.Problem{
			Code:   api.CodeUnsupported,
			Title:  "The browser did not open",
			Detail: err.Error(),
			Hint:   "open the URL yourself; if your browser is on another machine, use --no-browser",
		})
	}
}

// edge finds where the edge is, so that the URL can be checked against it.
func (w *walk) edge(ctx context.Context, name string) browser.Edge {
	e := browser.Edge{Name: name}
	edges, err := w.Client.Edges(ctx)
	if err != nil {
		return e
	}
	for _, known := range edges {
		if strings.EqualFold(known.Name, name) {
			e.Address = known.Address
		}
	}
	return e
}

func (w *walk) note(p *api.Problem) {
	if w.Dialog.Note != nil {
		w.Dialog.Note(p)
	}
}

// join waits for the helpers; the listener delivers its page meanwhile.
func (w *walk) join() {
	if w.listener != nil && !w.shown {
		w.listener.Close()
	}
	w.helpers.Wait()
}

// noCode is the end of an attempt whose code nobody can type.
func noCode(err error, command string) error {
	if !errors.Is(err, io.EOF) {
		return err
	}
	return &api.Problem{
		Code:  api.CodeLoginAbandoned,
		Title: "No approval code was given",
		Hint:  "run `" + command + " --no-browser` on a terminal and type the code that the page shows",
	}
}

// tidy takes what people add to a code: spaces and dashes.
func tidy(code string) string {
	return strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' || r == '\t' || r == '\r' || r == '\n' {
			return -1
		}
		return r
	}, strings.ToUpper(code))
}

// outcome is nil for a login that is done, and else why it is not.
func outcome(l api.Login, command string) error {
	if l.State == api.LoginDone {
		return nil
	}
	if l.Problem != nil {
		return l.Problem
	}
	p := &api.Problem{Code: api.CodeLoginNeeded, Title: "The sign-in ended as " + cmp.Or(string(l.State), "nothing")}
	switch l.State {
	case api.LoginRefused:
		p.Code, p.Title = api.CodeLoginRefused, "the sign-in was refused"
	case api.LoginExpired:
		p.Code, p.Title = api.CodeLoginExpired, "the sign-in was not completed in time"
	case api.LoginCancelled:
		p.Code, p.Title = api.CodeLoginAbandoned, "the sign-in was cancelled, or replaced by another"
	}
	p.Hint = "try again: " + command
	return p
}
