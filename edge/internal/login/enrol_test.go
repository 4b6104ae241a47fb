package login

import (
	"errors"
	"slices"
	"testing"

	"github.com/sallyport/sallyport/wire"
)

func TestEnrol(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		who   Identity
		sites []string
	}{
		"administrator":    {person("admins"), []string{"site.com", "other.org"}},
		"publisher":        {person("hosts"), []string{"site.com"}},
		"anybody":          {person("staff"), nil},
		"no groups at all": {person(), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := start()
			m := startMessage(wire.ModeLoopback)
			m.Purpose = wire.PurposeEnrol
			id := b.begin(t, 1, m)
			trip, err := b.Open(id, "", browser)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := b.Callback(trip.State, trip.Secret); err != nil {
				t.Fatal(err)
			}
			err = b.Identify(id, trip.Secret, tt.who)
			if tt.sites == nil {
				if !errors.Is(err, ErrNotPublisher) || b.state(t, id) != StateRefused || !slices.Equal(b.heard(), []string{"1 denied"}) {
					t.Fatalf("without the right: %v, %s, %v", err, b.state(t, id), b.heard())
				}
				return
			}
			if v, _ := b.View(id, trip.Secret); err != nil || !slices.Equal(v.Sites, tt.sites) {
				t.Fatalf("sites %v %v", v.Sites, err)
			}
			if v, _ := b.View(id, ""); v.Sites != nil {
				t.Fatal("another browser sees the sites")
			}
		})
	}
}

func TestEnrolChoice(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		site  string
		hosts []string
		want  []string
		ok    bool
	}{
		"whole site":     {"site.com", nil, nil, true},
		"blank lines":    {"site.com", []string{" ", ""}, nil, true},
		"narrowed":       {"site.com", []string{" TCP.site.com. ", "*.db.site.com", "tcp.site.com"}, []string{"*.db.site.com", "tcp.site.com"}, true},
		"the zone":       {"site.com", []string{"site.com"}, []string{"site.com"}, true},
		"no site":        {"", nil, nil, false},
		"foreign site":   {"other.org", nil, nil, false},
		"outside":        {"site.com", []string{"tcp.other.org"}, nil, false},
		"looks alike":    {"site.com", []string{"evilsite.com"}, nil, false},
		"not a hostname": {"site.com", []string{"a b.site.com"}, nil, false},
		"star":           {"site.com", []string{"*"}, nil, false},
		"star within":    {"site.com", []string{"a.*.site.com"}, nil, false},
		"too many":       {"site.com", make([]string, 65), nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := start()
			m := startMessage(wire.ModeCode)
			m.Purpose = wire.PurposeEnrol
			id := b.begin(t, 1, m)
			secret := b.walk(t, id, person("hosts"))
			answer, err := b.Accept(id, secret, browser, tt.site, tt.hosts)
			if !tt.ok {
				if !errors.Is(err, ErrChoice) || b.state(t, id) != StateIdentified {
					t.Fatalf("error %v in state %s", err, b.state(t, id))
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			done, err := b.Redeem(t.Context(), wire.KeyID{1}, redeem(id, answer.Code))
			if err != nil || done.Site != tt.site || !slices.Equal(done.Hostnames, tt.want) || done.Purpose != wire.PurposeEnrol {
				t.Fatalf("approved %+v %v", done, err)
			}
		})
	}
}
