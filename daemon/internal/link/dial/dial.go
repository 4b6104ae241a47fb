// Package dial reaches an edge: name, proxy, TCP, TLS, and where a middlebox does
// not let that through the same in a WebSocket. Where it cannot, it says which hop
// is broken.
//
// Shapes: a Dialer belongs to one link and finds the form by itself; TCP and Link
// are the direct form.
//
// Errors: TCP and Link return an *Error that carries the stage; Problem puts
// it, and every other error of a link, in words for a person.
//
// Source: rules 1 to 4 and 12 of docs/protocol.md.
package dial

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"syscall"
	"time"

	"github.com/sallyport/sallyport/daemon/internal/link/proxy"
	"github.com/sallyport/sallyport/internal/sockopt"
	"github.com/sallyport/sallyport/wire"
	"github.com/sallyport/sallyport/wire/socket"
)

// DefaultPort is an edge's port where none is said.
const DefaultPort = 443

// Target is an edge to be reached.
type Target struct {
	// Name is the edge's host name, without a port.
	Name string
	// Port is its TCP port; 0 means DefaultPort.
	Port uint16
	// Address is an IP:PORT to dial instead of looking Name up; "" means look up.
	Address string
	// CAPEM holds the certificates to check against; "" means the system's.
	CAPEM string
	// Proxy leads there: a URL, proxy.Direct for none, "" for the environment's.
	Proxy string
}

// String is the name, with the port where it is not the default one.
func (t Target) String() string {
	if t.port() == DefaultPort {
		return t.Name
	}
	return net.JoinHostPort(t.Name, strconv.Itoa(int(t.port())))
}

func (t Target) port() uint16 {
	if t.Port == 0 {
		return DefaultPort
	}
	return t.Port
}

func (t Target) address() string {
	if t.Address != "" {
		return t.Address
	}
	return net.JoinHostPort(t.Name, strconv.Itoa(int(t.port())))
}

// roots is nil for the system's.
func (t Target) roots() (*x509.CertPool, error) {
	if t.CAPEM == "" {
		return nil, nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(t.CAPEM)) {
		return nil, errors.New("no certificate in the CA file")
	}
	return pool, nil
}

// Stage is how far reaching an edge came.
type Stage string

const (
	StageConnect Stage = "connect" // name and TCP
	StageTLS     Stage = "tls"     // handshake and certificate
	StageWeb     Stage = "web"     // the opening of a WebSocket
	StageHello   Stage = "hello"   // the first messages of a link
)

// Error is an edge that was not reached.
type Error struct {
	Stage  Stage
	Target Target
	Err    error
	// Skew is by how much this machine's clock is ahead of the edge's, where a
	// certificate's dates failed for that alone; zero says nothing.
	Skew time.Duration
	// Via is the proxy on the way; "" where there is none.
	Via string
}

// Error names the stage, the edge and the cause.
func (e *Error) Error() string {
	return fmt.Sprintf("%s to edge %s: %v", e.Stage, e.Target, e.Err)
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// TCP connects to the edge, through a proxy where there is one. Both families
// are tried where a name has both; the second after 300 ms without an answer.
func TCP(ctx context.Context, t Target, timeout time.Duration) (net.Conn, error) {
	u, err := t.proxy()
	if err != nil {
		return nil, &Error{Stage: StageConnect, Target: t, Err: err}
	}
	if u == nil {
		return tcp(ctx, t, net.Dialer{Timeout: timeout})
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	config, err := t.webTLS(nil)
	if err != nil {
		return nil, &Error{Stage: StageTLS, Target: t, Err: err}
	}
	conn, err := proxy.Dial(ctx, u, t.address(), config, func(ctx context.Context, address string) (net.Conn, error) {
		var d net.Dialer
		if _, err := netip.ParseAddr(u.Hostname()); err != nil {
			d.Control = notKept
		}
		raw, err := d.DialContext(ctx, "tcp", address)
		if err == nil {
			sockopt.Carrier(raw)
		}
		return raw, err
	})
	if err != nil {
		return nil, &Error{Stage: StageConnect, Target: t, Err: err, Via: proxy.Address(u)}
	}
	return conn, nil
}

// proxy is nil where none is on the way.
func (t Target) proxy() (*url.URL, error) {
	return proxy.Choose(t.Proxy, t.Name, t.port(), t.Address)
}

// via names the proxy on the way, "" where none is.
func (t Target) via() string {
	if u, err := t.proxy(); err == nil && u != nil {
		return proxy.Address(u)
	}
	return ""
}

func tcp(ctx context.Context, t Target, d net.Dialer) (net.Conn, error) {
	if _, err := netip.ParseAddr(t.Name); t.Address == "" && err != nil {
		d.Control = notKept
	}
	conn, err := d.DialContext(ctx, "tcp", t.address())
	if err != nil {
		return nil, &Error{Stage: StageConnect, Target: t, Err: err}
	}
	sockopt.Carrier(conn)
	return conn, nil
}

// errKept: a name leads to an address that is kept for the system.
var errKept = errors.New("no edge may be there")

// notKept keeps names from leading where no edge is and where this process may
// mean something that its callers do not: a cloud's metadata, all of a network.
// Whose rights allow it can write such an address down.
func notKept(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %s", errKept, address)
	}
	if ip := at.Addr().Unmap(); ip.IsLinkLocalUnicast() || ip.IsMulticast() || ip.IsUnspecified() || ip == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		return fmt.Errorf("%w: %s", errKept, ip)
	}
	return nil
}

// Link connects and does the handshake of a link, all within timeout. now is
// the clock that certificates are judged by.
func Link(ctx context.Context, t Target, cert tls.Certificate, timeout time.Duration, now func() time.Time) (*tls.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if _, err := t.roots(); err != nil {
		return nil, &Error{Stage: StageTLS, Target: t, Err: err}
	}
	raw, err := TCP(ctx, t, timeout)
	if err != nil {
		return nil, err
	}
	return linkTLS(ctx, t, raw, cert, now)
}

// linkTLS does the handshake of a link. It takes ownership of raw.
func linkTLS(ctx context.Context, t Target, raw net.Conn, cert tls.Certificate, now func() time.Time) (*tls.Conn, error) {
	roots, err := t.roots()
	if err != nil {
		raw.Close()
		return nil, &Error{Stage: StageTLS, Target: t, Err: err}
	}
	config := wire.LinkClientConfig(cert, t.Name, roots)
	config.Time = now
	conn := tls.Client(socket.Direct(raw), config)
	if err := conn.HandshakeContext(ctx); err != nil {
		raw.Close()
		e := &Error{Stage: StageTLS, Target: t, Err: err, Via: t.via()}
		if isDate(err) {
			// A context of its own: the handshake may have used the first one up.
			e.Skew = clockSkew(context.WithoutCancel(ctx), t, roots, now)
		}
		return nil, e
	}
	return conn, nil
}

// isDate says whether a certificate was refused for its dates.
func isDate(err error) bool {
	var invalid x509.CertificateInvalidError
	return errors.As(err, &invalid) && invalid.Reason == x509.Expired
}
