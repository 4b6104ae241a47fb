package enrol

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/sallyport/sallyport/edge/internal/config"
	"github.com/sallyport/sallyport/edge/internal/store"
	"github.com/sallyport/sallyport/wire"
)

// ErrNotFound: no live connector, or token, has that id.
var ErrNotFound = errors.New("not found")

// errRaced: another writer changed a row in between; the caller tries again.
var errRaced = errors.New("row was changed by another writer")

// Connector is the row of one enrolled host.
type Connector struct {
	ID         string     `json:"id"`
	Key        wire.KeyID `json:"key"`
	Group      string     `json:"group"`
	Site       string     `json:"site"`
	Hostnames  []string   `json:"hostnames"` // globs it may serve
	DeviceName string     `json:"device_name"`
	CreatedAt  time.Time  `json:"created_at"`
	// By is who enrolled it: an email, or "token ID".
	By string `json:"by"`
	// RevokedAt and End are set together.
	RevokedAt *time.Time   `json:"revoked_at,omitempty"`
	End       *wire.Reason `json:"end,omitempty"`
}

// NewConnector is what an enrolment asks for. An empty Group makes a new one,
// empty Hostnames mean the whole site.
type NewConnector struct {
	Key        wire.KeyID
	Site       string
	Group      string
	Hostnames  []string
	DeviceName string
	By         string
}

// keyRow is the index from a key to its live connector.
type keyRow struct {
	Connector string `json:"connector"`
}

// Service keeps connectors, claims and join tokens. Use New.
type Service struct {
	store      store.Store
	connectors *store.Table[Connector]
	keys       *store.Table[keyRow]
	claims     *store.Table[claim]
	tokens     *store.Table[Token]
	sites      func() []config.Site
	log        *slog.Logger
	now        func() time.Time

	mu sync.Mutex // held over every change, its transaction included
	// claimed counts the claims of each group; nil until it is asked. Guarded by mu.
	claimed map[string]int

	rows  sync.RWMutex // guards what follows; taken after mu
	live  map[string]Connector
	byKey map[wire.KeyID]string
	ended map[wire.KeyID]ending // of keys without a live connector
	hooks []func(context.Context, Connector, wire.Reason)
	taken []func(Connector, string)
}

// ending is how a key lost its last connector.
type ending struct {
	at  time.Time
	why wire.Reason
}

