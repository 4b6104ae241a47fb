package login

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/wire"
)

// errURL: the edge gave a URL that no browser shall open.
var errURL = errors.New("the edge gave a login URL that is not https")

// redeemTimeout bounds a redeem, which outlives the request that asked for it.
const redeemTimeout = 30 * time.Second

// Start begins an attempt, takes a wanted one, or joins a live one of the same
// mode and purpose; one of another mode is replaced. It returns when the edge
// has answered. taker is the life of who asked (a held request): the attempt is
// given up when it ends before the login does; context.Background() says that
// nobody watches.
func (a *Attempts) Start(ctx, taker context.Context, in api.LoginInput) (api.Login, error) {
	if in.Purpose == "" {
		in.Purpose = api.PurposeSession
	}
	if p := checkInput(in); p != nil {
		return api.Login{}, p
	}
	t, first := a.take(in)
	if t == nil {
		return api.Login{}, &api.Problem{Code: api.CodeLoginAbandoned, Title: "The daemon is stopping"}
	}
	a.hold(t, taker, first)
	if first {
		a.ask(ctx, t, in)
	}
	return a.settled(ctx, t)
}

func checkInput(in api.LoginInput) *api.Problem {
	invalid := func(field, detail string) *api.Problem {
		return &api.Problem{Code: api.CodeInvalid, Title: "Not a login that can be started", Detail: detail, Field: field}
	}
	switch {
	case in.Mode != api.ModeLoopback && in.Mode != api.ModeCode:
		return invalid("mode", fmt.Sprintf("%q is neither loopback nor code", in.Mode))
	case in.Purpose != api.PurposeSession && in.Purpose != api.PurposeEnrol:
		return invalid("purpose", fmt.Sprintf("%q is neither session nor enrol", in.Purpose))
	case in.Mode == api.ModeLoopback && in.LoopbackPort == 0:
		return invalid("loopback_port", "the mode loopback needs a port")
	}
	return nil
}

// take finds the attempt to join, or makes the caller the one who asks the edge.
func (a *Attempts) take(in api.LoginInput) (t *attempt, first bool) {
	a.mu.Lock()
	defer a.changed()
	defer a.mu.Unlock()
	if a.closed {
		return nil, false
	}
	t = a.live
	if t != nil && t.State != api.LoginWanted {
		if t.Mode == in.Mode && t.Purpose == in.Purpose {
			return t, false
		}
		a.endLocked(t, eventReplace, &api.Problem{
			Code: api.CodeLoginAbandoned, Title: "Another login took the place of this one", Hint: again(t.Purpose),
		})
		t = nil
	}
	if t == nil {
		t = a.newLocked(api.LoginWanted)
	}
	t.Mode, t.Purpose, t.LoopbackPort = in.Mode, in.Purpose, in.LoopbackPort
	a.pausedUntil = time.Time{}
	a.stepLocked(t, eventTake)
	return t, true
}

// hold ties an attempt to who took it. In mode loopback the first taker is the
// one to whom the browser is sent; the code can be typed to any.
func (a *Attempts) hold(t *attempt, taker context.Context, first bool) {
	a.mu.Lock()
	t.takers++
	a.mu.Unlock()
	context.AfterFunc(taker, func() {
		a.mu.Lock()
		t.takers--
		gone := t.takers == 0 || (first && t.Mode == api.ModeLoopback)
		if gone && !t.State.Final() && t.State != api.LoginRedeeming {
			a.endLocked(t, eventReplace, abandoned(t.Purpose))
			a.wantAgainLocked()
		}
		a.mu.Unlock()
		a.changed()
	})
}

