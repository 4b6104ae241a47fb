package login

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/sallyport/sallyport/edge/internal/config"
	"github.com/sallyport/sallyport/edge/internal/policy"
	"github.com/sallyport/sallyport/internal/quota"
	"github.com/sallyport/sallyport/wire"
)

const (
	// maxAttempts bounds the table: at about 1 KiB each it stays below 10 MiB.
	maxAttempts = 10_000
	// maxPerAddress bounds the live attempts of one address, behind which a
	// whole office may sit.
	maxPerAddress = 500
	// startEvery and startBurst bound the starts of one address over time; a
	// key, which is one OS user, gets fewer.
	startEvery, startBurst       = 200 * time.Millisecond, 200
	keyStartEvery, keyStartBurst = 3 * time.Second, 20
)

// Config is what a Service needs to know.
type Config struct {
	// Edge gives the present configuration: web URL, sites, administrators,
	// allowed modes. Required; it is asked at every step.
	Edge func() *config.Config
	// Log is required.
	Log *slog.Logger
	// Clock is the time; nil means time.Now.
	Clock func() time.Time
}

// Identity is the person that the provider named, and how.
type Identity struct {
	policy.Subject
	Name     string
	AMR      []string
	ACR      string
	AuthTime time.Time
}

// Approved is what a redeemed attempt allows.
type Approved struct {
	Attempt    string
	Purpose    wire.LoginPurpose
	Mode       wire.LoginMode
	Identity   Identity
	DeviceName string
	OSUser     string
	// From is the daemon's address at the start, Browser the browser's at the
	// yes.
	From    netip.Addr
	Browser netip.Addr
	// ReturnedAt is when the browser came back from the provider, whose word on
	// the person is not older.
	ReturnedAt time.Time
	// Site and Hostnames are what the person chose (purpose enrol).
	Site      string
	Hostnames []string
}

// Ended is an attempt that ended without being redeemed, for the audit.
type Ended struct {
	Key      wire.KeyID
	Approved // as far as it got; Identity is zero before the provider's answer
	Reason   wire.Reason
}

// Service is the table of attempts.
type Service struct {
	cfg     Config
	wake    chan struct{}
	starts  *quota.Buckets[netip.Addr]
	byOwner *quota.Buckets[wire.KeyID]

	onEnded []func(wire.KeyID, string, wire.Reason)
	onAudit []func(Ended)

	mu       sync.Mutex
	attempts map[string]*attempt // guarded by mu
	current  map[slot]string     // guarded by mu; attempts that are not over
	trips    map[string]string   // guarded by mu; OIDC state -> attempt
	live     map[netip.Addr]int  // guarded by mu
	nextAt   time.Time           // guarded by mu; when Run looks again
	told     []telling           // guarded by mu; hooks are called once it is free
}

// telling is an end that the hooks are to hear of.
type telling struct {
	Ended
	daemon bool // the daemon is told too
}

// slot is where one live attempt has room.
type slot struct {
	key     wire.KeyID
	purpose wire.LoginPurpose
}

// New returns an empty table.
func New(cfg Config) *Service {
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	return &Service{
		cfg: cfg, wake: make(chan struct{}, 1),
		starts:   quota.New[netip.Addr](startEvery, startBurst, maxAttempts),
		byOwner:  quota.New[wire.KeyID](keyStartEvery, keyStartBurst, maxAttempts),
		attempts: map[string]*attempt{}, current: map[slot]string{},
		trips: map[string]string{}, live: map[netip.Addr]int{},
	}
}

// OnEnded adds a hook for attempts that end otherwise than by Redeem or Cancel:
// refused, expired, replaced. Call it before the first Start; it must not block.
func (s *Service) OnEnded(hook func(key wire.KeyID, attempt string, r wire.Reason)) {
	s.onEnded = append(s.onEnded, hook)
}

// OnAudit adds a hook for every attempt that ends without being redeemed,
// cancelled ones included. Call it before the first Start; it must not block.
func (s *Service) OnAudit(hook func(Ended)) { s.onAudit = append(s.onAudit, hook) }

// Start begins an attempt; it replaces an older one of the same key and purpose.
// A refusal is a *wire.Reason.
func (s *Service) Start(ctx context.Context, key wire.KeyID, from netip.Addr, m *wire.LoginStart) (*wire.LoginStarted, error) {
	edge := s.cfg.Edge()
	if err := checkStart(edge, m); err != nil {
		return nil, err
	}
	now := s.cfg.Clock()
	if !s.byOwner.Take(key, now) || !s.starts.Take(network(from), now) {
		return nil, tooMany("too many sign-ins were begun from here")
	}
	a := &attempt{
		Ended: Ended{Key: key, Approved: Approved{
			Attempt: rand.Text(), Purpose: m.Purpose, Mode: m.Mode,
			DeviceName: printable(m.DeviceName), OSUser: printable(m.OSUser), From: from.Unmap(),
		}},
		state: StateStarted, startedAt: now, deadline: now.Add(edge.Login.Timeout), compare: newCode(compareLen),
		verifier: slices.Clone(m.VerifierHash), port: m.LoopbackPort, path: m.LoopbackPath,
	}
	var err error
	s.locked(func() { err = s.addLocked(a) })
	if err != nil {
		return nil, err
	}
	s.cfg.Log.Info("login started", "attempt", a.Attempt, "key", key, "purpose", a.Purpose, "mode", a.Mode, "from", a.From)
	return &wire.LoginStarted{
		Attempt: a.Attempt, URL: edge.WebURL() + "/login/" + a.Attempt,
		CompareCode: dashed(a.compare), ExpiresAt: a.deadline.UTC(),
	}, nil
}

