package link

import (
	"testing"

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
