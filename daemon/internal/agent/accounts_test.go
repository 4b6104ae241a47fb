package agent

import (
	"errors"
	"testing"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/daemon/internal/link/linktest"
	"github.com/sallyport/sallyport/daemon/internal/store"
	"github.com/sallyport/sallyport/internal/ipc"
)

// TestNumberGivenToAnother: an account is removed, and another one made with its
// number.
func TestNumberGivenToAnother(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := start(t, dir)
	r.use(linktest.New(t))
	known := func(name string) ipc.Identity {
		who, err := r.Account(ipc.Identity{UID: "4711", Name: name})
		must(t, err)
		return who
	}
	old := known("old")
	_, err := r.UseEdge(t.Context(), old, api.EdgeInput{Name: "own.site.com", Address: "127.0.0.1:1"})
	must(t, err)
	port := freePort(t)
	f, err := r.AddForward(t.Context(), old, api.ForwardInput{Hostname: "a.site.com", Listen: "localhost:" + port, Edge: "own.site.com"})
	must(t, err)
	if again := known("old"); again != old {
		t.Errorf("the same account is %+v, and was %+v", again, old)
	}
	if _, err := r.Account(ipc.Identity{UID: "4711", Name: "4711"}); !errors.Is(err, errNoAccount) {
		t.Errorf("a process of the account that is gone: %v", err)
	}

	next := known("next")
	st, _ := r.Status(next)
	if len(st.Forwards) != 0 || len(st.Logins) != 0 || len(st.Sessions) != 0 {
		t.Errorf("the next holder sees %+v", st)
	}
	for _, e := range st.Edges {
		if !e.Machine {
			t.Errorf("the next holder sees the edge %s", e.Name)
		}
	}
	if err := r.RemoveForward(t.Context(), next, f.ID); codeOf(err) != api.CodeNotFound {
		t.Errorf("the former's forward, removed by the next: %v", err)
	}
	_, err = r.AddForward(t.Context(), next, api.ForwardInput{Hostname: "a.site.com", Listen: "localhost:" + port, Paused: true})
	must(t, err)
	if third := known("old"); third.Owner() == old.Owner() {
		t.Error("a third holder of the first one's name has what was the first one's")
	}
}

// TestAccountsOfKeptThings: what was kept before anybody noted accounts is that of
// the account that it names.
func TestAccountsOfKeptThings(t *testing.T) {
	t.Parallel()
	r := start(t, t.TempDir())
	must(t, r.store.Forwards.Put("fwd_a", store.Forward{ID: "fwd_a", Owner: "4711", OwnerName: "old", Edge: "e.site.com"}))
	must(t, r.noteAccounts())
	next, err := r.Account(ipc.Identity{UID: "4711", Name: "next"})
	must(t, err)
	if next.Owner() == "4711" {
		t.Error("the next holder has what was the former's")
	}
	old, err := r.Account(ipc.Identity{UID: "4712", Name: "other"})
	if err != nil || old.Owner() != "4712" {
		t.Errorf("another number: %+v, %v", old, err)
	}
}
