package harness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sallyport/sallyport/api"
)

// Events is a running `sallyport events --json`.
type Events struct {
	p      *Process
	screen *screen
	read   int // bytes of complete lines that Await has taken
}

// Events types `sallyport events --json` as an OS user; nil means that of the
// daemon.
func (d *Daemon) Events(as *User) (*Events, error) {
	if as == nil {
		as = d.as
	}
	c := d.ctl(as, "", []string{"events", "--json"})
	c.name = d.Name + "-events"
	if as != nil {
		c.name += "-" + as.Name
	}
	e := &Events{screen: &screen{changed: make(chan struct{}, 1)}}
	c.stdout = e.screen
	var err error
	e.p, err = d.world.start(c)
	return e, err
}

// Await reads on until an event whose status is as f wants it, and fails after d.
// One goroutine at a time may wait.
func (e *Events) Await(ctx context.Context, d time.Duration, what string, f func(api.Status) bool) error {
	ctx, cancel := context.WithTimeoutCause(ctx, d, fmt.Errorf("no such event in %s", d))
	defer cancel()
	last := ""
	for {
		for line := range strings.Lines(e.screen.String()[e.read:]) {
			if !strings.HasSuffix(line, "\n") {
				break
			}
			e.read += len(line)
			var ev api.Event
			if err := json.Unmarshal([]byte(line), &ev); err != nil {
				return fmt.Errorf("events: %w in %q", err, line)
			}
			if last = line; ev.Status != nil && f(*ev.Status) {
				return nil
			}
		}
		select {
		case <-e.screen.changed:
		case <-e.p.Done():
			return fmt.Errorf("waiting for %s: events ended with code %d", what, e.p.ExitCode())
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("waiting for %s: %w", what, context.Cause(ctx)), errors.New("last event: "+last))
		}
	}
}

// Stop ends it.
func (e *Events) Stop() error { return e.p.Stop() }

// Text is all that it has printed.
func (e *Events) Text() string { return e.screen.String() }
