package login

import (
	"context"
	"fmt"
	"time"

	"github.com/sallyport/sallyport/api"
)

// Wait is the gate of forwards. It returns nil at once where there is a
// session. Else it marks a login as wanted and waits: nil when there is a
// session, an *api.Problem when there will be none.
func (a *Attempts) Wait(ctx context.Context) error {
	if a.cfg.Link.HasSession() {
		return nil
	}
	released := make(chan error, 1)
	if err := a.join(released); err != nil {
		return err
	}
	defer a.leave(released)
	if a.cfg.Link.HasSession() {
		// It came between the first look and the joining, when nobody told us.
		a.Poke()
	}
	timer := time.NewTimer(a.cfg.Wait)
	defer timer.Stop()
	select {
	case err := <-released:
		return err
	case <-timer.C:
		return a.inVain()
	case <-ctx.Done():
		return fmt.Errorf("wait for a login: %w", context.Cause(ctx))
	}
}

// join adds a waiter and makes sure that a login is wanted.
func (a *Attempts) join(released chan error) error {
	a.mu.Lock()
	defer a.changed()
	defer a.mu.Unlock()
	switch {
	case a.closed:
		return &api.Problem{Code: api.CodeLoginNeeded, Title: "The daemon is stopping"}
	case a.live == nil && time.Now().Before(a.pausedUntil):
		return a.paused
	case a.live == nil:
		a.wantLocked()
	}
	a.waiters[released] = struct{}{}
	return nil
}

func (a *Attempts) wantLocked() {
	t := a.newLocked(api.LoginWanted)
	a.log.Warn("login needed: sallyport login", "attempt", t.ID)
}

// wantAgainLocked lets somebody else take a login, where connections still wait for one.
func (a *Attempts) wantAgainLocked() {
	if len(a.waiters) > 0 && a.live == nil && !a.closed {
		a.wantLocked()
	}
}

// leave removes a waiter. A login that only connections wanted is forgotten
// with the last of them.
func (a *Attempts) leave(released chan error) {
	a.mu.Lock()
	delete(a.waiters, released)
	if t := a.live; t != nil && t.State == api.LoginWanted && len(a.waiters) == 0 {
		a.endLocked(t, eventExpire, abandoned(t.Purpose))
	}
	a.mu.Unlock()
	a.changed()
}

// inVain is what a connection is told that nobody signed in for.
func (a *Attempts) inVain() *api.Problem {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.live != nil && a.live.State != api.LoginWanted {
		return abandoned(api.PurposeSession)
	}
	return &api.Problem{
		Code: api.CodeLoginNeeded, Title: "Nobody signed in", Detail: fmt.Sprintf("the connection was held for %v", a.cfg.Wait),
		Hint: "Sign in: sallyport login",
	}
}

// releaseLocked ends every wait: nil where there is a session.
func (a *Attempts) releaseLocked(err error) {
	for released := range a.waiters {
		released <- err // one slot, and one word each
		delete(a.waiters, released)
	}
}

// Poke looks again whether there is a session; call it when the link changed.
func (a *Attempts) Poke() {
	if !a.cfg.Link.HasSession() {
		return
	}
	a.mu.Lock()
	// An attempt that somebody took goes on: a person may sign in anew, as
	// another person or before the session's end.
	done := a.live != nil && a.live.State == api.LoginWanted
	if done {
		a.endLocked(a.live, eventDone, nil)
	}
	waited := len(a.waiters) > 0
	a.releaseLocked(nil)
	a.mu.Unlock()
	if done || waited {
		a.changed()
	}
}

// pauseLocked keeps connections from raising the next login at once.
func (a *Attempts) pauseLocked(p *api.Problem, d time.Duration) {
	a.paused, a.pausedUntil = p, time.Now().Add(d)
}