func (s *Service) addLocked(a *attempt) error {
	place := slot{a.Key, a.Purpose}
	if old, ok := s.attempts[s.current[place]]; ok {
		s.endLocked(old, eventAbandon, wire.Reason{Code: wire.CodeAbandoned, Text: "a newer sign-in of this device took its place"}, true)
	}
	if s.live[network(a.From)] >= maxPerAddress {
		return tooMany("too many sign-ins from this address are under way")
	}
	if len(s.attempts) >= maxAttempts && !s.makeRoomLocked() {
		return tooMany("the edge has too many sign-ins under way")
	}
	s.attempts[a.Attempt] = a
	s.current[place] = a.Attempt
	s.live[network(a.From)]++
	s.dueLocked(a.deadline)
	return nil
}

// makeRoomLocked drops the oldest attempt that is over or that no browser has
// opened: a flood of starts cannot push out people who are signing in.
func (s *Service) makeRoomLocked() bool {
	var oldest *attempt
	for _, a := range s.attempts {
		if (a.state.Final() || a.state == StateStarted) && (oldest == nil || a.startedAt.Before(oldest.startedAt)) {
			oldest = a
		}
	}
	if oldest == nil {
		return false
	}
	s.endLocked(oldest, eventAbandon, *tooMany("the edge has too many sign-ins under way"), true)
	delete(s.attempts, oldest.Attempt)
	return true
}

// Redeem takes the code that the browser brought back. A refusal is a
// *wire.Reason: code "invalid" leaves the attempt as it is (try again), any
// other ends it.
func (s *Service) Redeem(ctx context.Context, key wire.KeyID, m *wire.LoginRedeem) (*Approved, error) {
	var done *Approved
	err := error(unknownAttempt())
	s.locked(func() {
		// Another key's attempt is an unknown one: it is neither touched nor confirmed.
		if a, ok := s.attempts[m.Attempt]; ok && a.Key == key && !a.state.Final() {
			done, err = s.redeemLocked(a, m)
		}
	})
	if err != nil {
		return nil, err
	}
	s.cfg.Log.Info("login redeemed", "attempt", done.Attempt, "key", key, "person", done.Identity.Email)
	return done, nil
}

func (s *Service) redeemLocked(a *attempt, m *wire.LoginRedeem) (*Approved, error) {
	if !s.cfg.Clock().Before(a.deadline) {
		return nil, s.expireLocked(a)
	}
	if a.state != StateApproved {
		return nil, &wire.Reason{Code: wire.CodeInvalid, Text: "nobody has said yes in the browser so far", Hint: "finish the sign-in in the browser first"}
	}
	sum := sha256.Sum256(m.Verifier)
	right := subtle.ConstantTimeCompare(sum[:], a.verifier)
	if right == 1 && a.codeIs(m.Code) {
		a.move(eventRedeem)
		s.forgetLocked(a)
		return &a.Approved, nil
	}
	if a.tries++; a.tries < maxTries {
		return nil, &wire.Reason{Code: wire.CodeInvalid, Text: fmt.Sprintf("that is not the code; %d tries are left", maxTries-a.tries), Hint: "type the code that the browser shows"}
	}
	reason := wire.Reason{Code: wire.CodeRefused, Text: "the code was wrong too often", Hint: again(a.Purpose)}
	s.endLocked(a, eventRefuse, reason, true)
	return nil, &reason
}

// Cancel gives an attempt up; unknown ones are ignored.
func (s *Service) Cancel(key wire.KeyID, attempt string) {
	s.locked(func() {
		if a, ok := s.attempts[attempt]; ok && a.Key == key {
			s.endLocked(a, eventAbandon, wire.Reason{Code: wire.CodeAbandoned, Text: "cancelled at the device"}, false)
		}
	})
}

// RefusePerson ends every attempt that a person has signed in for and that is
// not redeemed: for somebody whose sessions are being ended.
func (s *Service) RefusePerson(issuer, subject string, r wire.Reason) {
	s.locked(func() {
		for _, a := range s.attempts {
			if a.Identity.Issuer == issuer && a.Identity.Subject.Subject == subject {
				s.endLocked(a, eventRefuse, r, true)
			}
		}
	})
}

// network is whose limit counts: an IPv6 customer has a whole /64.
func network(a netip.Addr) netip.Addr {
	if a = a.Unmap(); a.Is6() {
		if p, err := a.WithZone("").Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return a
}

// printable makes a daemon's words fit to be shown: one line, bounded.
func printable(s string) string {
	const most = 64
	s = strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
			return -1 // controls, what is not seen, what turns text around
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	if r := []rune(s); len(r) > most {
		s = string(r[:most])
	}
	return s
}
