package agent

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/daemon/internal/agent/picture"
	"github.com/sallyport/sallyport/internal/ipc"
	"github.com/sallyport/sallyport/internal/logging"
)

// Status is the whole of what a caller may see. changed is closed when there
// may be a newer one.
func (a *Agent) Status(who ipc.Identity) (s api.Status, changed <-chan struct{}) {
	a.mu.Lock()
	p, changed := a.picture, a.passed
	a.mu.Unlock()
	return p.Status(who), changed
}

// look is the picture as it is now.
func (a *Agent) look() *picture.Picture {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.picture
}

func notFound(what string) *api.Problem {
	return &api.Problem{Code: api.CodeNotFound, Title: "No such " + what, Hint: "`sallyport status` lists what there is"}
}

func conflict(field, hint, format string, args ...any) *api.Problem {
	return &api.Problem{Code: api.CodeConflict, Title: "It exists already", Detail: fmt.Sprintf(format, args...), Field: field, Hint: hint}
}

// stored puts a failure of the store in words, and is nil for nil.
func (a *Agent) stored(err error) error {
	if err == nil {
		return nil
	}
	a.log.Error("change not stored", slog.Any(logging.KeyError, err))
	return &api.Problem{
		Code: api.CodeInternal, Title: "The change could not be stored", Detail: err.Error(),
		Hint: "Is the disk full, or the state directory read-only?",
	}
}

// startedWait bounds how long the answer to a new forward waits for its
// listener to be bound, or not.
const startedWait = time.Second

// bound waits until a forward is bound, or could not be.
func (a *Agent) bound(ctx context.Context, id string) {
	ctx, cancel := context.WithTimeout(ctx, startedWait)
	defer cancel()
	a.await(ctx, func() bool { return !a.picture.Starting(id) })
}
