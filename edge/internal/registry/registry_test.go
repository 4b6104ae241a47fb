package registry

import (
	"testing"
	"time"

	"github.com/sallyport/sallyport/wire"
)

const app = "tcp.site.com"

func tunnel(sick bool) []wire.TunnelInfo {
	return []wire.TunnelInfo{{Hostname: app, Sick: sick}}
}

func TestPick(t *testing.T) {
	t.Parallel()
	type host struct {
		streams int
		sick    bool
	}
	tests := []struct {
		name   string
		hosts  []host
		before int // index of the sticky host, -1 for none
		want   int // -1: none serves it
	}{
		{"nobody", nil, -1, -1},
		{"one", []host{{3, false}}, -1, 0},
		{"fewest streams", []host{{3, false}, {1, false}, {2, false}}, -1, 1},
		{"sticky beats fewest", []host{{3, false}, {1, false}}, 0, 0},
		{"sticky last in the list", []host{{1, false}, {1, false}, {9, false}}, 2, 2},
		{"sick is passed over", []host{{0, true}, {5, false}}, -1, 1},
		{"sick is passed over though sticky", []host{{0, true}, {5, false}}, 0, 1},
		{"all sick: still one", []host{{4, true}, {2, true}}, -1, 1},
		{"sick after well", []host{{5, false}, {0, true}}, 1, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := New()
			hosts := make([]*Host, len(tt.hosts))
			for i := range tt.hosts {
				hosts[i] = &Host{}
			}
			if tt.before >= 0 {
				r.Set(hosts[tt.before], tunnel(false))
				r.Pick("s", app)
			}
			for i, h := range tt.hosts {
				hosts[i].AddStreams(h.streams)
				r.Set(hosts[i], tunnel(h.sick))
			}
			got, ok := r.Pick("s", app)
			if !ok {
				if tt.want >= 0 {
					t.Fatal("Pick found none")
				}
				return
			}
			if tt.want < 0 || got != hosts[tt.want] {
				t.Fatalf("Pick = host with %d streams, want host %d", got.Streams(), tt.want)
			}
		})
	}
}

func TestSetReplacesAndRemoveForgets(t *testing.T) {
	t.Parallel()
	r, a, b := New(), &Host{}, &Host{}
	r.Set(a, []wire.TunnelInfo{{Hostname: "a.site.com"}, {Hostname: "b.site.com"}})
	r.Set(b, []wire.TunnelInfo{{Hostname: "b.site.com"}})
	r.Set(a, []wire.TunnelInfo{{Hostname: "a.site.com"}})
	if got, _ := r.Pick("s", "b.site.com"); got != b {
		t.Error("the new table still routes the old hostname")
	}
	r.Remove(b)
	if r.Online("b.site.com") {
		t.Error("a removed host still serves")
	}
	if !r.Online("a.site.com") {
		t.Error("the other host is gone too")
	}
	r.Remove(a)
	if len(r.routes) != 0 || len(r.tables) != 0 {
		t.Errorf("left behind: %d routes, %d tables", len(r.routes), len(r.tables))
	}
}

func TestForgetDropsStickiness(t *testing.T) {
	t.Parallel()
	r, a, b := New(), &Host{}, &Host{}
	r.Set(a, tunnel(false))
	r.Pick("s", app)
	r.Set(b, tunnel(false))
	a.AddStreams(1)
	r.Forget("s")
	if got, _ := r.Pick("s", app); got != b {
		t.Error("still sticky after Forget")
	}
}

func TestHostThatFailedIsPassedOver(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	r, a, b := New(), &Host{}, &Host{}
	r.now = func() time.Time { return now }
	r.Set(a, tunnel(false))
	pick := func(session string, want *Host) {
		t.Helper()
		if got, _ := r.Pick(session, app); got != want {
			t.Errorf("session %s: not the host that was wanted", session)
		}
	}
	pick("s", a)
	r.Met("s", app)
	r.Failed("s", a)
	pick("s", a) // there is no other
	r.Met("s", app)
	b.AddStreams(1)
	r.Set(b, tunnel(false))
	pick("s", b)
	r.Met("s", app)
	pick("other", a)
	now = now.Add(failedFor)
	pick("s", b) // it had that one last
	r.Failed("s", b)
	pick("s", a)
	now = now.Add(failedFor)
	pick("s", b) // that one did not come, since the session asks again
	r.Met("s", app)
	pick("s", b)
	r.Remove(b)
	r.Remove(a)
	if len(r.failed) != 0 {
		t.Error("hosts that are gone are remembered")
	}
}
