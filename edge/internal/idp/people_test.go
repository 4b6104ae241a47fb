package idp

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sallyport/sallyport/edge/internal/store"
)

func TestSetup(t *testing.T) {
	t.Parallel()
	b := start(t)
	link := b.SetupLink()
	token, ok := strings.CutPrefix(link, b.server.URL+"/setup?token=")
	if !ok || len(token) < 20 || b.SetupLink() != link {
		t.Fatalf("link %q", link)
	}
	b.later(setupLife)
	if err := b.CheckSetup(token); !errors.Is(err, ErrSetup) {
		t.Fatalf("old link: %v", err)
	}
	_, token, _ = strings.Cut(b.SetupLink(), "token=")
	for _, bad := range []string{"", "x", token + "x", strings.ToLower(token)} {
		if _, err := b.Setup(t.Context(), bad, NewPerson{Email: email, Password: password}); !errors.Is(err, ErrSetup) {
			t.Fatalf("token %q: %v", bad, err)
		}
	}
	for want, n := range map[error]NewPerson{
		ErrPassword: {Email: email, Password: "short"},
		ErrEmail:    {Email: "alice", Password: password},
		ErrName:     {Email: email, Password: password, Name: "a\nb"},
	} {
		if _, err := b.Setup(t.Context(), token, n); !errors.Is(err, want) {
			t.Fatalf("%+v: %v", n, err)
		}
	}
	if _, err := b.Setup(t.Context(), token, NewPerson{Email: email}); !errors.Is(err, ErrPassword) {
		t.Fatalf("no password: %v", err)
	}
	var made sync.Map
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			if err := b.SetupPerson(t.Context(), token, string(rune('a'+i))+"@site.com", "", password); err == nil {
				made.Store(i, true)
			}
		})
	}
	all.Wait()
	people, err := b.People().List(t.Context())
	if err != nil || len(people) != 1 || !slices.Equal(people[0].Groups, []string{AdminGroup}) {
		t.Fatalf("people %+v %v", people, err)
	}
	if b.SetupLink() != "" || b.CheckSetup(token) == nil {
		t.Fatal("link is still good")
	}
	if err := b.People().Remove(t.Context(), people[0].Email); err != nil {
		t.Fatal(err)
	}
	if fresh := b.SetupLink(); fresh == "" || strings.HasSuffix(fresh, token) || b.CheckSetup(token) == nil {
		t.Fatalf("link with nobody left: %q", fresh)
	}
}

func TestPeople(t *testing.T) {
	t.Parallel()
	b := start(t)
	people := b.People()
	alice := b.add(t)
	if _, _, err := people.Add(t.Context(), NewPerson{Email: " ALICE@Site.com "}); !errors.Is(err, store.ErrExists) {
		t.Fatalf("taken: %v", err)
	}
	bob, generated, err := people.Add(t.Context(), NewPerson{Email: "bob@site.com", Groups: []string{"b", "a", "b"}})
	if err != nil || len(generated) < MinPassword || !slices.Equal(bob.Groups, []string{"a", "b"}) {
		t.Fatalf("%+v %q %v", bob, generated, err)
	}
	if got, ok, err := people.verify(t.Context(), "BOB@site.com", generated); err != nil || !ok || got.Subject != bob.Subject {
		t.Fatalf("generated password: %v %v", ok, err)
	}
	if p, err := people.SetPassword(t.Context(), "bob@site.com", password); err != nil || p != password {
		t.Fatal(p, err)
	}
	if _, ok, _ := people.verify(t.Context(), "bob@site.com", generated); ok {
		t.Fatal("old password is good")
	}
	if _, err := people.SetPassword(t.Context(), "bob@site.com", "short"); !errors.Is(err, ErrPassword) {
		t.Fatal(err)
	}
	if p, err := people.SetGroups(t.Context(), "bob@site.com", []string{"staff"}); err != nil || !slices.Equal(p.Groups, []string{"staff"}) {
		t.Fatal(p, err)
	}
	if _, err := people.SetGroups(t.Context(), "bob@site.com", []string{"a b"}); !errors.Is(err, ErrGroup) {
		t.Fatal(err)
	}
	var removed []string
	people.OnRemoved(func(_ context.Context, issuer, subject string) { removed = append(removed, issuer+" "+subject) })
	if err := people.Remove(t.Context(), email); err != nil {
		t.Fatal(err)
	}
	if want := []string{b.Issuer() + " " + alice.Subject}; !slices.Equal(removed, want) {
		t.Fatalf("hook %v, want %v", removed, want)
	}
	for _, err := range []error{people.Remove(t.Context(), email), people.Remove(t.Context(), "x"), second(people.SetPassword(t.Context(), email, password))} {
		if !errors.Is(err, store.ErrNotFound) {
			t.Fatalf("somebody who is not there: %v", err)
		}
	}
	all, err := people.List(t.Context())
	if err != nil || len(all) != 1 || all[0].Email != "bob@site.com" {
		t.Fatalf("list %+v %v", all, err)
	}
	again := b.add(t)
	if again.Subject == alice.Subject {
		t.Fatal("a new person has an old subject")
	}
}

func second[T any](_ T, err error) error { return err }

func TestCleanEmail(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		" Alice@Site.COM ": "alice@site.com", "a.b+c@x-y.org": "a.b+c@x-y.org", "root@localhost": "root@localhost",
		"": "", "alice": "", "@site.com": "", "a@": "", "a@b@c": "", "a b@c": "", "a@b..c": "", "a/b@c": "", "a@b/c": "", "a@-b": "", "a\n@b": "", "ä@b": "",
		strings.Repeat("a", 251) + "@b.c": "",
	} {
		if got, err := cleanEmail(in); got != want || (err == nil) != (want != "") {
			t.Errorf("cleanEmail(%q) = %q, %v", in, got, err)
		}
	}
}

func TestDamagedHashIsRefused(t *testing.T) {
	t.Parallel()
	for _, hash := range []string{
		"", "$argon2id$", "$argon2i$v=19$m=1,t=1,p=1$AAAA$AAAA", "$argon2id$v=18$m=1,t=1,p=1$AAAA$AAAA",
		strings.Replace(nobodysHash, "m=19456", "m=4294967295", 1), strings.Replace(nobodysHash, "t=2", "t=0", 1),
		nobodysHash + "AA", strings.Replace(nobodysHash, "p=1", "p=0", 1),
	} {
		if ok, err := checkPassword(t.Context(), password, hash); ok || !errors.Is(err, errHash) {
			t.Errorf("%q: %t %v", hash, ok, err)
		}
	}
}
