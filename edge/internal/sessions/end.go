package sessions

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sallyport/sallyport/wire"
)

const (
	// hookTime bounds all hooks of one end together; cutting takes well below a second.
	hookTime = 10 * time.Second
	// longestSleep bounds the timer of Run, so that a clock that was set or a
	// machine that slept is noticed.
	longestSleep = time.Minute
	// pruneEvery is how often old rows are looked for.
	pruneEvery = 6 * time.Hour
)

// End ends a session: the row is durable, then every hook of OnEnd has
// returned, then End returns. Ending an ended session changes nothing and
// returns when the hooks of the first end have; store.ErrNotFound where there
// never was one. Where the store fails the session is cut all the same, and
// the error says that it is not durable.
func (s *Service) End(ctx context.Context, id string, r wire.Reason) error {
	// Whoever asked may go away; what was begun is finished.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), hookTime)
	defer cancel()
	session, done, err := s.markEnded(ctx, id, r)
	if errors.Is(err, errOver) {
		return s.awaitHooks(ctx, id)
	}
	if done == nil {
		return fmt.Errorf("end session %s: %w", id, err)
	}
	s.mu.Lock()
	hooks := slices.Clone(s.hooks)
	s.mu.Unlock()
	for _, hook := range hooks {
		hook(ctx, session, r)
	}
	s.mu.Lock()
	delete(s.ending, id)
	s.mu.Unlock()
	close(done)
	if err != nil {
		return fmt.Errorf("session %s is cut, but its end is not durable: %w", id, err)
	}
	s.log.Info("session ended", "session", id, "person", session.Person.Email, "reason", r.Code)
	return nil
}

// markEnded writes the end and takes the session out of memory. done is nil
// where there is nothing to cut.
func (s *Service) markEnded(ctx context.Context, id string, reason wire.Reason) (Session, chan struct{}, error) {
	lock := s.lockOf(&s.idLocks, []byte(id))
	lock.Lock()
	defer lock.Unlock()
	r, err := s.rows.Update(ctx, id, func(r *row) error {
		if r.EndedAt != nil {
			return errOver
		}
		r.EndedAt, r.End = new(s.now().UTC()), &reason
		r.TokenHash, r.PreviousHash = nil, nil
		return nil
	})
	session := r.Session
	if err != nil {
		v, ok := s.live.Load(id)
		if errors.Is(err, errOver) || !ok {
			return Session{}, nil, err
		}
		session = *v.(*Session)
	}
	done := make(chan struct{})
	s.mu.Lock()
	s.ending[id] = done
	s.mu.Unlock()
	s.dismiss(session)
	return session, done, err
}

func (s *Service) awaitHooks(ctx context.Context, id string) error {
	s.mu.Lock()
	done := s.ending[id]
	s.mu.Unlock()
	if done == nil {
		return nil
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the end of session %s: %w", id, context.Cause(ctx))
	}
}

// keepBarred is longer than a login can be under way.
const keepBarred = time.Hour

// EndPerson ends every live session of a person, and keeps out those for which
// the provider has vouched before now: a login that is being redeemed.
func (s *Service) EndPerson(ctx context.Context, issuer, subject string, r wire.Reason) error {
	s.bar(person{issuer, subject}, r)
	var errs []error
	s.live.Range(func(_, v any) bool {
		if p := v.(*Session); p.Person.Issuer == issuer && p.Person.Subject == subject {
			errs = append(errs, s.End(ctx, p.ID, r))
		}
		return true
	})
	return errors.Join(errs...)
}

// SetGroups gives every live session of a person these groups: they count from
// when it returns.
func (s *Service) SetGroups(ctx context.Context, issuer, subject string, groups []string) error {
	var errs []error
	s.live.Range(func(_, v any) bool {
		if p := v.(*Session); p.Person.Issuer == issuer && p.Person.Subject == subject {
			errs = append(errs, s.setGroups(ctx, p.ID, groups))
		}
		return true
	})
	return errors.Join(errs...)
}

func (s *Service) setGroups(ctx context.Context, id string, groups []string) error {
	lock := s.lockOf(&s.idLocks, []byte(id))
	lock.Lock()
	defer lock.Unlock()
	r, err := s.rows.Update(ctx, id, func(r *row) error {
		if r.EndedAt != nil {
			return errOver
		}
		r.Person.Groups = slices.Clone(groups)
		return nil
	})
	if errors.Is(err, errOver) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("set groups of session %s: %w", id, err)
	}
	s.admit(r.Session)
	return nil
}

// person is whose sessions are ended together.
type person struct{ issuer, subject string }

// ban is since when a person is barred, and why.
type ban struct {
	at  time.Time
	why wire.Reason
}

func (s *Service) bar(p person, why wire.Reason) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for p, b := range s.barred {
		if now.Sub(b.at) > keepBarred {
			delete(s.barred, p)
		}
	}
	s.barred[p] = ban{now, why}
}

// barredSince is why a session of a person is not to be, for whom the provider
// vouched at t; nil where it may.
func (s *Service) barredSince(p person, t time.Time) *wire.Reason {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b, ok := s.barred[p]; ok && !t.After(b.at) {
		return &b.why
	}
	return nil
}

// Run ends sessions at their expiry and drops ended ones after 30 days. It
// returns nil when ctx ends.
func (s *Service) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var pruned time.Time
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.wake:
		case <-timer.C:
		}
		next := s.expireDue(ctx)
		if now := s.now(); now.Sub(pruned) >= pruneEvery {
			pruned = now
			if err := s.prune(ctx); err != nil {
				s.log.Warn("old sessions not dropped", "error", err)
			}
		}
		timer.Reset(next)
	}
}

// expireDue ends what is due and says how long to sleep.
func (s *Service) expireDue(ctx context.Context) time.Duration {
	next := longestSleep
	s.live.Range(func(_, v any) bool {
		session := v.(*Session)
		left := session.ExpiresAt.Sub(s.now())
		if left > 0 {
			next = min(next, left)
			return true
		}
		if err := s.End(ctx, session.ID, expired()); err != nil {
			s.log.Error("expired session not ended", "session", session.ID, "error", err)
			next = min(next, time.Second)
		}
		return ctx.Err() == nil
	})
	return next
}

func (s *Service) prune(ctx context.Context) error {
	rows, err := s.rows.List(ctx)
	if err != nil {
		return fmt.Errorf("list sessions: %w", err)
	}
	var errs []error
	for _, r := range rows {
		if r.EndedAt != nil && s.now().Sub(*r.EndedAt) > keepEnded {
			errs = append(errs, s.rows.Delete(ctx, r.ID))
		}
	}
	return errors.Join(errs...)
}
