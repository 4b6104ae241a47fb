package login

import (
	"errors"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport/sallyport/edge/internal/config"
	"github.com/sallyport/sallyport/edge/internal/policy"
	"github.com/sallyport/sallyport/wire"
)

var (
	// ErrUnknown: no such attempt, or it was over long ago.
	ErrUnknown = errors.New("no such sign-in")
	// ErrOver: the attempt has come to its end; View says which.
	ErrOver = errors.New("sign-in is over")
	// ErrOtherBrowser: another browser has opened the attempt, or this one has
	// lost its cookie.
	ErrOtherBrowser = errors.New("sign-in belongs to another browser")
	// ErrOrder: this is not the attempt's next step.
	ErrOrder = errors.New("not the next step of this sign-in")
	// ErrNotPublisher: the person may publish on no site; the attempt is over.
	ErrNotPublisher = errors.New("no right to publish")
	// ErrChoice: the chosen site or hostnames cannot be; wrapped with a sentence.
	ErrChoice = errors.New("choice refused")
)

// View is an attempt as its pages show it.
type View struct {
	Attempt     string
	State       State
	Purpose     wire.LoginPurpose
	Mode        wire.LoginMode
	DeviceName  string
	OSUser      string
	From        netip.Addr
	StartedAt   time.Time
	ExpiresAt   time.Time
	CompareCode string
	// Reason is why it is over, zero before that.
	Reason wire.Reason
	// Identity is who signed in, zero before that. Only the owner sees it.
	Identity Identity
	// Sites are those that the person may choose (purpose enrol).
	Sites []string
	// LoopbackPort is where the browser will be sent (mode loopback).
	LoopbackPort uint16
}

// Answer is what the browser is told after the yes.
type Answer struct {
	// Redirect is where the browser goes (mode loopback), or "".
	Redirect string
	// Code is the approval code to be typed (mode code), or "".
	Code string
	// ExpiresAt is when the code is void.
	ExpiresAt time.Time
}

// View shows an attempt to whoever knows its id; the person only to the owner.
func (s *Service) View(id, secret string) (View, error) {
	view, err := View{}, ErrUnknown
	s.locked(func() {
		a, ok := s.attempts[id]
		if !ok {
			return
		}
		if !a.state.Final() && !s.cfg.Clock().Before(a.deadline) {
			s.expireLocked(a)
		}
		view, err = a.view(), nil
		if a.ownedBy(secret) {
			view.Identity, view.LoopbackPort = a.Identity, a.port
			if a.Purpose == wire.PurposeEnrol {
				view.Sites = sitesOf(s.cfg.Edge(), a.Identity.Subject)
			}
		}
	})
	return view, err
}

func (a *attempt) view() View {
	return View{
		Attempt: a.Attempt, State: a.state, Purpose: a.Purpose, Mode: a.Mode, DeviceName: a.DeviceName,
		OSUser: a.OSUser, From: a.From, StartedAt: a.startedAt, ExpiresAt: a.deadline,
		CompareCode: dashed(a.compare), Reason: a.Reason,
	}
}

// step runs f on a live attempt that the browser owns; an unowned one passes
// only where first is true.
func (s *Service) step(id, secret string, first bool, f func(a *attempt) error) error {
	err := ErrUnknown
	s.locked(func() {
		a, ok := s.attempts[id]
		switch {
		case !ok:
			return
		case a.owner == nil && !first, a.owner != nil && !a.ownedBy(secret):
			err = ErrOtherBrowser
		case a.state.Final():
			err = ErrOver
		case !s.cfg.Clock().Before(a.deadline):
			s.expireLocked(a)
			err = ErrOver
		default:
			err = f(a)
		}
	})
	return err
}

// Open is the first page's POST: the first browser owns the attempt from then
// on. The Trip is for the journey to the provider; an older one is void.
func (s *Service) Open(id, secret string, browser netip.Addr) (Trip, error) {
	var trip Trip
	err := s.step(id, secret, true, func(a *attempt) error {
		if !a.move(eventOpen) || !a.move(eventSend) {
			return ErrOrder
		}
		s.dropTripLocked(a)
		trip = Trip{Attempt: a.Attempt, State: newSecret(), Nonce: newSecret(), Verifier: newSecret()}
		if a.owner == nil {
			// Never a secret that the browser brought: another site of the same
			// host could have planted it.
			trip.Secret = newSecret()
			a.owner = hashOf(trip.Secret)
		}
		a.Identity, a.Browser = Identity{}, browser.Unmap()
		a.trip = &trip
		s.trips[trip.State] = a.Attempt
		return nil
	})
	return trip, err
}

// AttemptOf names the attempt that an OpenID Connect state belongs to.
func (s *Service) AttemptOf(state string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, ok := s.trips[state]
	return id, ok
}

