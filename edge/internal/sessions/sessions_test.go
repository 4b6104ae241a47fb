package sessions

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/edge/internal/store"
	"github.com/sallyport/sallyport/wire"
)

// bench is a Service on a real store, with a clock that the test moves.
type bench struct {
	*Service
	path  string
	store *store.Bolt
	clock atomic.Int64
}

func start(t *testing.T) *bench {
	t.Helper()
	b := &bench{path: filepath.Join(t.TempDir(), "edge.db")}
	b.clock.Store(time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC).UnixNano())
	b.open(t)
	t.Cleanup(func() { b.store.Close() })
	return b
}

func (b *bench) open(t *testing.T) {
	t.Helper()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	var err error
	if b.store, err = store.Open(b.path, log); err != nil {
		t.Fatal(err)
	}
	if b.Service, err = New(t.Context(), b.store, 12*time.Hour, log); err != nil {
		t.Fatal(err)
	}
	b.now = func() time.Time { return time.Unix(0, b.clock.Load()) }
}

func (b *bench) reopen(t *testing.T) {
	t.Helper()
	if err := b.store.Close(); err != nil {
		t.Fatal(err)
	}
	b.open(t)
}

func (b *bench) later(d time.Duration) { b.clock.Add(int64(d)) }

func (b *bench) create(t *testing.T, key byte, subject string) (Session, string) {
	t.Helper()
	s, token, err := b.Create(t.Context(), NewSession{
		Key:    wire.KeyID{key},
		Person: wire.PersonInfo{Issuer: "https://idp", Subject: subject, Email: subject + "@site.com", Groups: []string{"staff"}}, EmailVerified: true,
		DeviceName: "laptop-7", OSUser: "bob", From: "192.0.2.1",
	})
	if err != nil {
		t.Fatal(err)
	}
	return s, token
}

func (b *bench) resume(t *testing.T, key byte, token string) string {
	t.Helper()
	_, next, err := b.Resume(t.Context(), wire.KeyID{key}, token)
	if err != nil {
		t.Fatalf("resume: %v", err)
	}
	return next
}

func (b *bench) refused(t *testing.T, key byte, token string, code wire.Code) {
	t.Helper()
	_, _, err := b.Resume(t.Context(), wire.KeyID{key}, token)
	if !errors.Is(err, &wire.Reason{Code: code}) {
		t.Fatalf("resume: %v, want %s", err, code)
	}
}

func TestTokenRotatesAndOnlyTheLastTwoAreGood(t *testing.T) {
	t.Parallel()
	b := start(t)
	s, first := b.create(t, 1, "alice")
	second := b.resume(t, 1, first)
	lost := b.resume(t, 1, first) // the answer with second was lost
	third := b.resume(t, 1, first)
	if slices.Contains([]string{first, second, lost}, third) {
		t.Fatal("token was given twice")
	}
	fourth := b.resume(t, 1, third)
	b.resume(t, 1, third)
	if _, ok := b.Get(s.ID); !ok {
		t.Fatal("session is gone")
	}
	b.refused(t, 1, fourth, wire.CodeKeyCopied) // never became the last shown
	if _, ok := b.Get(s.ID); ok {
		t.Fatal("session of a copied key lives")
	}
	b.refused(t, 1, third, wire.CodeKeyCopied) // held until a new login
	_, again := b.create(t, 1, "alice")
	b.resume(t, 1, again)
}

func TestCopiedStateEndsTheSession(t *testing.T) {
	t.Parallel()
	b := start(t)
	s, copied := b.create(t, 1, "alice")
	var cut wire.Reason
	b.OnEnd(func(_ context.Context, _ Session, r wire.Reason) { cut = r })
	owner := b.resume(t, 1, copied)
	owner = b.resume(t, 1, owner)
	b.refused(t, 1, copied, wire.CodeKeyCopied)
	if cut.Code != wire.CodeKeyCopied {
		t.Fatalf("hook saw %q", cut.Code)
	}
	b.refused(t, 1, owner, wire.CodeKeyCopied)
	if _, ok := b.ByKey(s.Key); ok {
		t.Fatal("key still has a session")
	}
}

