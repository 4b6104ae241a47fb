package agent

import (
	"errors"
	"log/slog"
	"strconv"

	"github.com/sallyport/sallyport/daemon/internal/store"
	"github.com/sallyport/sallyport/internal/ipc"
	"github.com/sallyport/sallyport/internal/logging"
)

// errNoAccount: a process has the id of an account that is gone.
var errNoAccount = errors.New("the account of its user id is gone, and no other has taken its place")

// Account notes which account a caller is, and returns the caller with what its
// things are kept under. The system gives the number of a deleted account to a
// new one, which is told by its name; nothing of the former's is the new one's.
func (a *Agent) Account(who ipc.Identity) (ipc.Identity, error) {
	if !numbered(who.UID) {
		return who, nil
	}
	a.noting.Lock()
	defer a.noting.Unlock()
	row, err := a.store.Accounts.Get(who.UID)
	known := err == nil
	switch {
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return who, a.stored(err)
	case known && row.Name == who.Name:
		who.Account = row.Scope()
		return who, nil
	case known && who.Name == who.UID: // it has no name now
		return who, errNoAccount
	}
	former := row.Name
	row = store.Account{UID: who.UID, Name: who.Name, Holder: row.Holder + 1}
	if err := a.store.Accounts.Put(who.UID, row); err != nil {
		return who, a.stored(err)
	}
	who.Account = row.Scope()
	if known {
		a.log.Warn("user id given to another account: what was the former one's is kept from it",
			slog.String("uid", who.UID), slog.String("former", former), slog.String(logging.KeyOwner, who.Name))
		a.poke()
	}
	return who, nil
}

// numbered says whether an id of an OS user is one that is used again: root's
// never is, nor are those of Windows.
func numbered(uid string) bool {
	n, err := strconv.ParseUint(uid, 10, 32)
	return err == nil && n != 0
}

// noteAccounts notes who has the ids of what is kept, where nobody has noted it:
// as the forwards name them, else as the system does now.
func (a *Agent) noteAccounts() error {
	c, err := a.store.Load()
	if err != nil {
		return err
	}
	names := map[string]string{}
	for _, s := range c.Sessions {
		names[s.Scope] = ""
	}
	for _, e := range c.Edges {
		names[e.Scope] = ""
	}
	for _, f := range c.Forwards {
		names[f.Owner] = f.OwnerName
	}
	for _, known := range c.Accounts {
		delete(names, known.UID)
	}
	for uid, name := range names {
		if !numbered(uid) {
			continue
		}
		if name == "" {
			name = ipc.UserName(uid)
		}
		if name == uid { // it has no name, or the system cannot tell now
			continue
		}
		if err := a.store.Accounts.Put(uid, store.Account{UID: uid, Name: name, Holder: 1}); err != nil {
			return err
		}
	}
	return nil
}
