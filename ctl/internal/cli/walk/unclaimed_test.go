package walk

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/api"
)

func TestUnclaimed(t *testing.T) {
	t.Parallel()
	status := func(state api.LoginState, edge string) *api.Status {
		return &api.Status{Logins: []api.Login{{State: state, Edge: edge}}}
	}
	wanted := status(api.LoginWanted, "e")
	taken := status(api.LoginBrowser, "e")
	tests := []struct {
		name  string
		shown []*api.Status // one each second
		fails bool
	}{
		{"nothing wanted", []*api.Status{{}}, false},
		{"nobody takes it", []*api.Status{{}, wanted}, true},
		{"shown again", []*api.Status{wanted, wanted, wanted}, true},
		{"taken", []*api.Status{wanted, taken}, false},
		{"taken, given up, wanted again", []*api.Status{wanted, taken, wanted}, true},
		{"at another edge", []*api.Status{status(api.LoginWanted, "other")}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				u := newUnclaimed("E")
				done := make(chan error, 1)
				go func() { done <- u.Run(ctx) }()
				tick := time.NewTicker(time.Second)
				for _, st := range tt.shown {
					u.Offer(st)
					<-tick.C
				}
				err := <-done
				var p *api.Problem
				if got := errors.As(err, &p) && p.Code == api.CodeLoginNeeded; got != tt.fails {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}
