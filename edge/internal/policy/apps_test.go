package policy

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/edge/internal/store"
)

func openStore(t *testing.T) store.Store {
	t.Helper()
	s, err := store.Open(filepath.Join(t.TempDir(), "edge.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func newApps(t *testing.T, s store.Store, log *slog.Logger) *Apps {
	t.Helper()
	a, err := NewApps(t.Context(), s, log)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestApps(t *testing.T) {
	t.Parallel()
	ctx, s := t.Context(), openStore(t)
	a := newApps(t, s, slog.New(slog.DiscardHandler))
	app := App{Hostname: "TCP.site.com.", Rules: []Rule{{Allow, []string{"email:Alice@Site.com"}}}, Version: 99}
	if err := a.Create(ctx, app); err != nil {
		t.Fatal(err)
	}
	if err := a.Create(ctx, app); !errors.Is(err, store.ErrExists) {
		t.Fatalf("second create: %v", err)
	}
	app.Contact = "ops"
	if err := a.Put(ctx, app); err != nil {
		t.Fatal(err)
	}
	app.Rules[0].Selectors[0] = "everyone" // ours, not the one in force
	if err := a.Put(ctx, App{Hostname: "a.site.com", Rules: []Rule{{Deny, nil}}}); err == nil {
		t.Fatal("a broken app was written")
	}
	for _, a := range []*Apps{a, newApps(t, s, slog.New(slog.DiscardHandler))} { // in memory, and loaded again
		got, ok := a.Get("tcp.site.com")
		if !ok || got.Version != 2 || got.Contact != "ops" || got.UpdatedAt.IsZero() || got.Rules[0].Selectors[0] != "email:alice@site.com" {
			t.Fatalf("got %+v", got)
		}
		if d := Decide(got, alice()); !d.Allow || d.Version != 2 {
			t.Fatalf("decision %+v", d)
		}
		if l := a.List(); len(l) != 1 || l[0].Hostname != "tcp.site.com" {
			t.Fatalf("list %+v", l)
		}
	}
}

func TestRemoveWaitsForHooks(t *testing.T) {
	t.Parallel()
	ctx, a := t.Context(), newApps(t, openStore(t), slog.New(slog.DiscardHandler))
	if err := a.Remove(ctx, "tcp.site.com"); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("remove of nothing: %v", err)
	}
	if err := a.Put(ctx, App{Hostname: "tcp.site.com"}); err != nil {
		t.Fatal(err)
	}
	var told []string
	for range 2 {
		a.OnRemoved(func(_ context.Context, hostname string) {
			if _, ok := a.Get(hostname); ok {
				t.Error("a hook ran while the app still admitted people")
			}
			told = append(told, hostname)
		})
	}
	if err := a.Remove(ctx, "TCP.site.com"); err != nil {
		t.Fatal(err)
	}
	if strings.Join(told, " ") != "tcp.site.com tcp.site.com" {
		t.Fatalf("hooks were told %q before Remove returned", told)
	}
}

func TestBrokenAppsAreNotLoaded(t *testing.T) {
	t.Parallel()
	ctx, s := t.Context(), openStore(t)
	rows := map[string]string{
		"apps/good.site.com":  `{"hostname":"good.site.com","rules":[{"action":"allow","selectors":["everyone"]}],"version":1}`,
		"apps/json.site.com":  `{"hostname":`,
		"apps/rule.site.com":  `{"hostname":"rule.site.com","rules":[{"action":"allow","selectors":["everyone"]},{"action":"deny","selectors":["user:x"]}]}`,
		"apps/other.site.com": `{"hostname":"elsewhere.site.com","rules":[{"action":"allow","selectors":["everyone"]}]}`,
	}
	for key, value := range rows {
		if _, err := s.Txn(ctx, store.Txn{Then: []store.Op{store.Put(key, []byte(value))}}); err != nil {
			t.Fatal(err)
		}
	}
	var said strings.Builder
	a := newApps(t, s, slog.New(slog.NewTextHandler(&said, nil)))
	if l := a.List(); len(l) != 1 || l[0].Hostname != "good.site.com" {
		t.Fatalf("loaded %+v", l)
	}
	for _, name := range []string{"json", "rule", "other"} {
		if !strings.Contains(said.String(), "apps/"+name+".site.com") {
			t.Errorf("the log does not name %s:\n%s", name, said.String())
		}
	}
	if err := a.Remove(ctx, "rule.site.com"); err != nil {
		t.Errorf("a broken app cannot be removed: %v", err)
	}
}

func TestCheckJoinsFaults(t *testing.T) {
	t.Parallel()
	err := Check(App{Hostname: "*.site.com", Contact: "a\nb", Rules: []Rule{{"permit", []string{"x"}}, {Allow, nil}}})
	for _, want := range []string{`"*.site.com"`, "contact", "rule 1", `"permit"`, `"x"`, "rule 2"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not named in: %v", want, err)
		}
	}
}
