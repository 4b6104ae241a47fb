package link

import (
	"context"
	"errors"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/wire"
)

// loadToken reads the vault once; from then on the link knows its content.
func (l *Link) loadToken() {
	if l.cfg.Vault == nil {
		return
	}
	l.vault.Lock()
	defer l.vault.Unlock()
	l.mu.Lock()
	loaded := l.facts.loaded
	l.mu.Unlock()
	if loaded {
		return
	}
	token := l.cfg.Vault.Token()
	l.mu.Lock()
	l.facts.token, l.facts.loaded = token, true
	l.mu.Unlock()
}

// helloToken is the token to show. logout says that it is shown to end its
// session, and for nothing else.
func (l *Link) helloToken() (token string, logout bool) {
	l.loadToken()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.facts.logout != "" {
		return l.facts.logout, true
	}
	return l.facts.token, false
}

// saveSession stores a token and only then takes the session over.
func (l *Link) saveSession(token string, s *wire.SessionInfo) error {
	l.vault.Lock()
	defer l.vault.Unlock()
	if l.cfg.Vault == nil {
		return nil // a host has connectors, not sessions
	}
	if err := l.cfg.Vault.Save(token, s); err != nil {
		return &api.Problem{
			Code: api.CodeInternal, Title: "The session cannot be stored", Detail: err.Error(),
			Hint: "Is the disk full, or the state directory read-only?",
		}
	}
	l.update(func(f *facts) { f.token, f.loaded, f.session, f.end = token, true, s, nil })
	return nil
}

// endSession cuts what hangs on a session and forgets its token. An id that is
// not the live session's only cuts; "" means the live one.
func (l *Link) endSession(id string, r wire.Reason) {
	l.vault.Lock()
	defer l.vault.Unlock()
	l.mu.Lock()
	live := l.facts.session
	l.mu.Unlock()
	switch {
	case id == "" && live != nil:
		id = live.ID
	case id != "" && (live == nil || live.ID != id):
		l.trunks.CloseSession(id, &r)
		return
	}
	l.update(func(f *facts) { f.session, f.token, f.loaded, f.end = nil, "", true, &r })
	if id == "" {
		l.trunks.CloseAll(&r)
	} else {
		l.trunks.CloseSession(id, &r)
	}
	if l.cfg.Vault == nil {
		return
	}
	if err := l.cfg.Vault.Ended(r); err != nil {
		l.log.Error("session token not removed", "err", err)
	}
}

// extendSession moves the live session's end.
func (l *Link) extendSession(id string, at time.Time) {
	l.vault.Lock()
	defer l.vault.Unlock()
	l.mu.Lock()
	s, token := l.facts.session, l.facts.token
	l.mu.Unlock()
	if s == nil || s.ID != id || s.ExpiresAt.Equal(at) {
		return
	}
	moved := *s
	moved.ExpiresAt = at
	l.update(func(f *facts) { f.session = &moved })
	if l.cfg.Vault == nil || token == "" {
		return
	}
	if err := l.cfg.Vault.Save(token, &moved); err != nil {
		l.log.Warn("session not stored", "err", err)
	}
}

// Logout ends the session: here at once, at the edge now or at the next
// contact of this process.
func (l *Link) Logout(ctx context.Context) error {
	l.loadToken()
	l.mu.Lock()
	inst, session, token := l.facts.inst, l.facts.session, l.facts.token
	l.mu.Unlock()
	if session == nil && token == "" {
		return &api.Problem{Code: api.CodeLoginNeeded, Title: "Nobody is signed in", Hint: "Sign in: sallyport login"}
	}
	var err error
	delivered := false
	if inst != nil && session != nil {
		_, err = inst.Call(ctx, &wire.Logout{Session: session.ID})
		var refused *wire.Failure
		delivered = err == nil || errors.As(err, &refused)
	}
	l.endSession("", wire.Reason{Code: wire.CodeLoggedOut, Text: "you signed out on this machine"})
	if !delivered && token != "" {
		l.update(func(f *facts) { f.logout = token })
		l.log.Warn("signed out on this machine only; the edge is told at the next contact", "err", err)
		l.poke()
	}
	return nil
}

// deliverLogout ends the session of a logout that the edge has not heard of. If
// the link ends first, the next one tries again.
func (l *Link) deliverLogout(ctx context.Context, inst *instance) {
	if !inst.signedOut {
		return
	}
	if inst.logout != "" {
		_, err := inst.Call(ctx, &wire.Logout{Session: inst.logout})
		var refused *wire.Failure
		if err != nil && !errors.As(err, &refused) {
			return
		}
	}
	l.update(func(f *facts) { f.logout = "" })
}