func TestTokenRefused(t *testing.T) {
	t.Parallel()
	b := start(t)
	s, token := b.create(t, 1, "alice")
	for name, tt := range map[string]struct {
		key   byte
		token string
	}{
		"another key":     {2, token},
		"unknown session": {1, "ses_0000000000000000.AAAA"},
		"no secret":       {1, s.ID},
		"huge":            {1, token + strings.Repeat("A", 1<<20)},
		"empty":           {1, ""},
		"slash":           {1, "../people/x.y"},
	} {
		t.Run(name, func(t *testing.T) { b.refused(t, tt.key, tt.token, wire.CodeBadToken) })
	}
	if _, ok := b.Get(s.ID); !ok {
		t.Fatal("a bad token of another ended the session")
	}
}

func TestReopenKeepsAll(t *testing.T) {
	t.Parallel()
	b := start(t)
	s, token := b.create(t, 1, "alice")
	token = b.resume(t, 1, token)
	ended, old := b.create(t, 2, "bob")
	if err := b.End(t.Context(), ended.ID, wire.Reason{Code: wire.CodeRevoked, Text: "by root"}); err != nil {
		t.Fatal(err)
	}
	b.reopen(t)
	got, ok := b.Get(s.ID)
	if !ok || got.Person.Email != "alice@site.com" || !got.EmailVerified || !got.ExpiresAt.Equal(s.ExpiresAt) {
		t.Fatalf("after reopen: %+v %t", got, ok)
	}
	if got.Subject().Subject != "alice" || Info(got).ID != s.ID {
		t.Fatalf("views of %+v", got)
	}
	b.refused(t, 2, old, wire.CodeRevoked)
	b.resume(t, 1, token)
	all, err := b.List(t.Context())
	if err != nil || len(all) != 2 {
		t.Fatalf("list: %v %v", all, err)
	}
}

func TestTokenIsNotAtRest(t *testing.T) {
	t.Parallel()
	b := start(t)
	_, token := b.create(t, 1, "alice")
	next := b.resume(t, 1, token)
	if err := b.store.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(b.path)
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{token, next} {
		_, secret, _ := strings.Cut(token, ".")
		if bytes.Contains(file, []byte(secret)) {
			t.Fatal("token stands in the database")
		}
	}
}

func TestNewLoginReplaces(t *testing.T) {
	t.Parallel()
	b := start(t)
	var ended []string
	b.OnEnd(func(_ context.Context, s Session, r wire.Reason) { ended = append(ended, s.ID+" "+string(r.Code)) })
	old, token := b.create(t, 1, "alice")
	fresh, _ := b.create(t, 1, "alice")
	other, _ := b.create(t, 2, "alice")
	if want := []string{old.ID + " session-ended"}; !slices.Equal(ended, want) {
		t.Fatalf("ended %v, want %v", ended, want)
	}
	b.refused(t, 1, token, wire.CodeSessionEnded)
	if got, ok := b.ByKey(wire.KeyID{1}); !ok || got.ID != fresh.ID {
		t.Fatalf("session of the key: %v", got.ID)
	}
	if _, ok := b.Get(other.ID); !ok {
		t.Fatal("session of another key is gone")
	}
}

