package login

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/sallyport/sallyport/edge/internal/config"
	"github.com/sallyport/sallyport/wire"
)

// locked runs f under the mutex and calls the hooks for what ended afterwards.
func (s *Service) locked(f func()) {
	for _, e := range s.telling(f) {
		s.cfg.Log.Info("login ended", "attempt", e.Attempt, "key", e.Key, "reason", e.Reason.Code)
		for _, hook := range s.onAudit {
			hook(e.Ended)
		}
		for _, hook := range s.onEnded {
			if e.daemon {
				hook(e.Key, e.Attempt, e.Reason)
			}
		}
	}
}

// telling runs f under the mutex, and hands over who is to be told.
func (s *Service) telling(f func()) []telling {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	told := s.told
	s.told = nil
	return told
}

// endLocked ends an attempt that is not over. tell says whether its daemon is told.
func (s *Service) endLocked(a *attempt, e event, r wire.Reason, tell bool) {
	if !a.move(e) {
		return
	}
	a.Reason = r
	s.told = append(s.told, telling{a.Ended, tell})
	s.forgetLocked(a)
}

// forgetLocked frees what a finished attempt held. One that a browser has
// opened stays until its time is over, so that its pages can say how it ended.
func (s *Service) forgetLocked(a *attempt) {
	a.code, a.verifier = "", nil
	s.dropTripLocked(a)
	if place := (slot{a.Key, a.Purpose}); s.current[place] == a.Attempt {
		delete(s.current, place)
	}
	if from := network(a.From); s.live[from] > 1 {
		s.live[from]--
	} else {
		delete(s.live, from)
	}
	if a.owner == nil {
		delete(s.attempts, a.Attempt)
	}
}

func (s *Service) dropTripLocked(a *attempt) {
	if a.trip != nil {
		delete(s.trips, a.trip.State)
		a.trip = nil
	}
}

// expireLocked ends an attempt whose time is over.
func (s *Service) expireLocked(a *attempt) *wire.Reason {
	life := inWords(a.deadline.Sub(a.startedAt))
	reason := &wire.Reason{Code: wire.CodeExpired, Text: "the sign-in was not finished in " + life, Hint: again(a.Purpose)}
	switch a.state {
	case StateStarted:
		reason.Code, reason.Text = wire.CodeAbandoned, "nobody opened the sign-in page in "+life
	case StateApproved:
		reason.Text = "the code from the browser was not used in time"
	}
	s.endLocked(a, eventExpire, *reason, true)
	return reason
}

// inWords gives a setting in the words of a person.
func inWords(d time.Duration) string {
	if d >= time.Minute && d%time.Minute == 0 {
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	return fmt.Sprintf("%d s", d/time.Second)
}

// dueLocked makes Run look at t at the latest.
func (s *Service) dueLocked(t time.Time) {
	if s.nextAt.IsZero() || t.Before(s.nextAt) {
		s.nextAt = t
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

// Run expires attempts until ctx ends, then returns nil.
func (s *Service) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.wake:
		case <-timer.C:
		}
		timer.Reset(s.sweep())
	}
}

// sweep expires what is due and says how long to sleep.
func (s *Service) sweep() time.Duration {
	const longest = time.Minute // the clock may be set
	sleep := longest
	s.locked(func() {
		now := s.cfg.Clock()
		for id, a := range s.attempts {
			left := a.deadline.Sub(now)
			switch {
			case left > 0:
				sleep = min(sleep, left)
			case a.state.Final():
				delete(s.attempts, id)
			default:
				s.expireLocked(a)
				delete(s.attempts, id)
			}
		}
		s.nextAt = now.Add(sleep)
	})
	return sleep
}

func tooMany(text string) *wire.Reason {
	return &wire.Reason{Code: wire.CodeLimit, Text: text, Hint: "wait a minute, then try again"}
}

func unknownAttempt() *wire.Reason {
	return &wire.Reason{Code: wire.CodeExpired, Text: "the edge knows no such sign-in; it may have taken too long", Hint: "sallyport login"}
}

// checkStart refuses what can never be finished.
func checkStart(edge *config.Config, m *wire.LoginStart) error {
	invalid := func(text string) error { return &wire.Reason{Code: wire.CodeInvalid, Text: text} }
	switch m.Purpose {
	case wire.PurposeSession, wire.PurposeEnrol:
	default:
		return invalid("unknown purpose of a sign-in")
	}
	if len(m.VerifierHash) != 32 {
		return invalid("the verifier's hash is not a SHA-256")
	}
	switch m.Mode {
	case wire.ModeLoopback:
		if m.LoopbackPort < 1024 || !urlSafe(m.LoopbackPath) {
			return invalid("the loopback address of a sign-in needs a port from 1024 on and a path of letters, digits, - and _")
		}
	case wire.ModeCode:
	default:
		return invalid("unknown mode of a sign-in")
	}
	if !modeAllowed(edge, m.Mode) {
		return &wire.Reason{Code: wire.CodeLoginMode, Text: "this edge does not allow sign-ins of mode " + string(m.Mode), Hint: otherMode(m)}
	}
	return nil
}

// again is the command that starts a sign-in of this purpose.
func again(p wire.LoginPurpose) string {
	if p == wire.PurposeEnrol {
		return "sallyport tunnel login"
	}
	return "sallyport login"
}

func modeAllowed(edge *config.Config, m wire.LoginMode) bool {
	return slices.Contains(edge.Login.Modes, string(m))
}

func otherMode(m *wire.LoginStart) string {
	if m.Mode == wire.ModeLoopback {
		return again(m.Purpose) + " --no-browser"
	}
	return again(m.Purpose) + ", in a browser on the same machine"
}

// urlSafe says whether path is "/" and at least 8 unreserved characters: it is
// random, and nothing in it means anything to a URL.
func urlSafe(path string) bool {
	if len(path) < 9 || len(path) > 200 || path[0] != '/' {
		return false
	}
	for _, c := range path[1:] {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}
