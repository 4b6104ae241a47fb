package unit

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/daemon/internal/agent/plan"
	"github.com/sallyport/sallyport/daemon/internal/seal"
	"github.com/sallyport/sallyport/daemon/internal/store"
	"github.com/sallyport/sallyport/wire"
)

func keyID(n byte) (id wire.KeyID) {
	id[0] = n
	return id
}

// The first key of a hostname is known, a second one reported and remembered, and the
// oldest of too many forgotten. Strict refuses what is not known, and remembers nothing.
func TestHostKeysAreRemembered(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	key := plan.ClientKey{Owner: "alice", Edge: "edge.site.com"}
	report, strict := hostKeys{s, key, false}, hostKeys{s, key, true}
	check := func(h hostKeys, hostname string, n byte, want bool) {
		t.Helper()
		if known, err := h.Check(hostname, keyID(n)); err != nil || known != want {
			t.Errorf("key %d of %s: known %v, %v; want %v", n, hostname, known, err, want)
		}
	}
	check(strict, "db.site.com", 1, true) // on the edge's word
	check(strict, "db.site.com", 1, true)
	check(strict, "other.site.com", 2, true)
	for range 2 { // nothing is learnt by trying again
		if _, err := strict.Check("db.site.com", keyID(2)); err == nil || !strings.Contains(err.Error(), "--host-keys report") {
			t.Errorf("strict with another key: %v", err)
		}
	}
	check(report, "db.site.com", 2, false)
	check(report, "db.site.com", 2, true)
	check(strict, "db.site.com", 2, true)
	check(hostKeys{s, plan.ClientKey{Owner: "bob", Edge: "edge.site.com"}, true}, "db.site.com", 9, true) // his own memory
	for n := byte(3); n < 3+maxHostKeys; n++ {
		check(report, "db.site.com", n, false)
	}
	check(report, "db.site.com", 2+maxHostKeys, true)
	check(report, "db.site.com", 1, false) // the oldest
}

func openStore(t *testing.T) *store.Store {
	t.Helper()
	dir, err := store.Acquire(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	box, err := seal.OpenKeyFile(dir.Path(store.SealKeyName))
	if err != nil {
		t.Fatal(err)
	}
	s, err := dir.Open(t.Context(), store.Config{Seal: box, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(s.Close(), dir.Close()); err != nil {
			t.Error(err)
		}
	})
	return s
}