// New loads the connectors, and gives back claims that a crash left behind.
func New(ctx context.Context, s store.Store, sites func() []config.Site, log *slog.Logger) (*Service, error) {
	e := &Service{
		store:      s,
		connectors: store.NewTable[Connector](s, "connectors"),
		keys:       store.NewTable[keyRow](s, "connector-keys"),
		claims:     store.NewTable[claim](s, "claims"),
		tokens:     store.NewTable[Token](s, "join-tokens"),
		sites:      sites, log: log, now: time.Now,
		live:  make(map[string]Connector),
		byKey: make(map[wire.KeyID]string),
		ended: make(map[wire.KeyID]ending),
	}
	rows, err := e.connectors.List(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range rows {
		e.remember(c)
	}
	if err := e.sweepClaims(ctx); err != nil {
		return nil, err
	}
	return e, nil
}

// remember takes a row into memory.
func (s *Service) remember(c Connector) {
	s.rows.Lock()
	defer s.rows.Unlock()
	if c.RevokedAt == nil {
		s.live[c.ID], s.byKey[c.Key] = c, c.ID
		delete(s.ended, c.Key)
		return
	}
	delete(s.live, c.ID)
	if s.byKey[c.Key] == c.ID {
		delete(s.byKey, c.Key)
	}
	if s.byKey[c.Key] == "" && c.End != nil && c.RevokedAt.After(s.ended[c.Key].at) {
		s.ended[c.Key] = ending{*c.RevokedAt, *c.End}
	}
}

// Create enrols a key; *wire.Reason on refusal. A key that is enrolled for the
// same site keeps its id and group, so that renewing an enrolment loses no
// hostname; any other enrolment of the key is ended as replaced.
func (s *Service) Create(ctx context.Context, n NewConnector) (Connector, error) {
	return s.enrol(ctx, func() (NewConnector, store.Txn, error) { return n, store.Txn{}, nil })
}

// enrol writes a connector within the transaction that prepare gives, again from
// the start where another writer was faster, and tells the hooks of one that it
// replaced.
func (s *Service) enrol(ctx context.Context, prepare func() (NewConnector, store.Txn, error)) (Connector, error) {
	c, replaced, err := s.enrolLocking(ctx, prepare)
	if err == nil && replaced != nil {
		s.runHooks(ctx, *replaced)
	}
	return c, err
}

func (s *Service) enrolLocking(ctx context.Context, prepare func() (NewConnector, store.Txn, error)) (Connector, *Connector, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for ctx.Err() == nil {
		n, t, err := prepare()
		if err != nil {
			return Connector{}, nil, err
		}
		c, replaced, err := s.createLocked(ctx, n, t)
		if !errors.Is(err, errRaced) {
			return c, replaced, err
		}
	}
	return Connector{}, nil, context.Cause(ctx)
}

// createLocked writes the connector within t; errRaced where a compare failed.
func (s *Service) createLocked(ctx context.Context, n NewConnector, t store.Txn) (c Connector, replaced *Connector, err error) {
	c, old, err := s.draft(n)
	if err != nil {
		return Connector{}, nil, err
	}
	if old != nil && old.ID != c.ID {
		replaced = old
		s.end(old, reason(wire.CodeRevoked, "this machine was enrolled anew", ""))
	}
	if t, err = s.writes(t, c, old); err != nil {
		return Connector{}, nil, err
	}
	res, err := s.store.Txn(ctx, t)
	if err != nil {
		return Connector{}, nil, fmt.Errorf("write connector %s: %w", c.ID, err)
	}
	if !res.Succeeded {
		return Connector{}, nil, errRaced
	}
	s.remember(c)
	if replaced != nil {
		s.remember(*replaced)
		s.release(ctx, replaced.Group)
	}
	return c, replaced, nil
}

// writes adds to t the rows of c, of its key, and of the one that it replaces.
func (s *Service) writes(t store.Txn, c Connector, old *Connector) (store.Txn, error) {
	key := c.Key.String()
	put, err := s.connectors.PutOp(c.ID, c)
	if err != nil {
		return t, err
	}
	index, err := s.keys.PutOp(key, keyRow{c.ID})
	if err != nil {
		return t, err
	}
	t.Then = append(t.Then, put, index)
	if old == nil {
		t.Compare = append(t.Compare, store.Missing(s.keys.Key(key)))
		return t, nil
	}
	before, err := s.keys.PutOp(key, keyRow{old.ID})
	if err != nil {
		return t, err
	}
	t.Compare = append(t.Compare, store.ValueIs(before.Key, before.Value))
	if old.ID == c.ID {
		return t, nil
	}
	end, err := s.connectors.PutOp(old.ID, *old)
	t.Then = append(t.Then, end)
	return t, err
}

// draft makes the row, and returns the key's present one where it has one.
func (s *Service) draft(n NewConnector) (c Connector, old *Connector, err error) {
	if n.Key.IsZero() {
		return c, nil, reason(wire.CodeInvalid, "no device key", "")
	}
	site, err := s.site(n.Site)
	if err != nil {
		return c, nil, err
	}
	scope, err := s.scopeOf(site, n.Hostnames)
	if err != nil {
		return c, nil, err
	}
	if err := s.checkGroupSite(n.Group, site); err != nil {
		return c, nil, err
	}
	c = Connector{
		ID: newID("con_"), Key: n.Key, Group: n.Group, Site: site, Hostnames: scope,
		DeviceName: printable(n.DeviceName), CreatedAt: s.now().UTC(), By: n.By,
	}
	if before, ok := s.ByKey(n.Key); ok {
		old = &before
		if old.Site == site && (n.Group == "" || n.Group == old.Group) {
			c.ID, c.Group = old.ID, old.Group
		}
	}
	if c.Group == "" {
		c.Group = newID("grp_")
	}
	return c, old, nil
}

// ByKey returns the live connector of a key.
func (s *Service) ByKey(key wire.KeyID) (Connector, bool) {
	s.rows.RLock()
	defer s.rows.RUnlock()
	c, ok := s.live[s.byKey[key]]
	return c, ok
}

// EndedByKey says why a key that has no live connector lost its last one; nil
// where it has one, or never had.
func (s *Service) EndedByKey(key wire.KeyID) *wire.Reason {
	s.rows.RLock()
	defer s.rows.RUnlock()
	if e, ok := s.ended[key]; ok {
		return &e.why
	}
	return nil
}

// barred says whether a key has lost its connector since t.
func (s *Service) barred(key wire.KeyID, t time.Time) bool {
	s.rows.RLock()
	defer s.rows.RUnlock()
	e, ok := s.ended[key]
	return ok && !t.After(e.at)
}

// Get returns a live connector.
func (s *Service) Get(id string) (Connector, bool) {
	s.rows.RLock()
	defer s.rows.RUnlock()
	c, ok := s.live[id]
	return c, ok
}

// List returns all connectors, revoked ones too, ordered by id.
func (s *Service) List(ctx context.Context) ([]Connector, error) { return s.connectors.List(ctx) }

// Info is the connector as its host sees it.
func (s *Service) Info(c Connector) wire.ConnectorInfo {
	return wire.ConnectorInfo{ID: c.ID, Group: c.Group, Site: c.Site, Hostnames: slices.Clone(c.Hostnames)}
}

// OnRevoked adds a hook. Call it before the first Revoke.
func (s *Service) OnRevoked(hook func(ctx context.Context, c Connector, why wire.Reason)) {
	s.rows.Lock()
	defer s.rows.Unlock()
	s.hooks = append(s.hooks, hook)
}

// Revoke ends a connector (ErrNotFound): the row is durable, then every hook of
// OnRevoked has run, then it returns.
func (s *Service) Revoke(ctx context.Context, id string, why wire.Reason) error {
	c, err := s.revoke(ctx, id, &why)
	if err != nil {
		return err
	}
	s.runHooks(ctx, c)
	return nil
}

func (s *Service) revoke(ctx context.Context, id string, why *wire.Reason) (Connector, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.Get(id)
	if !ok {
		return c, ErrNotFound
	}
	s.end(&c, why)
	put, err := s.connectors.PutOp(c.ID, c)
	if err != nil {
		return c, err
	}
	t := store.Txn{Then: []store.Op{put, store.Delete(s.keys.Key(c.Key.String()))}}
	if _, err := s.store.Txn(ctx, t); err != nil {
		return c, fmt.Errorf("revoke connector %s: %w", id, err)
	}
	s.remember(c)
	s.release(ctx, c.Group)
	return c, nil
}

func (s *Service) end(c *Connector, why *wire.Reason) {
	now := s.now().UTC()
	c.RevokedAt, c.End = &now, why
}

func (s *Service) runHooks(ctx context.Context, c Connector) {
	s.rows.RLock()
	hooks := slices.Clone(s.hooks)
	s.rows.RUnlock()
	for _, hook := range hooks {
		hook(ctx, c, *c.End)
	}
}

// site returns the zone of a configured site.
func (s *Service) site(zone string) (string, error) {
	zone = strings.ToLower(strings.TrimSuffix(zone, "."))
	var known []string
	for _, x := range s.sites() {
		if strings.EqualFold(x.Zone, zone) {
			return zone, nil
		}
		known = append(known, x.Zone)
	}
	return "", reason(wire.CodeInvalid, quote(zone)+" is not a site of this edge", "its sites are: "+strings.Join(known, ", "))
}

// zoneOf is the zone that a name or glob belongs to: the longest of those that
// it lies in, for a zone within another has publishers of its own.
func (s *Service) zoneOf(name string) string {
	var best string
	for _, x := range s.sites() {
		if zone := strings.ToLower(x.Zone); within(zone, name) && len(zone) > len(best) {
			best = zone
		}
	}
	return best
}

// checkGroupSite refuses a group that belongs to another site.
func (s *Service) checkGroupSite(group, site string) error {
	if err := checkGroup(group); err != nil {
		return err
	}
	s.rows.RLock()
	defer s.rows.RUnlock()
	for _, c := range s.live {
		if c.Group == group && c.Site != site {
			return reason(wire.CodeOutOfScope, "group "+group+" belongs to the site "+c.Site, "name a group of "+site)
		}
	}
	return nil
}

func checkGroup(group string) error {
	if group == "" || len(group) <= 63 && validName(group, false) {
		return nil
	}
	return reason(wire.CodeInvalid, quote(group)+" is not a group name", "use lower-case letters, digits and dashes")
}

func notFound(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return ErrNotFound
	}
	return err
}

func reason(code wire.Code, text, hint string) *wire.Reason {
	return &wire.Reason{Code: code, Text: text, Hint: hint}
}

// printable bounds what a peer says about itself, and takes control characters out.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, strings.ToValidUTF8(s, ""))
	if len(s) > 128 {
		s = strings.ToValidUTF8(s[:128], "")
	}
	return s
}

func quote(s string) string { return fmt.Sprintf("%q", printable(s)) }
