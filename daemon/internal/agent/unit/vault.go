package unit

import (
	"crypto"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/sallyport/sallyport/daemon/internal/agent/plan"
	"github.com/sallyport/sallyport/daemon/internal/store"
	"github.com/sallyport/sallyport/wire"
)

// maxHostKeys bounds the keys remembered of one hostname; the oldest goes.
const maxHostKeys = 64

// vault keeps the session of one client in the store: the link's Vault.
type vault struct {
	store *store.Store
	owner string
	edge  string
	now   func() time.Time
	saved func() // the desired set may have changed

	mu sync.Mutex
	// row is what the store holds.
	row store.Session
}

func openVault(s *store.Store, key plan.ClientKey, now func() time.Time, saved func()) (*vault, error) {
	v := &vault{store: s, owner: key.Owner, edge: key.Edge, now: now, saved: saved}
	row, err := s.Sessions.Get(store.Key(key.Owner, key.Edge))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	v.row = row
	return v, nil
}

// Token is the newest. Where somebody has signed out and the edge has not heard
// of it, it is the token that this takes.
func (v *vault) Token() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.row.Token == "" && v.row.Farewell != nil {
		return v.row.Farewell.Token
	}
	return v.row.Token
}

// Save stores the next token before it is used.
func (v *vault) Save(token string, s *wire.SessionInfo) error {
	return v.change(func(row *store.Session) {
		if row.Token == "" && row.Farewell != nil && row.Farewell.Session == s.ID {
			row.Farewell.Token = token
			return
		}
		row.Token, row.Ended, row.Farewell = token, nil, nil
		row.Info = &store.SessionInfo{
			ID: s.ID, Issuer: s.Person.Issuer, Subject: s.Person.Subject, Email: s.Person.Email, Name: s.Person.Name,
			Groups: s.Person.Groups, StartedAt: s.StartedAt, ExpiresAt: s.ExpiresAt,
		}
	})
}

// Ended forgets the token. After a logout it is kept aside until it is certain
// that the edge has heard of it.
func (v *vault) Ended(r wire.Reason) error {
	return v.change(func(row *store.Session) {
		switch {
		case row.Token == "":
			// A farewell: after a logout it waits to be delivered, all else has
			// made it needless. Why the session ended stays.
			if r.Code != wire.CodeLoggedOut {
				row.Farewell = nil
			}
			if row.Ended != nil {
				return
			}
		case r.Code == wire.CodeLoggedOut && row.Info != nil:
			row.Farewell = &store.Farewell{Session: row.Info.ID, Token: row.Token}
		}
		row.Token = ""
		row.Ended = &store.Reason{Code: string(r.Code), Text: r.Text, Hint: r.Hint, At: v.now().UTC()}
	})
}

// farewell is the id of a session that the edge is still to hear the end of.
func (v *vault) farewell() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.row.Token != "" || v.row.Farewell == nil {
		return ""
	}
	return v.row.Farewell.Session
}

// delivered forgets the farewell.
func (v *vault) delivered() error {
	return v.change(func(row *store.Session) { row.Farewell = nil })
}

func (v *vault) change(f func(row *store.Session)) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	row, err := v.store.Sessions.Update(store.Key(v.owner, v.edge), func(row *store.Session) error {
		row.Scope, row.Edge = v.owner, v.edge
		f(row)
		return nil
	})
	if err != nil {
		return err
	}
	v.row = row
	v.saved()
	return nil
}

// deviceKey returns the key of a scope at an edge, made on first need.
func deviceKey(s *store.Store, scope, edge string, now time.Time) (crypto.Signer, error) {
	row, err := s.Keys.Update(store.Key(scope, edge), func(row *store.DeviceKey) error {
		if len(row.PKCS8) > 0 {
			return errKept
		}
		key, err := wire.NewDeviceKey()
		if err != nil {
			return err
		}
		row.PKCS8, err = wire.MarshalDeviceKey(key)
		row.CreatedAt = now.UTC()
		return err
	})
	if err != nil && !errors.Is(err, errKept) {
		return nil, fmt.Errorf("device key for %s: %w", edge, err)
	}
	return wire.ParseDeviceKey(row.PKCS8)
}

// errKept ends a transaction that has nothing to write.
var errKept = errors.New("kept as it is")

// hostKeys remembers which keys have served a hostname, for one client.
type hostKeys struct {
	store  *store.Store
	key    plan.ClientKey
	strict bool // a key that is not known is refused, and not remembered
}

// Check notes a key. It is known where it was seen before, or where no other
// was.
func (h hostKeys) Check(hostname string, key wire.KeyID) (known bool, err error) {
	_, err = h.store.HostKeys.Update(store.Key(h.key.Owner, h.key.Edge, hostname), func(row *store.HostKeys) error {
		known = len(row.Keys) == 0 || slices.Contains(row.Keys, key.String())
		switch {
		case slices.Contains(row.Keys, key.String()):
			return errKept
		case h.strict && !known:
			return fmt.Errorf("the host of %s has the key %s, which is none of those known; where it is a new one of yours: sallyport edge use %s --host-keys report, connect, then strict again", hostname, key, h.key.Edge)
		}
		row.Keys = append(row.Keys, key.String())
		if over := len(row.Keys) - maxHostKeys; over > 0 {
			row.Keys = slices.Delete(row.Keys, 0, over)
		}
		return nil
	})
	if errors.Is(err, errKept) {
		err = nil
	}
	return known, err
}