func TestEndWaitsForHooksAndIsDurableBeforeThem(t *testing.T) {
	t.Parallel()
	b := start(t)
	s, _ := b.create(t, 1, "alice")
	entered, leave := make(chan struct{}), make(chan struct{})
	b.OnEnd(func(ctx context.Context, s Session, _ wire.Reason) {
		if row, err := b.rows.Get(ctx, s.ID); err != nil || row.EndedAt == nil || row.TokenHash != nil {
			t.Errorf("row at the hook: %+v %v", row, err)
		}
		if _, ok := b.Get(s.ID); ok {
			t.Error("session is live at the hook")
		}
		close(entered)
		<-leave
	})
	var hookDone atomic.Bool
	b.OnEnd(func(context.Context, Session, wire.Reason) { hookDone.Store(true) })
	ctx, cancel := context.WithCancel(t.Context())
	var ends sync.WaitGroup
	end := func() {
		if err := b.End(ctx, s.ID, wire.Reason{Code: wire.CodeRevoked}); err != nil {
			t.Error(err)
		}
		if !hookDone.Load() {
			t.Error("End returned before the hooks")
		}
	}
	ends.Go(end)
	<-entered
	cancel() // who asked goes away: it is finished all the same
	for range 4 {
		ends.Go(end) // later ones wait for the first
	}
	for key := range byte(20) {
		b.create(t, 100+key, "somebody") // time enough for one that does not wait
	}
	close(leave)
	ends.Wait()
	if err := b.End(t.Context(), "ses_unknown", wire.Reason{}); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("end of an unknown session: %v", err)
	}
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	b := start(t)
	s, token := b.create(t, 1, "alice")
	if next := b.expireDue(t.Context()); next != longestSleep {
		t.Fatalf("sleeps %s", next)
	}
	b.later(12*time.Hour - time.Second)
	if next := b.expireDue(t.Context()); next != time.Second {
		t.Fatalf("sleeps %s", next)
	}
	b.later(time.Second)
	if _, ok := b.Get(s.ID); ok {
		t.Fatal("live at its expiry, before the timer")
	}
	b.refused(t, 1, token, wire.CodeExpired)
	b.expireDue(t.Context())
	all, err := b.List(t.Context())
	if err != nil || len(all) != 1 || all[0].End == nil || all[0].End.Code != wire.CodeExpired {
		t.Fatalf("list %+v %v", all, err)
	}
	b.later(keepEnded + time.Minute)
	if err := b.prune(t.Context()); err != nil {
		t.Fatal(err)
	}
	if all, _ := b.List(t.Context()); len(all) != 0 {
		t.Fatalf("ended sessions are kept: %v", all)
	}
	b.refused(t, 1, token, wire.CodeBadToken)
}

func TestRunEndsAtExpiry(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.now = time.Now
	b.SetLifetime(50 * time.Millisecond)
	ended := make(chan wire.Reason, 1)
	b.OnEnd(func(_ context.Context, _ Session, r wire.Reason) { ended <- r })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	b.create(t, 1, "alice")
	if r := <-ended; r.Code != wire.CodeExpired {
		t.Fatalf("reason %s", r.Code)
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestEndPerson(t *testing.T) {
	t.Parallel()
	b := start(t)
	a1, _ := b.create(t, 1, "alice")
	a2, _ := b.create(t, 2, "alice")
	other, _ := b.create(t, 3, "bob")
	if err := b.EndPerson(t.Context(), "https://idp", "alice", wire.Reason{Code: wire.CodeRevoked}); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{a1.ID, a2.ID} {
		if _, ok := b.Get(id); ok {
			t.Errorf("%s lives", id)
		}
	}
	if _, ok := b.Get(other.ID); !ok {
		t.Error("another person's session ended")
	}
}

// A login that is redeemed while its person is being removed leaves no session.
func TestEndPersonMeetsLoginsUnderWay(t *testing.T) {
	t.Parallel()
	b := start(t)
	vouched := b.now()
	b.later(time.Second)
	if err := b.EndPerson(t.Context(), "https://idp", "alice", wire.Reason{Code: wire.CodeRevoked}); err != nil {
		t.Fatal(err)
	}
	login := func(subject string, at time.Time) error {
		_, _, err := b.Create(t.Context(), NewSession{Key: wire.KeyID{1}, Person: wire.PersonInfo{Issuer: "https://idp", Subject: subject}, VouchedAt: at})
		return err
	}
	if err := login("alice", vouched); !errors.Is(err, &wire.Reason{Code: wire.CodeRevoked}) {
		t.Fatalf("a login from before the end: %v", err)
	}
	if _, ok := b.ByKey(wire.KeyID{1}); ok {
		t.Fatal("the session lives")
	}
	if err := login("bob", vouched); err != nil {
		t.Fatalf("another person: %v", err)
	}
	b.later(time.Second)
	if err := login("alice", b.now()); err != nil {
		t.Fatalf("a login from after the end: %v", err)
	}
}

func TestResumeNeverRevivesAnEndedSession(t *testing.T) {
	t.Parallel()
	b := start(t)
	for range 20 {
		s, token := b.create(t, 1, "alice")
		var both sync.WaitGroup
		both.Go(func() { b.Resume(t.Context(), s.Key, token) })
		both.Go(func() { b.End(t.Context(), s.ID, wire.Reason{Code: wire.CodeRevoked}) })
		both.Wait()
		if _, ok := b.Get(s.ID); ok {
			t.Fatal("session lives after its end")
		}
	}
}
