package walk

import (
	"context"
	"errors"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/ctl/internal/cli/terminal"
	"github.com/sallyport/sallyport/ctl/internal/cli/view"
	"github.com/sallyport/sallyport/internal/signin"
)

// errOver ends what runs beside the main thing.
var errOver = errors.New("the main thing is over")

// companion is shown each status and runs beside the main thing; a
// *signin.Taker is one.
type companion interface {
	Offer(st *api.Status)
	Run(ctx context.Context) error
}

// beside runs do, shows each status meanwhile to the companion (nil means that
// there is none), and tells when access at its edge ("" means any) ends. It
// returns do's error, or that of the companion if it is first.
func (w *Walk) beside(ctx context.Context, edge string, c companion, do func(context.Context) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := do(ctx); err != nil {
			return err
		}
		return errOver
	})
	group.Go(func() error { return w.watch(ctx, edge, c) })
	if c != nil {
		group.Go(func() error { return c.Run(ctx) })
	}
	err := group.Wait()
	if errors.Is(err, errOver) {
		return nil
	}
	return err
}

// taker is who takes wanted logins in the words of read.
func (w *Walk) taker(edge string, noBrowser bool, read terminal.Reader) *signin.Taker {
	mode, reason := w.Term.LoginMode(noBrowser)
	t := signin.Taker{Client: w.Client, Mode: mode, Edge: edge, Dialog: w.Term.Dialog(mode, reason, read), Done: w.loginDone}
	if mode == api.ModeLoopback && !w.Term.Silent {
		t.Other = func(ctx context.Context, edge string) (api.Login, error) {
			return w.byCode(ctx, edge, api.PurposeSession, read)
		}
	}
	return signin.NewTaker(t)
}

// loginDone tells how a login ended that was taken beside.
func (w *Walk) loginDone(l api.Login, err error) {
	switch {
	case err != nil:
		w.Term.NoteError("sign-in: ", err)
	case l.Session != nil:
		w.Term.Note("signed in to " + l.Edge + " as " + l.Session.Person.Email)
	default:
		w.Term.Note("signed in to " + l.Edge)
	}
}

// watch shows each status to the companion, and tells when a session ends. With
// nobody to take it, a wanted login is told.
func (w *Walk) watch(ctx context.Context, edge string, c companion) error {
	var before []api.Session
	first, told := true, ""
	for ev, err := range w.Client.Watch(ctx) {
		if err != nil {
			return err
		}
		if ev.Status == nil {
			continue
		}
		if c != nil {
			c.Offer(ev.Status)
		} else if l, ok := wantedAt(ev.Status, edge); ok && l.ID != told {
			w.Term.NoteError("", errLoginNeeded())
			told = l.ID
		}
		now := sessionsAt(ev.Status, edge)
		if !first { // what was over before this began is no news
			w.Term.Note(view.SessionChange(before, now)...)
		}
		before, first = now, false
	}
	return nil
}

// wantedAt finds a login that nobody has taken.
func wantedAt(st *api.Status, edge string) (api.Login, bool) {
	for _, l := range st.Logins {
		if l.State == api.LoginWanted && (edge == "" || strings.EqualFold(l.Edge, edge)) {
			return l, true
		}
	}
	return api.Login{}, false
}

func errLoginNeeded() *api.Problem {
	return &api.Problem{Code: api.CodeLoginNeeded, Title: "Login needed", Detail: "a connection waits for it", Hint: "sallyport login"}
}

func sessionsAt(st *api.Status, edge string) []api.Session {
	var out []api.Session
	for _, s := range st.Sessions {
		if edge == "" || strings.EqualFold(s.Edge, edge) {
			out = append(out, s)
		}
	}
	return out
}
