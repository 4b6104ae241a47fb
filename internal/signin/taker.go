package signin

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/api/client"
	"github.com/sallyport/sallyport/internal/browser"
)

const (
	// openEvery is the least time between two browsers that open by themselves.
	openEvery = time.Minute
	// retryAfter is the least time between a failed attempt and the next: the
	// daemon marks the login as wanted again as soon as a connection comes.
	retryAfter = 5 * time.Second
)

// Taker takes logins that a waiting connection made wanted.
type Taker struct {
	// Client and Mode are required.
	Client *client.Client
	Mode   api.LoginMode
	// Edge limits it to one edge; "" means any.
	Edge   string
	Dialog Dialog
	// Other goes through the login where the edge takes those of the other mode alone;
	// nil: it fails.
	Other func(ctx context.Context, edge string) (api.Login, error)
	// Done is told how each attempt ended; nil means nobody.
	Done func(l api.Login, err error)

	offers chan api.Login
	opened time.Time
}

// NewTaker returns t, ready for Offer and Run.
func NewTaker(t Taker) *Taker {
	t.offers = make(chan api.Login, 1)
	return &t
}

// Offer shows a status to the taker; it does not block.
func (t *Taker) Offer(st *api.Status) {
	l, ok := wanted(st, t.Edge)
	select {
	case <-t.offers: // what was wanted before may be over
	default:
	}
	if !ok {
		return
	}
	select {
	case t.offers <- l:
	default: // another Offer was quicker
	}
}

// wanted finds the first login that nobody has taken.
func wanted(st *api.Status, edge string) (api.Login, bool) {
	for _, l := range st.Logins {
		if l.State == api.LoginWanted && (edge == "" || strings.EqualFold(edge, l.Edge)) {
			return l, true
		}
	}
	return api.Login{}, false
}

// Run takes one wanted login after the other until ctx ends.
func (t *Taker) Run(ctx context.Context) error {
	for {
		var l api.Login
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case l = <-t.offers:
		}
		if t.take(ctx, l) {
			continue
		}
		if err := rest(ctx, retryAfter); err != nil {
			return err
		}
		// Nothing need have changed since, so nobody need have offered it again.
		if st, err := t.Client.Status(ctx); err == nil {
			t.Offer(&st)
		}
	}
}

// take goes through one login and says whether it succeeded.
func (t *Taker) take(ctx context.Context, l api.Login) bool {
	a := Attempt{Client: t.Client, Edge: l.Edge, Mode: t.Mode, Purpose: api.PurposeSession, Dialog: t.Dialog}
	a.Dialog.Open = t.open
	got, err := a.Run(ctx)
	if t.Other != nil && WrongMode(err) {
		got, err = t.Other(ctx, l.Edge)
	}
	if t.Done != nil && ctx.Err() == nil {
		t.Done(got, err)
	}
	return err == nil
}

// open opens a browser unless it did so a moment ago.
func (t *Taker) open(ctx context.Context, url string, e browser.Edge) error {
	if t.Dialog.Open == nil {
		return nil
	}
	if !t.opened.IsZero() && time.Since(t.opened) < openEvery {
		return errors.New("one was opened less than a minute ago")
	}
	t.opened = time.Now()
	return t.Dialog.Open(ctx, url, e)
}

func rest(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
