// Package origin is the service that a host publishes: where it is, how it is
// dialled, and in what words it is told that it cannot be.
//
// Errors: those of the system; Reason is what the client is told of one, Problem
// what the host's administrator is.
package origin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/wire"
)

// Parse takes an origin apart: "tcp://HOST:PORT" or "unix:/path".
func Parse(origin string) (network, address string, err error) {
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

// Dial connects to an origin.
func Dial(ctx context.Context, origin string, timeout time.Duration) (net.Conn, error) {
	network, address, err := Parse(origin)
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

// Reason is what the client is told; the address stays here.
func Reason(err error) *wire.Reason {
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

// Problem is what the host's administrator is told.
func Problem(origin string, err error) *api.Problem {
	p := &api.Problem{
		Code: api.CodeOriginError, Title: "The service cannot be reached", Detail: fmt.Sprintf("%s: %v", origin, err),
		Hint: "Check the tunnel's origin and the service.",
	}
	switch Reason(err).Code {
	case wire.CodeOriginRefused:
		p.Code, p.Title, p.Detail = api.CodeOriginRefused, "Nothing listens at the tunnel's origin", origin+" refused the connection"
		p.Hint = "Start the service, or change the tunnel's origin."
	case wire.CodeOriginTimeout:
		p.Code, p.Title, p.Detail = api.CodeOriginTimeout, "The tunnel's origin does not answer", origin+" did not accept the connection in time"
	}
	return p
}
