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

// beside runs do, and meanwhile takes the logins that are wanted at its edge
// ("" means any) and tells when access ends. Without a taker they are left to
// the tray or another command. It returns do's error.
func (w *Walk) beside(ctx context.Context, edge string, taker *signin.Taker, do func(context.Context) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := do(ctx); err != nil {
			return err
		}
		return errOver
	})
	group.Go(func() error { return w.watch(ctx, edge, taker) })
	if taker != nil {
		group.Go(func() error { return taker.Run(ctx) })
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
	return signin.NewTaker(signin.Taker{
		Client: w.Client, Mode: mode, Edge: edge, Dialog: w.Term.Dialog(mode, reason, read), Done: w.loginDone,
	})
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

// watch shows each status to the taker, and tells when a session ends.
func (w *Walk) watch(ctx context.Context, edge string, taker *signin.Taker) error {
	var before []api.Session
	told := ""
	for ev, err := range w.Client.Watch(ctx) {
		if err != nil {
			return err
		}
		if ev.Status == nil {
			continue
		}
		if taker != nil {
			taker.Offer(ev.Status)
		} else {
			told = w.tellWanted(ev.Status, edge, told)
		}
		now := sessionsAt(ev.Status, edge)
		w.Term.Note(view.SessionChange(before, now)...)
		before = now
	}
	return nil
}

// tellWanted says once for each login that it is wanted.
func (w *Walk) tellWanted(st *api.Status, edge, told string) string {
	for _, l := range st.Logins {
		if l.State == api.LoginWanted && (edge == "" || strings.EqualFold(l.Edge, edge)) {
			if l.ID != told {
				w.Term.Note("login needed: a connection waits for it", "hint: sallyport login")
			}
			return l.ID
		}
	}
	return told
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
