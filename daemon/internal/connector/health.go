package connector

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/daemon/internal/connector/origin"
)

// health is which origins did not answer when last dialled.
type health struct {
	mu   sync.Mutex
	sick map[string]*api.Problem // by hostname
	// more has one slot: there is something to watch.
	more chan struct{}
}

// healthOf takes what a dial of a hostname's origin came to.
func (c *Connector) healthOf(hostname, at string, err error) {
	h := &c.health
	h.mu.Lock()
	_, was := h.sick[hostname]
	if err != nil {
		h.sick[hostname] = origin.Problem(at, err)
	} else {
		delete(h.sick, hostname)
	}
	h.mu.Unlock()
	if is := err != nil; is != was {
		c.log.Info("origin health", "hostname", hostname, "origin", at, "sick", is, "err", err)
		if c.cfg.Health != nil {
			c.cfg.Health(hostname, is)
		}
		c.changed()
	}
	select {
	case h.more <- struct{}{}:
	default:
	}
}

// watchSick dials the origins that did not answer until they do: nobody else
// would, where another host is chosen meanwhile. Origins that answer are left
// in peace.
func (c *Connector) watchSick(ctx context.Context) {
	ticker := time.NewTicker(c.timing.Probe)
	defer ticker.Stop()
	for {
		c.health.mu.Lock()
		sick := maps.Clone(c.health.sick)
		c.health.mu.Unlock()
		due := ticker.C
		if len(sick) == 0 {
			due = nil // sleep until there is something
		}
		select {
		case <-due:
			for hostname := range sick {
				c.probe(ctx, hostname)
			}
		case <-c.health.more:
		case <-ctx.Done():
			return
		}
	}
}

func (c *Connector) probe(ctx context.Context, hostname string) {
	at, ok := c.cfg.Table(hostname, 0)
	if !ok {
		c.healthOf(hostname, "", nil) // no longer published
		return
	}
	conn, err := origin.Dial(ctx, at, c.timing.OriginDial)
	if err == nil {
		conn.Close()
	}
	if ctx.Err() == nil {
		c.healthOf(hostname, at, err)
	}
}
