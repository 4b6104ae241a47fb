package connector

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/wire"
)

// ParseOrigin takes an origin apart: "tcp://HOST:PORT" or "unix:/path".
func ParseOrigin(origin string) (network, address string, err error) {
	if path, ok := strings.CutPrefix(origin, "unix:"); ok {
		if !strings.HasPrefix(path, "/") {
			return "", "", fmt.Errorf("origin %q: the path of a Unix socket begins with /", origin)
		}
		return "unix", path, nil
	}
	address, ok := strings.CutPrefix(origin, "tcp://")
	if !ok {
		return "", "", fmt.Errorf("origin %q: want tcp://HOST:PORT or unix:/path", origin)
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", "", fmt.Errorf("origin %q: %w", origin, err)
	}
	if n, err := net.LookupPort("tcp", port); host == "" || err != nil || n == 0 {
		return "", "", fmt.Errorf("origin %q: want tcp://HOST:PORT", origin)
	}
	return "tcp", address, nil
}

func dialOrigin(ctx context.Context, origin string, timeout time.Duration) (net.Conn, error) {
	network, address, err := ParseOrigin(origin)
	if err != nil {
		return nil, err
	}
	d := net.Dialer{Timeout: timeout}
	if host, _, err := net.SplitHostPort(address); err == nil && onThisMachine(host) {
		d.KeepAlive = -1 // a peer on this machine cannot vanish without a word
	}
	return d.DialContext(ctx, network, address)
}

func onThisMachine(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// originReason is what the client is told; the address stays here.
func originReason(err error) *wire.Reason {
	switch {
	case errors.Is(err, errnoRefused), errors.Is(err, fs.ErrNotExist):
		return &wire.Reason{Code: wire.CodeOriginRefused, Text: "nothing listens at the service's address on its host"}
	case isTimeout(err):
		return &wire.Reason{Code: wire.CodeOriginTimeout, Text: "the service's address does not answer its host"}
	}
	return &wire.Reason{Code: wire.CodeOriginError, Text: "the host cannot connect to the service"}
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) || (errors.As(err, &ne) && ne.Timeout())
}

// originProblem is what the host's administrator is told.
func originProblem(origin string, err error) *api.Problem {
	p := &api.Problem{
		Code: api.CodeOriginError, Title: "The service cannot be reached", Detail: fmt.Sprintf("%s: %v", origin, err),
		Hint: "Check the tunnel's origin and the service.",
	}
	switch originReason(err).Code {
	case wire.CodeOriginRefused:
		p.Code, p.Title, p.Detail = api.CodeOriginRefused, "Nothing listens at the tunnel's origin", origin+" refused the connection"
		p.Hint = "Start the service, or change the tunnel's origin."
	case wire.CodeOriginTimeout:
		p.Code, p.Title, p.Detail = api.CodeOriginTimeout, "The tunnel's origin does not answer", origin+" did not accept the connection in time"
	}
	return p
}

// health is which origins did not answer when last dialled.
type health struct {
	mu   sync.Mutex
	sick map[string]*api.Problem // by hostname
	// more has one slot: there is something to watch.
	more chan struct{}
}

// healthOf takes what a dial of a hostname's origin came to.
func (c *Connector) healthOf(hostname, origin string, err error) {
	h := &c.health
	h.mu.Lock()
	_, was := h.sick[hostname]
	if err != nil {
		h.sick[hostname] = originProblem(origin, err)
	} else {
		delete(h.sick, hostname)
	}
	h.mu.Unlock()
	if is := err != nil; is != was {
		c.log.Info("origin health", "hostname", hostname, "origin", origin, "sick", is, "err", err)
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
	origin, ok := c.cfg.Table(hostname, 0)
	if !ok {
		c.healthOf(hostname, "", nil) // no longer published
		return
	}
	conn, err := dialOrigin(ctx, origin, c.timing.OriginDial)
	if err == nil {
		conn.Close()
	}
	if ctx.Err() == nil {
		c.healthOf(hostname, origin, err)
	}
}
