package forward

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/sallyport/sallyport/api"
)

// place is a listen address taken apart: a socket path, or the TCP addresses
// that are bound together.
type place struct {
	path  string
	addrs []netip.AddrPort
}

// parseListen takes "localhost:PORT", "IP:PORT" or "unix:/path".
func parseListen(listen string, allowRemote bool) (place, *api.Problem) {
	if path, ok := strings.CutPrefix(listen, "unix:"); ok {
		if !filepath.IsAbs(path) || filepath.Clean(path) != path {
			return place{}, invalid(listen, "the path of a Unix socket is absolute", "Write unix:/path/to/socket.")
		}
		return place{path: path}, nil
	}
	host, portText, err := net.SplitHostPort(listen)
	if err != nil {
		return place{}, invalid(listen, err.Error(), "Write localhost:PORT or unix:/path.")
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil || port == 0 {
		return place{}, invalid(listen, "the port is a number from 1 to 65535", "Write localhost:PORT.")
	}
	if host == "localhost" {
		return place{addrs: []netip.AddrPort{
			netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(port)),
			netip.AddrPortFrom(netip.IPv6Loopback(), uint16(port)),
		}}, nil
	}
	addr, err := netip.ParseAddr(host)
	switch {
	case err != nil:
		return place{}, invalid(listen, fmt.Sprintf("%q is neither localhost nor an IP address", host), "Write localhost:PORT.")
	case !addr.Unmap().IsLoopback() && !allowRemote:
		return place{}, invalid(listen, fmt.Sprintf("%s is not a loopback address: other machines could use your session", addr), "Write localhost:PORT.")
	}
	return place{addrs: []netip.AddrPort{netip.AddrPortFrom(addr.Unmap(), uint16(port))}}, nil
}

func invalid(listen, detail, hint string) *api.Problem {
	return &api.Problem{
		Code: api.CodeInvalid, Title: "Not an address to listen on", Detail: fmt.Sprintf("%s: %s", listen, detail), Hint: hint, Field: "listen",
	}
}

// CheckListen says whether Run could bind an address; the problem's Field is
// "listen". It binds nothing.
func CheckListen(listen string, allowRemote bool) *api.Problem {
	_, p := parseListen(listen, allowRemote)
	return p
}

// bound are the listeners of one place.
type bound struct {
	listeners []net.Listener
	release   func() // after they are closed; may be nil
}

// close is to be called once.
func (b *bound) close() {
	for _, l := range b.listeners {
		l.Close()
	}
	if b.release != nil {
		b.release()
	}
}

// bind takes all addresses of a place, or none: with only one of two loopback
// addresses bound, another user could take the other and be mistaken for this
// forward (rule 29). A missing IPv6 is no reason to fail.
func bind(ctx context.Context, p place, uid int) (*bound, error) {
	if p.path != "" {
		return bindUnix(ctx, p.path, uid)
	}
	b := &bound{}
	for _, addr := range p.addrs {
		l, err := bindTCP(ctx, addr)
		switch {
		case err == nil:
			b.listeners = append(b.listeners, l)
		case len(p.addrs) > 1 && addr.Addr().Is6() && (errors.Is(err, errnoNoAddress) || errors.Is(err, errnoNoFamily)):
		default:
			b.close()
			return nil, err
		}
	}
	return b, nil
}

// bindTCP shares the address with nobody: no SO_REUSEPORT, and what Windows
// needs for the same (control). Multipath TCP has no place on loopback.
func bindTCP(ctx context.Context, addr netip.AddrPort) (net.Listener, error) {
	lc := net.ListenConfig{Control: exclusive, KeepAlive: -1}
	lc.SetMultipathTCP(false)
	network := "tcp4"
	if addr.Addr().Is6() {
		network = "tcp6"
	}
	l, err := lc.Listen(ctx, network, addr.String())
	if err != nil {
		return nil, &bindError{addr: addr, err: err}
	}
	return l, nil
}

// bindError is an address that was not bound.
type bindError struct {
	addr netip.AddrPort // zero for a Unix socket
	path string
	err  error
}

func (e *bindError) Error() string { return e.err.Error() }
func (e *bindError) Unwrap() error { return e.err }

// errSocketTaken: somebody listens on the Unix socket.
var errSocketTaken = errors.New("another program listens there")

// errOwnOnly: this daemon may make sockets for its own OS user only.
var errOwnOnly = errors.New("the service has no right to act as you")

// bindProblem puts a failure to bind in words.
func (f *Forwarder) bindProblem(err error) *api.Problem {
	var failed *bindError
	errors.As(err, &failed)
	switch {
	case failed != nil && failed.addr.IsValid() && isTaken(err):
		who := f.holders.Of(failed.addr)
		return &api.Problem{
			Code: api.CodePortTaken, Title: "The local port is taken", Detail: fmt.Sprintf("%s is held by %s", failed.addr, who), Field: "listen",
			Hint: fmt.Sprintf("Stop it, or choose another port: sallyport forward edit %s --url localhost:PORT", f.cfg.Hostname),
		}
	case errors.Is(err, errSocketTaken):
		return &api.Problem{
			Code: api.CodePortTaken, Title: "The local socket is taken", Detail: fmt.Sprintf("%s: %v", failed.path, err), Field: "listen",
			Hint: "Stop it, or choose another path.",
		}
	case errors.Is(err, errOwnOnly):
		return &api.Problem{
			Code: api.CodePermission, Title: "The service may not make sockets for its users", Detail: err.Error(), Field: "listen",
			Hint: "Use localhost:PORT, or a daemon of your own (sallyportd run); what lets the service do it stands in docs/operating.md.",
		}
	case errors.Is(err, fs.ErrPermission):
		return &api.Problem{
			Code: api.CodePermission, Title: "The local address may not be used", Detail: err.Error(), Field: "listen",
			Hint: "Choose a port from 1024 up, or a path in a folder of your own.",
		}
	}
	return &api.Problem{
		Code: api.CodeInvalid, Title: "The local address cannot be used", Detail: err.Error(), Field: "listen",
		Hint: "Choose another address.",
	}
}

// isTaken says whether somebody else has the address. Windows refuses access
// to an address that is held exclusively.
func isTaken(err error) bool {
	for _, e := range errnosTaken {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
