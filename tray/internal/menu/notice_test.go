package menu

import (
	"testing"
	"time"

	"github.com/sallyport/sallyport/api"
)

func TestNotices(t *testing.T) {
	t.Parallel()
	active := api.Session{ID: "s", Edge: "edge.site.com", State: api.SessionActive}
	revoked := api.Session{ID: "s", Edge: "edge.site.com", State: api.SessionEnded, Problem: &api.Problem{
		Code: api.CodeRevoked, Title: "Revoked by an administrator", Detail: "root said: lost laptop", Hint: "Ask an administrator why",
	}}
	expired := api.Session{ID: "s", Edge: "edge.site.com", State: api.SessionExpired}
	forward := func(code api.Code) api.Forward {
		f := api.Forward{ID: "f", Owner: "bob", Hostname: "db.site.com"}
		if code != "" {
			f.LastError = &api.Problem{Code: code, Title: "No host serves this hostname now", Hint: "Try again later."}
		}
		return f
	}
	other := forward(api.CodeNoConnector)
	other.Owner = "eve"
	tests := []struct {
		name          string
		before, after api.Status
		title, text   string // "" for no notice
	}{
		{"nothing", api.Status{Sessions: []api.Session{active}}, api.Status{Sessions: []api.Session{active}}, "", ""},
		{"cut", api.Status{Sessions: []api.Session{active}}, api.Status{Sessions: []api.Session{revoked}},
			"Your session at edge.site.com has ended", "Revoked by an administrator. root said: lost laptop. Ask an administrator why"},
		{"expired", api.Status{Sessions: []api.Session{active}}, api.Status{Sessions: []api.Session{expired}},
			"Your session at edge.site.com has expired", "Sign in to go on."},
		{"ended before", api.Status{Sessions: []api.Session{revoked}}, api.Status{Sessions: []api.Session{revoked}}, "", ""},
		{"host gone", api.Status{User: "bob", Forwards: []api.Forward{forward("")}}, api.Status{User: "bob", Forwards: []api.Forward{forward(api.CodeNoConnector)}},
			"db.site.com: No host serves this hostname now", "Try again later."},
		{"still gone", api.Status{User: "bob", Forwards: []api.Forward{forward(api.CodeNoConnector)}}, api.Status{User: "bob", Forwards: []api.Forward{forward(api.CodeNoConnector)}}, "", ""},
		{"gone before it was there", api.Status{User: "bob"}, api.Status{User: "bob", Forwards: []api.Forward{forward(api.CodeNoConnector)}}, "", ""},
		{"service down", api.Status{User: "bob", Forwards: []api.Forward{forward("")}}, api.Status{User: "bob", Forwards: []api.Forward{forward(api.CodeOriginRefused)}}, "", ""},
		{"of somebody else", api.Status{User: "bob", Forwards: []api.Forward{other}}, api.Status{User: "bob", Forwards: []api.Forward{other}}, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := Notices(tt.before, tt.after)
			switch {
			case tt.title == "" && len(got) > 0, tt.title != "" && len(got) != 1:
				t.Errorf("got %+v", got)
			case tt.title != "" && (got[0].Title != tt.title || got[0].Text != tt.text):
				t.Errorf("got %q, %q", got[0].Title, got[0].Text)
			}
		})
	}
}

func TestExpiring(t *testing.T) {
	t.Parallel()
	session := func(left, length time.Duration) api.Status {
		end := noon.Add(left)
		return api.Status{Sessions: []api.Session{{State: api.SessionActive, Edge: "e", StartedAt: end.Add(-length), ExpiresAt: end}}}
	}
	tests := []struct {
		name string
		st   api.Status
		last time.Duration // before now
		due  int
		next time.Duration // from now; 0 for never
	}{
		{"nobody", api.Status{}, time.Hour, 0, 0},
		{"far", session(time.Hour, 12*time.Hour), time.Minute, 0, 45 * time.Minute},
		{"15 minutes", session(15*time.Minute, 12*time.Hour), time.Minute, 1, 13 * time.Minute},
		{"told", session(14*time.Minute, 12*time.Hour), 10 * time.Second, 0, 12 * time.Minute},
		{"2 minutes", session(2*time.Minute, 12*time.Hour), time.Minute, 1, 0},
		{"both at once, after a sleep", session(time.Minute, 12*time.Hour), time.Hour, 1, 0},
		{"over", session(-time.Minute, 12*time.Hour), time.Hour, 0, 0},
		{"short by itself", session(10*time.Minute, 20*time.Minute), time.Hour, 0, 8 * time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			due, next := Expiring(tt.st, noon.Add(-tt.last), noon)
			if len(due) != tt.due {
				t.Errorf("due: %+v", due)
			}
			if tt.next == 0 != next.IsZero() || tt.next != 0 && !next.Equal(noon.Add(tt.next)) {
				t.Errorf("next: %s", next)
			}
		})
	}
}
