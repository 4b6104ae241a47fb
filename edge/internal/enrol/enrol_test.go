package enrol

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/edge/internal/config"
	"github.com/sallyport/sallyport/edge/internal/store"
	"github.com/sallyport/sallyport/wire"
)

func sites() []config.Site { return []config.Site{{Zone: "site.com"}, {Zone: "other.org"}} }

// open makes a service on a real database; again opens the same file anew.
func open(t *testing.T) (s *Service, again func() *Service) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "edge.db")
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	var db *store.Bolt
	again = func() *Service {
		if db != nil {
			db.Close()
		}
		var err error
		if db, err = store.Open(path, log); err != nil {
			t.Fatal(err)
		}
		svc, err := New(t.Context(), db, sites, log)
		if err != nil {
			t.Fatal(err)
		}
		return svc
	}
	t.Cleanup(func() { db.Close() })
	return again(), again
}

func key(n int) (k wire.KeyID) {
	copy(k[:], fmt.Sprintf("key %d", n))
	return k
}

func create(t *testing.T, s *Service, n NewConnector) Connector {
	t.Helper()
	if n.Site == "" {
		n.Site = "site.com"
	}
	c, err := s.Create(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func isReason(err error, code wire.Code) bool { return errors.Is(err, &wire.Reason{Code: code}) }

func TestCreateChecksScope(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		in    NewConnector
		code  wire.Code // "" means accepted
		hosts []string
	}{
		{name: "whole site", in: NewConnector{Key: key(1), Site: "site.com"}, hosts: []string{"site.com", "*.site.com"}},
		{name: "one hostname", in: NewConnector{Key: key(1), Site: "site.com", Hostnames: []string{"TCP.site.com."}}, hosts: []string{"tcp.site.com"}},
		{name: "unknown site", in: NewConnector{Key: key(1), Site: "evil.com"}, code: wire.CodeInvalid},
		{name: "no site", in: NewConnector{Key: key(1)}, code: wire.CodeInvalid},
		{name: "outside", in: NewConnector{Key: key(1), Site: "site.com", Hostnames: []string{"tcp.other.org"}}, code: wire.CodeOutOfScope},
		{name: "looks like inside", in: NewConnector{Key: key(1), Site: "site.com", Hostnames: []string{"tcp.evilsite.com"}}, code: wire.CodeOutOfScope},
		{name: "everything", in: NewConnector{Key: key(1), Site: "site.com", Hostnames: []string{"*"}}, code: wire.CodeOutOfScope},
		{name: "wild zone", in: NewConnector{Key: key(1), Site: "site.com", Hostnames: []string{"*.com"}}, code: wire.CodeOutOfScope},
		{name: "not a name", in: NewConnector{Key: key(1), Site: "site.com", Hostnames: []string{"a b.site.com"}}, code: wire.CodeInvalid},
		{name: "bad group", in: NewConnector{Key: key(1), Site: "site.com", Group: "A/B"}, code: wire.CodeInvalid},
		{name: "no key", in: NewConnector{Site: "site.com"}, code: wire.CodeInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, _ := open(t)
			c, err := s.Create(t.Context(), tt.in)
			if tt.code != "" {
				if !isReason(err, tt.code) {
					t.Fatalf("error = %v, want %s", err, tt.code)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(c.Hostnames, tt.hosts) || c.Group == "" {
				t.Errorf("connector = %+v, want hostnames %v and a group", c, tt.hosts)
			}
		})
	}
}

func TestMatches(t *testing.T) {
	t.Parallel()
	tests := []struct {
		glob, name string
		want       bool
	}{
		{"tcp.site.com", "tcp.site.com", true},
		{"tcp.site.com", "udp.site.com", false},
		{"*.site.com", "tcp.site.com", true},
		{"*.site.com", "a.b.site.com", true},
		{"*.site.com", "site.com", false},
		{"*.site.com", "tcp.evilsite.com", false},
		{"db-*.site.com", "db-1.site.com", true},
		{"db-*.site.com", "db-.site.com", true},
		{"db-*.site.com", "db-1.x.site.com", false},
		{"*-db.site.com", "a-db.site.com", true},
		{"a*b.site.com", "ab.site.com", true},
		{"a*b.site.com", "axxb.site.com", true},
		{"a*b.site.com", "axxc.site.com", false},
		{"*.db-*.site.com", "x.db-1.site.com", true},
		{"*.db-*.site.com", "db-1.site.com", false},
	}
	for _, tt := range tests {
		if got := matches(tt.glob, tt.name); got != tt.want {
			t.Errorf("matches(%q, %q) = %v", tt.glob, tt.name, got)
		}
	}
}

func TestClaim(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	first := create(t, s, NewConnector{Key: key(1)})
	replica := create(t, s, NewConnector{Key: key(2), Group: first.Group})
	other := create(t, s, NewConnector{Key: key(3)})
	narrow := create(t, s, NewConnector{Key: key(4), Hostnames: []string{"db-*.site.com"}})
	if err := s.Claim(t.Context(), first, "tcp.site.com"); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name     string
		who      Connector
		hostname string
		code     wire.Code
	}{
		{"again", first, "tcp.site.com", ""},
		{"replica of the group", replica, "tcp.site.com", ""},
		{"another group", other, "tcp.site.com", wire.CodeHostnameTaken},
		{"another hostname", other, "udp.site.com", ""},
		{"another site", other, "tcp.other.org", wire.CodeOutOfScope},
		{"outside the globs", narrow, "web.site.com", wire.CodeOutOfScope},
		{"inside the globs", narrow, "db-1.site.com", ""},
		{"a glob", other, "*.site.com", wire.CodeInvalid},
		{"upper case", other, "TCP.site.com", wire.CodeInvalid},
		{"nothing", other, "", wire.CodeInvalid},
	}
	for _, tt := range tests {
		err := s.Claim(t.Context(), tt.who, tt.hostname)
		if tt.code == "" && err != nil || tt.code != "" && !isReason(err, tt.code) {
			t.Errorf("%s: error = %v, want %q", tt.name, err, tt.code)
		}
	}
}

// 100 groups claim one hostname at once: one wins.
// A zone below another has publishers of its own: an enrolment for the upper
// one takes nothing there.
func TestZonesWithinZones(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	upper := create(t, s, NewConnector{Key: key(1)}) // the whole of site.com
	// The zone below is added while the connector lives.
	s.sites = func() []config.Site { return append(sites(), config.Site{Zone: "lab.site.com"}) }
	for _, name := range []string{"lab.site.com", "db.lab.site.com", "a.b.lab.site.com"} {
		if err := s.Claim(t.Context(), upper, name); !isReason(err, wire.CodeOutOfScope) {
			t.Errorf("%s claimed from the zone above: %v", name, err)
		}
	}
	if err := s.Claim(t.Context(), upper, "db.notlab.site.com"); err != nil {
		t.Error(err)
	}
	for _, glob := range []string{"*.lab.site.com", "db.lab.site.com", "lab.site.com"} {
		if _, err := s.Create(t.Context(), NewConnector{Key: key(2), Site: "site.com", Hostnames: []string{glob}}); !isReason(err, wire.CodeOutOfScope) {
			t.Errorf("scope %s of the zone above: %v", glob, err)
		}
	}
	lower := create(t, s, NewConnector{Key: key(3), Site: "lab.site.com", Hostnames: []string{"*.lab.site.com"}})
	if err := s.Claim(t.Context(), lower, "db.lab.site.com"); err != nil {
		t.Error(err)
	}
}

// Whoever was revoked has seen the token that enrolled it.
func TestRevokedKeyNeedsANewToken(t *testing.T) {
	t.Parallel()
	s, again := open(t)
	now := time.Now()
	s.now = func() time.Time { return now }
	secret, _, err := s.NewToken(t.Context(), TokenSpec{Site: "site.com", Uses: 10})
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.Join(t.Context(), key(1), secret, "host")
	if err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Second)
	if err := s.Revoke(t.Context(), c.ID, wire.Reason{Code: wire.CodeRevoked}); err != nil {
		t.Fatal(err)
	}
	for _, when := range []string{"at once", "after a restart"} {
		if _, err := s.Join(t.Context(), key(1), secret, "host"); !isReason(err, wire.CodeRevoked) {
			t.Fatalf("%s the old token enrols it again: %v", when, err)
		}
		s = again()
		s.now = func() time.Time { return now }
	}
	if _, err := s.Join(t.Context(), key(2), secret, "another host"); err != nil {
		t.Fatalf("another host: %v", err)
	}
	now = now.Add(time.Second)
	fresh, _, err := s.NewToken(t.Context(), TokenSpec{Site: "site.com"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Join(t.Context(), key(1), fresh, "host"); err != nil {
		t.Fatalf("a new token: %v", err)
	}
}

// Of several ends of one key the last is told, also after a restart.
func TestEndedByKeyIsTheLast(t *testing.T) {
	t.Parallel()
	s, again := open(t)
	now := time.Now()
	s.now = func() time.Time { return now }
	const rounds = 8
	for i := range rounds {
		now = now.Add(time.Second)
		c := create(t, s, NewConnector{Key: key(1)})
		if err := s.Revoke(t.Context(), c.ID, wire.Reason{Code: wire.CodeRevoked, Text: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if got := again().EndedByKey(key(1)); got == nil || got.Text != fmt.Sprint(rounds-1) {
		t.Fatalf("told %v", got)
	}
}

// A group claims so many hostnames and no more; what is given back counts no more.
func TestClaimsAreBounded(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	c := create(t, s, NewConnector{Key: key(1), Site: "site.com"})
	if err := s.Claim(t.Context(), c, "first.site.com"); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	s.claimed[c.Group] = MaxClaims
	s.mu.Unlock()
	if err := s.Claim(t.Context(), c, "one-more.site.com"); !isReason(err, wire.CodeLimit) {
		t.Errorf("one too many: %v", err)
	}
	if err := s.Claim(t.Context(), c, "first.site.com"); err != nil {
		t.Errorf("one that it has: %v", err)
	}
	other := create(t, s, NewConnector{Key: key(2), Site: "site.com"})
	if err := s.Claim(t.Context(), other, "other.site.com"); err != nil {
		t.Errorf("another group: %v", err)
	}
}

func TestClaimRaceHasOneWinner(t *testing.T) {
	t.Parallel()
	s, again := open(t)
	var all []Connector
	for i := range 100 {
		all = append(all, create(t, s, NewConnector{Key: key(i)}))
	}
	var won atomic.Int32
	var winner atomic.Value
	var wg sync.WaitGroup
	start := make(chan struct{})
	for _, c := range all {
		wg.Go(func() {
			<-start
			switch err := s.Claim(context.Background(), c, "tcp.site.com"); {
			case err == nil:
				won.Add(1)
				winner.Store(c.Group)
			case !isReason(err, wire.CodeHostnameTaken):
				t.Errorf("loser heard %v", err)
			}
		})
	}
	close(start)
	wg.Wait()
	if won.Load() != 1 {
		t.Fatalf("%d winners", won.Load())
	}
	claims, err := again().Claims(t.Context())
	if err != nil || claims["tcp.site.com"] != winner.Load() {
		t.Errorf("after a restart %v (%v), want %v", claims, err, winner.Load())
	}
}

func TestTokenUses(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	secret, tok, err := s.NewToken(t.Context(), TokenSpec{Site: "site.com", Hostnames: []string{"tcp.site.com"}, Uses: 3, By: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	var ok, refused atomic.Int32
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			c, err := s.Join(context.Background(), key(i), secret, "host\n\x00name")
			switch {
			case err == nil:
				ok.Add(1)
				if c.DeviceName != "hostname" || c.By != "token "+tok.ID || !slices.Equal(c.Hostnames, []string{"tcp.site.com"}) {
					t.Errorf("connector = %+v", c)
				}
			case isReason(err, wire.CodeBadToken):
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if ok.Load() != 3 || refused.Load() != 17 {
		t.Errorf("%d joined, %d refused; want 3 and 17", ok.Load(), refused.Load())
	}
	if left, err := s.Tokens(t.Context()); err != nil || len(left) != 0 {
		t.Errorf("usable tokens = %v, %v", left, err)
	}
}

func TestTokenRefusals(t *testing.T) {
	t.Parallel()
	s, again := open(t)
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s.now = func() time.Time { return now }
	secret, tok, err := s.NewToken(t.Context(), TokenSpec{Site: "site.com", TTL: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if kv, err := s.store.Get(t.Context(), s.tokens.Key(tok.Hash)); err != nil || strings.Contains(string(kv.Value), secret) {
		t.Errorf("row %s, %v", kv.Value, err)
	}
	if _, err := s.Join(t.Context(), key(1), "spj_wrong", ""); !isReason(err, wire.CodeBadToken) {
		t.Errorf("a wrong token gave %v", err)
	}
	now = now.Add(time.Minute)
	if _, err := s.Join(t.Context(), key(1), secret, ""); !isReason(err, wire.CodeBadToken) {
		t.Errorf("an expired token gave %v", err)
	}
	s = again()
	secret, tok, err = s.NewToken(t.Context(), TokenSpec{Site: "site.com"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.RemoveToken(t.Context(), tok.ID); err != nil {
		t.Fatal(err)
	}
	if err := s.RemoveToken(t.Context(), tok.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("removing it again gave %v", err)
	}
	if _, err := s.Join(t.Context(), key(1), secret, ""); !isReason(err, wire.CodeBadToken) {
		t.Errorf("a removed token gave %v", err)
	}
	for _, spec := range []TokenSpec{
		{Site: "evil.com"}, {Site: "site.com", TTL: -1}, {Site: "site.com", TTL: 10 * 365 * 24 * time.Hour},
		{Site: "site.com", Uses: -1}, {Site: "site.com", Hostnames: []string{"*.org"}}, {Site: "site.com", Group: "x y"},
	} {
		if _, _, err := s.NewToken(t.Context(), spec); err == nil {
			t.Errorf("token made of %+v", spec)
		}
	}
}

func TestTokenNamesGroup(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	first := create(t, s, NewConnector{Key: key(1)})
	secret, _, err := s.NewToken(t.Context(), TokenSpec{Site: "site.com", Group: first.Group})
	if err != nil {
		t.Fatal(err)
	}
	replica, err := s.Join(t.Context(), key(2), secret, "replica")
	if err != nil || replica.Group != first.Group {
		t.Errorf("joined as %+v, %v", replica, err)
	}
	if _, err := s.Create(t.Context(), NewConnector{Key: key(3), Site: "other.org", Group: first.Group}); !isReason(err, wire.CodeOutOfScope) {
		t.Errorf("a group of another site gave %v", err)
	}
}

func TestRevoke(t *testing.T) {
	t.Parallel()
	s, again := open(t)
	c := create(t, s, NewConnector{Key: key(1)})
	replica := create(t, s, NewConnector{Key: key(2), Group: c.Group})
	if err := s.Claim(t.Context(), c, "tcp.site.com"); err != nil {
		t.Fatal(err)
	}
	var told []string
	s.OnRevoked(func(_ context.Context, c Connector, why wire.Reason) {
		if _, live := s.ByKey(c.Key); live {
			t.Error("still live when the hook runs")
		}
		told = append(told, c.ID+" "+string(why.Code))
	})
	why := wire.Reason{Code: wire.CodeRevoked, Text: "by an administrator"}
	if err := s.Revoke(t.Context(), c.ID, why); err != nil {
		t.Fatal(err)
	}
	if err := s.Revoke(t.Context(), c.ID, why); !errors.Is(err, ErrNotFound) {
		t.Errorf("revoking again gave %v", err)
	}
	if !slices.Equal(told, []string{c.ID + " revoked"}) {
		t.Errorf("hooks told %v", told)
	}
	if err := s.Claim(t.Context(), c, "new.site.com"); !isReason(err, wire.CodeNotEnrolled) {
		t.Errorf("a revoked connector claims: %v", err)
	}
	if claims, _ := s.Claims(t.Context()); claims["tcp.site.com"] != c.Group {
		t.Error("the claim is gone though a replica lives")
	}
	s = again()
	if _, ok := s.ByKey(c.Key); ok {
		t.Error("live again after a restart")
	}
	if r := s.EndedByKey(c.Key); r == nil || r.Code != wire.CodeRevoked {
		t.Errorf("EndedByKey = %v", r)
	}
	if err := s.Revoke(t.Context(), replica.ID, why); err != nil {
		t.Fatal(err)
	}
	if claims, _ := s.Claims(t.Context()); len(claims) != 0 {
		t.Errorf("claims of a group without connectors: %v", claims)
	}
	if all, err := s.List(t.Context()); err != nil || len(all) != 2 {
		t.Errorf("List = %v, %v", all, err)
	}
}

// Renewing an enrolment keeps id, group and claims; another site makes a new one.
func TestEnrolAgain(t *testing.T) {
	t.Parallel()
	s, again := open(t)
	var told []string
	s.OnRevoked(func(_ context.Context, c Connector, _ wire.Reason) { told = append(told, c.ID) })
	c := create(t, s, NewConnector{Key: key(1), Hostnames: []string{"tcp.site.com"}})
	if err := s.Claim(t.Context(), c, "tcp.site.com"); err != nil {
		t.Fatal(err)
	}
	wider := create(t, s, NewConnector{Key: key(1)})
	if wider.ID != c.ID || wider.Group != c.Group || len(wider.Hostnames) != 2 || len(told) != 0 {
		t.Errorf("renewed as %+v, hooks told %v", wider, told)
	}
	moved := create(t, s, NewConnector{Key: key(1), Site: "other.org"})
	if moved.ID == c.ID || !slices.Equal(told, []string{c.ID}) {
		t.Errorf("moved as %+v, hooks told %v", moved, told)
	}
	if claims, _ := s.Claims(t.Context()); len(claims) != 0 {
		t.Errorf("claims of the replaced connector: %v", claims)
	}
	if got, ok := again().ByKey(key(1)); !ok || got.ID != moved.ID {
		t.Errorf("after a restart %+v", got)
	}
	if s.EndedByKey(key(1)) != nil {
		t.Error("a live key has an end")
	}
}
