package sessions

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/edge/internal/store"
	"github.com/sallyport/sallyport/wire"
)

const (
	// keepEnded is how long an ended session stays in the list, so that its
	// daemon can still be told why and an administrator can look back.
	keepEnded = 30 * 24 * time.Hour
	// stripes bounds how many sessions change at once; one stripe holds a lock
	// while the store writes.
	stripes = 64
)

// row is a session at rest.
type row struct {
	Session
	// TokenHash is of the newest token, PreviousHash of the one last shown.
	TokenHash    []byte `json:"token_hash"`
	PreviousHash []byte `json:"previous_hash,omitempty"`
}

// Service holds all sessions of the edge.
type Service struct {
	rows     *store.Table[row]
	log      *slog.Logger
	now      func() time.Time
	lifetime atomic.Int64 // of time.Duration
	wake     chan struct{}

	live sync.Map // id -> *Session, never changed in place; Get reads it without a lock

	// locks serialise the changes of one key's and one session's rows. A key's
	// lock is taken before a session's, never two of one kind.
	keyLocks, idLocks [stripes]sync.Mutex
	seed              maphash.Seed

	mu     sync.Mutex               // guards all below; never held while the store works
	byKey  map[wire.KeyID]string    // live sessions only
	barred map[person]ban           // whose sessions were ended lately
	ending map[string]chan struct{} // closed once the hooks of an ending session have returned
	hooks  []func(context.Context, Session, wire.Reason)
}

// New reads the sessions from the store. lifetime is how long a new session
// lives.
func New(ctx context.Context, s store.Store, lifetime time.Duration, log *slog.Logger) (*Service, error) {
	if lifetime <= 0 {
		return nil, fmt.Errorf("session lifetime of %s: must be above zero", lifetime)
	}
	svc := &Service{
		rows: store.NewTable[row](s, "sessions"), log: log, now: time.Now,
		wake: make(chan struct{}, 1), seed: maphash.MakeSeed(),
		byKey: map[wire.KeyID]string{}, ending: map[string]chan struct{}{}, barred: map[person]ban{},
	}
	svc.lifetime.Store(int64(lifetime))
	rows, err := svc.rows.List(ctx)
	if err != nil {
		return nil, fmt.Errorf("read sessions: %w", err)
	}
	for _, r := range rows {
		if r.EndedAt == nil {
			svc.admit(r.Session)
		}
	}
	return svc, nil
}

// SetLifetime changes how long sessions made from now on live.
func (s *Service) SetLifetime(d time.Duration) {
	if d > 0 {
		s.lifetime.Store(int64(d))
	}
}

// OnEnd adds a hook; call it before Run. A hook must not call End for the same
// session.
func (s *Service) OnEnd(hook func(ctx context.Context, s Session, r wire.Reason)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hooks = append(s.hooks, hook)
}

// Get returns a live session. It is cheap: called for every stream.
func (s *Service) Get(id string) (Session, bool) {
	v, ok := s.live.Load(id)
	if !ok {
		return Session{}, false
	}
	session := v.(*Session)
	// The clock counts, not the timer: no stream opens on an expired session
	// even where Run is late.
	if !session.live(s.now()) {
		return Session{}, false
	}
	return *session, true
}

// ByKey returns the live session of a device key.
func (s *Service) ByKey(key wire.KeyID) (Session, bool) {
	s.mu.Lock()
	id, ok := s.byKey[key]
	s.mu.Unlock()
	if !ok {
		return Session{}, false
	}
	return s.Get(id)
}

// List returns every session, live and ended, the newest first.
func (s *Service) List(ctx context.Context) ([]Session, error) {
	rows, err := s.rows.List(ctx)
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	all := make([]Session, 0, len(rows))
	for _, r := range rows {
		all = append(all, r.Session)
	}
	slices.SortStableFunc(all, func(a, b Session) int {
		return cmp.Or(b.StartedAt.Compare(a.StartedAt), strings.Compare(a.ID, b.ID))
	})
	return all, nil
}

// Create writes a new session and ends an older one of the same key, whose
// hooks have returned when Create does. The token goes to the daemon and is
// nowhere else. A person whom EndPerson has met since VouchedAt is refused with its
// reason.
func (s *Service) Create(ctx context.Context, n NewSession) (Session, string, error) {
	if n.Key.IsZero() || n.Person.Issuer == "" || n.Person.Subject == "" {
		return Session{}, "", errors.New("create session: key, issuer and subject are required")
	}
	lock := s.lockOf(&s.keyLocks, n.Key[:])
	lock.Lock()
	defer lock.Unlock()
	if old, ok := s.sessionOf(n.Key); ok {
		if err := s.End(ctx, old, replaced(n.Person)); err != nil {
			return Session{}, "", fmt.Errorf("replace session %s: %w", old, err)
		}
	}
	now := s.now().UTC().Round(0) // wall clock: a machine that slept does not lengthen a session
	session := Session{
		ID: "ses_" + strings.ToLower(rand.Text()[:16]), Key: n.Key, Person: n.Person, EmailVerified: n.EmailVerified,
		AMR: n.AMR, ACR: n.ACR, AuthTime: n.AuthTime, DeviceName: n.DeviceName, OSUser: n.OSUser,
		From: n.From, StartedAt: now, ExpiresAt: now.Add(time.Duration(s.lifetime.Load())),
	}
	token, hash := newToken(session.ID)
	if err := s.rows.Create(ctx, session.ID, row{Session: session, TokenHash: hash}); err != nil {
		return Session{}, "", fmt.Errorf("create session: %w", err)
	}
	s.admit(session)
	// Asked once it is among those that EndPerson ends: one of the two sees the other.
	if why := s.barredSince(person{n.Person.Issuer, n.Person.Subject}, n.VouchedAt); why != nil {
		if err := s.End(ctx, session.ID, *why); err != nil {
			return Session{}, "", fmt.Errorf("end session of a barred person: %w", err)
		}
		return Session{}, "", why
	}
	s.poke()
	s.log.Info("session started", "session", session.ID, "person", session.Person.Email, "key", session.Key, "expires_at", session.ExpiresAt)
	return session, token, nil
}

func replaced(by wire.PersonInfo) wire.Reason {
	who := by.Email
	if who == "" {
		who = by.Subject
	}
	return wire.Reason{Code: wire.CodeSessionEnded, Text: "replaced by a new login of " + who + " on this device"}
}

// sessionOf is ByKey without a look at the clock: an expired session that Run
// has not ended yet still has to be ended.
func (s *Service) sessionOf(key wire.KeyID) (id string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, ok = s.byKey[key]
	return id, ok
}

func (s *Service) admit(session Session) {
	s.live.Store(session.ID, &session)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byKey[session.Key] = session.ID
}

// dismiss takes a session out of memory.
func (s *Service) dismiss(session Session) {
	s.live.Delete(session.ID)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byKey[session.Key] == session.ID {
		delete(s.byKey, session.Key)
	}
}

func (s *Service) lockOf(locks *[stripes]sync.Mutex, id []byte) *sync.Mutex {
	return &locks[maphash.Bytes(s.seed, id)%stripes]
}

func (s *Service) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}
