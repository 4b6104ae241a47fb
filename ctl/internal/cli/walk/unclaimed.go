package walk

import (
	"context"
	"time"

	"github.com/sallyport/sallyport/api"
)

// unclaimedTime is how long a wanted login may find no taker: the tray, where
// there is one, takes it within milliseconds.
const unclaimedTime = 2 * time.Second

// unclaimed is the companion of a command without a person: it fails with
// login-needed when a login is wanted and nobody takes it.
type unclaimed struct {
	edge   string
	wanted chan bool
}

func newUnclaimed(edge string) *unclaimed {
	return &unclaimed{edge: edge, wanted: make(chan bool, 1)}
}

// Offer shows a status; one goroutine at a time may call it.
func (u *unclaimed) Offer(st *api.Status) {
	_, ok := wantedAt(st, u.edge)
	select {
	case <-u.wanted:
	default:
	}
	u.wanted <- ok
}

// Run waits until a login was wanted for too long, or until ctx ends.
func (u *unclaimed) Run(ctx context.Context) error {
	var late <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case wanted := <-u.wanted:
			if !wanted {
				late = nil
			} else if late == nil {
				late = time.After(unclaimedTime)
			}
		case <-late:
			return errLoginNeeded()
		}
	}
}