// ask asks the edge for the attempt.
func (a *Attempts) ask(ctx context.Context, t *attempt, in api.LoginInput) {
	verifier := make([]byte, verifierBytes)
	rand.Read(verifier)
	hash := sha256.Sum256(verifier)
	started, err := a.cfg.Link.StartLogin(ctx, &wire.LoginStart{
		Purpose: wire.LoginPurpose(in.Purpose), Mode: wire.LoginMode(in.Mode),
		DeviceName: a.cfg.DeviceName, OSUser: a.cfg.OSUser,
		LoopbackPort: in.LoopbackPort, LoopbackPath: in.LoopbackPath, VerifierHash: hash[:],
	})
	if err == nil {
		err = a.checkURL(started.URL)
	}
	a.mu.Lock()
	defer a.changed()
	defer a.mu.Unlock()
	switch {
	case t.State.Final():
		if started != nil {
			a.cfg.Link.CancelLogin(started.Attempt)
		}
	case err != nil:
		p := a.problem(err)
		if p.Code == api.CodeLoginMode { // who took it may go on in the other mode
			a.endLocked(t, eventFail, p)
			a.wantAgainLocked()
			return
		}
		e, pause := eventFail, failedPause
		if p.Code == api.CodeLoginRefused {
			e, pause = eventRefuse, a.cfg.Pause
		}
		a.overLocked(t, e, p, pause)
	default:
		t.edgeID, t.verifier = started.Attempt, verifier
		t.URL, t.CompareCode = started.URL, started.CompareCode
		expires := started.ExpiresAt.UTC()
		t.ExpiresAt = &expires
		// The edge tells of the end; this is for a link that is away then. The
		// edge's clock may differ from ours: its word comes first.
		t.expiry = time.AfterFunc(max(time.Until(expires), time.Minute), func() { a.expire(t) })
		a.stepLocked(t, eventAnswer)
	}
}

// settled waits until the edge has answered for an attempt.
func (a *Attempts) settled(ctx context.Context, t *attempt) (api.Login, error) {
	for {
		a.mu.Lock()
		view, moved := a.viewLocked(t), t.moved
		a.mu.Unlock()
		switch {
		case view.State == api.LoginFailed || view.State == api.LoginRefused:
			return view, view.Problem
		case view.State != api.LoginStarting:
			return view, nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return view, fmt.Errorf("wait for the edge's answer: %w", context.Cause(ctx))
		}
	}
}

// Redeem shows the code that came back, and returns the login as it is then.
func (a *Attempts) Redeem(ctx context.Context, id, code string) (api.Login, error) {
	t, m, err := a.redeeming(id, code)
	if err != nil {
		return api.Login{}, err
	}
	// Not the request's context alone: once the edge has heard the code, its
	// answer holds the session.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), redeemTimeout)
	defer cancel()
	done, err := a.cfg.Link.Redeem(ctx, m)
	a.mu.Lock()
	defer a.changed()
	defer a.mu.Unlock()
	if err != nil {
		p := a.problem(err)
		a.notRedeemedLocked(t, p)
		return a.viewLocked(t), p
	}
	a.redeemedLocked(t, done)
	return a.viewLocked(t), nil
}

// redeeming moves an attempt on and gives the message.
func (a *Attempts) redeeming(id, code string) (*attempt, *wire.LoginRedeem, error) {
	a.mu.Lock()
	defer a.changed()
	defer a.mu.Unlock()
	t := a.findLocked(id)
	switch {
	case t == nil:
		return nil, nil, &api.Problem{Code: api.CodeNotFound, Title: "No such login", Hint: "Start another: sallyport login"}
	case t.State.Final() && t.Problem != nil:
		return nil, nil, t.Problem
	case t.State != api.LoginBrowser:
		return nil, nil, &api.Problem{Code: api.CodeConflict, Title: "This login does not wait for a code", Detail: "it is " + string(t.State)}
	case code == "":
		return nil, nil, &api.Problem{Code: api.CodeInvalid, Title: "The code is missing", Field: "code"}
	}
	t.Problem = nil
	a.stepLocked(t, eventCode)
	return t, &wire.LoginRedeem{Attempt: t.edgeID, Code: code, Verifier: t.verifier}, nil
}

// notRedeemedLocked: a code that was typed wrongly may be typed again; the one
// that a browser brought back is spent.
func (a *Attempts) notRedeemedLocked(t *attempt, p *api.Problem) {
	switch {
	case t.State.Final(): // the edge told its end meanwhile
	case p.Code == api.CodeLoginRefused, p.Code == api.CodeDenied, p.Code == api.CodePermission:
		a.overLocked(t, eventRefuse, p, a.cfg.Pause)
	case p.Code == api.CodeLoginExpired, p.Code == api.CodeSessionEnded:
		a.overLocked(t, eventExpire, expired(t.Purpose), a.cfg.Pause)
	case t.Mode == api.ModeCode && p.Code != api.CodeNotFound && p.Code != api.CodeLimit:
		t.Problem = p
		a.stepLocked(t, eventWrong)
	default:
		a.overLocked(t, eventFail, p, failedPause)
	}
}

