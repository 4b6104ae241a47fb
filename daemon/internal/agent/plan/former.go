package plan

import (
	"slices"

	"github.com/sallyport/sallyport/daemon/internal/store"
)

// WithoutFormer leaves out what belongs to accounts whose id another one has now:
// it stays in the database, nobody sees it, and nothing of it runs.
func WithoutFormer(c store.Contents) store.Contents {
	scopes := map[string]string{}
	for _, row := range c.Accounts {
		scopes[row.UID] = row.Scope()
	}
	former := func(scope string) bool {
		now, ok := scopes[store.UIDOf(scope)]
		return ok && now != scope
	}
	c.Edges = slices.DeleteFunc(slices.Clone(c.Edges), func(e store.Edge) bool { return former(e.Scope) })
	c.Sessions = slices.DeleteFunc(slices.Clone(c.Sessions), func(s store.Session) bool { return former(s.Scope) })
	c.Forwards = slices.DeleteFunc(slices.Clone(c.Forwards), func(f store.Forward) bool { return former(f.Owner) })
	return c
}