// Callback takes the state that came back, once, and gives what Exchange needs.
func (s *Service) Callback(state, secret string) (Trip, error) {
	id, ok := s.AttemptOf(state)
	if !ok {
		return Trip{}, ErrUnknown
	}
	var trip Trip
	err := s.step(id, secret, false, func(a *attempt) error {
		if a.trip == nil || a.trip.State != state || !a.move(eventReturn) {
			return ErrOrder
		}
		trip = *a.trip
		a.ReturnedAt = s.cfg.Clock()
		s.dropTripLocked(a)
		return nil
	})
	return trip, err
}

// Identify sets who signed in. With purpose enrol a person who may publish
// nowhere ends the attempt: ErrNotPublisher.
func (s *Service) Identify(id, secret string, who Identity) error {
	return s.step(id, secret, false, func(a *attempt) error {
		a.Identity = who
		if a.Purpose == wire.PurposeEnrol && len(sitesOf(s.cfg.Edge(), who.Subject)) == 0 {
			s.endLocked(a, eventRefuse, wire.Reason{
				Code: wire.CodeDenied, Text: name(who) + " may not publish on any site of this edge",
				Hint: "ask an administrator to name you under publishers, or for a join token",
			}, true)
			return ErrNotPublisher
		}
		if !a.move(eventIdentify) {
			return ErrOrder
		}
		return nil
	})
}

// Accept is the person's yes. site and hostnames are those chosen (purpose
// enrol); no hostnames means the whole site. The code that it issues is for the
// daemon.
func (s *Service) Accept(id, secret string, browser netip.Addr, site string, hostnames []string) (Answer, error) {
	var answer Answer
	err := s.step(id, secret, false, func(a *attempt) error {
		if a.state != StateIdentified || !modeAllowed(s.cfg.Edge(), a.Mode) {
			return ErrOrder
		}
		if a.Purpose == wire.PurposeEnrol {
			if err := a.choose(s.cfg.Edge(), site, hostnames); err != nil {
				return err
			}
		}
		a.move(eventAccept)
		a.approve(s.cfg.Clock(), browser.Unmap())
		s.dueLocked(a.deadline)
		answer = a.answer()
		return nil
	})
	return answer, err
}

// Answer repeats what Accept gave, for a page that is loaded again.
func (s *Service) Answer(id, secret string) (Answer, error) {
	var answer Answer
	err := s.step(id, secret, false, func(a *attempt) error {
		if a.state != StateApproved {
			return ErrOrder
		}
		answer = a.answer()
		return nil
	})
	return answer, err
}

func (a *attempt) answer() Answer {
	if a.Mode == wire.ModeCode {
		return Answer{Code: dashed(a.code), ExpiresAt: a.deadline}
	}
	u := url.URL{Scheme: "http", Host: "127.0.0.1:" + strconv.Itoa(int(a.port)), Path: a.path, RawQuery: url.Values{"code": {a.code}}.Encode()}
	return Answer{Redirect: u.String(), ExpiresAt: a.deadline}
}

// Refuse ends an attempt by the owner's no; text says whose no it was, "" means
// the person's.
func (s *Service) Refuse(id, secret, text string) error {
	if text == "" {
		text = "the sign-in was refused in the browser"
	}
	return s.step(id, secret, false, func(a *attempt) error {
		s.endLocked(a, eventRefuse, wire.Reason{Code: wire.CodeRefused, Text: text, Hint: again(a.Purpose)}, true)
		return nil
	})
}

// sitesOf are the zones that a person may publish on.
func sitesOf(edge *config.Config, who policy.Subject) []string {
	var zones []string
	for _, site := range edge.Sites {
		if policy.Matches(edge.Administrators, who) || policy.Matches(site.Publishers, who) {
			zones = append(zones, site.Zone)
		}
	}
	return zones
}

// choose sets site and hostnames after checking that they can be.
func (a *attempt) choose(edge *config.Config, site string, hostnames []string) error {
	if !slices.Contains(sitesOf(edge, a.Identity.Subject), site) {
		return choiceError("choose one of the sites that you may publish on")
	}
	const most = 64
	if len(hostnames) > most {
		return choiceError("that are too many hostnames; use a pattern such as *." + site)
	}
	chosen := make([]string, 0, len(hostnames))
	for _, h := range hostnames {
		h = strings.ToLower(strings.TrimSuffix(strings.TrimSpace(h), "."))
		if h == "" {
			continue
		}
		plain := strings.TrimPrefix(h, "*.")
		if n, err := policy.Normalise(plain); err != nil || n != plain {
			return choiceError(strconv.Quote(printable(h)) + " is not a hostname; write it like tcp." + site + " or *." + site)
		}
		if plain != site && !strings.HasSuffix(plain, "."+site) {
			return choiceError(h + " is not under " + site)
		}
		chosen = append(chosen, h)
	}
	slices.Sort(chosen)
	a.Site, a.Hostnames = site, slices.Compact(chosen)
	return nil
}

type choiceError string

func (e choiceError) Error() string { return string(e) }

func (choiceError) Is(target error) bool { return target == ErrChoice }

func name(who Identity) string {
	switch {
	case who.Email != "":
		return who.Email
	case who.Name != "":
		return who.Name
	}
	return who.Subject.Subject
}