func (a *Attempts) redeemedLocked(t *attempt, done *wire.LoginDone) {
	if s := done.Session; s != nil {
		t.Session = &api.Session{
			ID: s.ID, Edge: a.cfg.Edge, Owner: a.cfg.Owner, State: api.SessionActive,
			Person:    api.Person{Email: s.Person.Email, Name: s.Person.Name, Groups: s.Person.Groups},
			StartedAt: s.StartedAt.UTC(), ExpiresAt: s.ExpiresAt.UTC(),
		}
	}
	if c := done.Connector; c != nil {
		t.Enrolment = &api.Enrolment{
			Edge: a.cfg.Edge, ConnectorID: c.ID, Group: c.Group, Site: c.Site, Hostnames: c.Hostnames, Since: time.Now().UTC(),
		}
	}
	a.endLocked(t, eventDone, nil)
	if done.Session != nil {
		a.pausedUntil = time.Time{}
		a.releaseLocked(nil)
	}
}

// Cancel gives an attempt up at a person's word: who waits for it is told.
func (a *Attempts) Cancel(id string) (api.Login, error) {
	a.mu.Lock()
	defer a.changed()
	defer a.mu.Unlock()
	t := a.findLocked(id)
	if t == nil {
		return api.Login{}, &api.Problem{Code: api.CodeNotFound, Title: "No such login"}
	}
	if !t.State.Final() {
		p := abandoned(t.Purpose)
		p.Detail = "it was cancelled on this machine"
		a.overLocked(t, eventCancel, p, a.cfg.Pause)
	}
	return a.viewLocked(t), nil
}

// Ended is for link.OnLoginEnded: the edge says that an attempt ended without
// a code.
func (a *Attempts) Ended(attempt string, r wire.Reason) {
	a.mu.Lock()
	t := a.live
	if t == nil || t.edgeID != attempt {
		a.mu.Unlock()
		return
	}
	e, p := eventRefuse, refused(t.Purpose)
	switch r.Code {
	case wire.CodeExpired:
		e, p = eventExpire, expired(t.Purpose)
	case wire.CodeAbandoned: // nobody so much as opened the page
		e, p = eventExpire, abandoned(t.Purpose)
	}
	p.Detail = r.Text
	if r.Hint != "" && e == eventRefuse {
		p.Hint = r.Hint
	}
	a.overLocked(t, e, p, a.cfg.Pause)
	a.mu.Unlock()
	a.changed()
}

func (a *Attempts) expire(t *attempt) {
	a.mu.Lock()
	a.overLocked(t, eventExpire, expired(t.Purpose), a.cfg.Pause)
	a.mu.Unlock()
	a.changed()
}

// overLocked ends an attempt without a session: who waits is told why, and
// connections raise no other for a while.
func (a *Attempts) overLocked(t *attempt, e event, p *api.Problem, pause time.Duration) {
	if t.State.Final() {
		return
	}
	a.endLocked(t, e, p)
	a.pauseLocked(p, pause)
	a.releaseLocked(p)
}

func refused(p api.LoginPurpose) *api.Problem {
	return &api.Problem{Code: api.CodeLoginRefused, Title: "The login was refused", Hint: again(p)}
}

func expired(p api.LoginPurpose) *api.Problem {
	return &api.Problem{Code: api.CodeLoginExpired, Title: "The login expired before it was completed", Hint: again(p)}
}

func abandoned(p api.LoginPurpose) *api.Problem {
	return &api.Problem{Code: api.CodeLoginAbandoned, Title: "The login was abandoned", Hint: again(p)}
}

// again is the next step after a login of this purpose that did not succeed.
func again(p api.LoginPurpose) string {
	if p == api.PurposeEnrol {
		return "Enrol this machine: sallyport tunnel login"
	}
	return "Sign in: sallyport login"
}
