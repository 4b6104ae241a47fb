package link

import (
	"testing"
	"time"

	"github.com/sallyport/sallyport/api"
)

func TestNext(t *testing.T) {
	t.Parallel()
	steps := map[api.LinkState]map[event]api.LinkState{
		api.LinkIdle:       {eventNeed: api.LinkConnecting, eventWake: api.LinkConnecting},
		api.LinkConnecting: {eventWelcome: api.LinkOnline, eventFailed: api.LinkWaiting, eventStop: api.LinkIdle},
		api.LinkOnline:     {eventLost: api.LinkWaiting, eventUnneeded: api.LinkIdle, eventStop: api.LinkIdle},
		api.LinkWaiting:    {eventDue: api.LinkConnecting, eventWake: api.LinkConnecting, eventStop: api.LinkIdle},
	}
	events := []event{eventNeed, eventWelcome, eventFailed, eventLost, eventDue, eventWake, eventUnneeded, eventStop}
	for s, to := range steps {
		for _, e := range events {
			want, ok := to[e]
			if !ok {
				want = s
			}
			if got := next(s, e); got != want {
				t.Errorf("next(%s, %s) = %s, want %s", s, e, got, want)
			}
		}
	}
}

func TestSlept(t *testing.T) {
	t.Parallel()
	const every = 5 * time.Second
	tests := []struct {
		name       string
		wall, mono time.Duration
		want       bool
	}{
		{"in time", every, every, false},
		{"a late tick of a busy machine", 12 * time.Second, 12 * time.Second, false},
		{"the monotonic clock stood still", time.Hour, every, true},
		{"the monotonic clock went on", time.Hour, time.Hour, true},
		{"the wall clock was set back", -time.Hour, every, true},
		{"a small correction of the clock", every + time.Second, every, false},
	}
	for _, tt := range tests {
		if got := slept(tt.wall, tt.mono, every); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
