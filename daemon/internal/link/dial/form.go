package dial

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sallyport/sallyport/internal/webconn"
	"github.com/sallyport/sallyport/wire"
)

// Form is how a connection to an edge travels (rule 1).
type Form string

const (
	FormDirect    Form = "direct"
	FormWebSocket Form = "websocket"
)

const (
	// webTimeout is for the WebSocket form, after a direct attempt used all of
	// wire.DirectTimeout: a person shall be told within 10 s.
	webTimeout = 4500 * time.Millisecond
	// Longest is how long an attempt in both forms takes.
	Longest = wire.DirectTimeout + webTimeout
	// formKept is how long a network is known to need the WebSocket form.
	formKept = 10 * time.Minute
	// maxNetworks bounds the networks that are remembered.
	maxNetworks = 16
)

// Dialer reaches one edge in the form that the network lets through. Its methods
// may be called from anywhere.
type Dialer struct {
	target  Target
	now     func() time.Time
	network func() string // names the network that this machine is in
	kept    time.Duration

	mu      sync.Mutex
	blocked map[string]time.Time // network -> until when the direct form is not tried
	form    Form                 // of the newest link
}

// NewDialer makes a dialer that knows nothing of its network yet. now is the
// clock that certificates are judged by.
func NewDialer(t Target, now func() time.Time) *Dialer {
	return &Dialer{target: t, now: now, network: network, kept: formKept, blocked: make(map[string]time.Time), form: FormDirect}
}

// Link connects and does the handshake of a link.
func (d *Dialer) Link(ctx context.Context, cert tls.Certificate, timeout time.Duration) (*tls.Conn, Form, error) {
	at := d.network()
	if d.isBlocked(at) {
		conn, err := d.webLink(ctx, cert, timeout)
		if err == nil {
			d.use(FormWebSocket)
			return conn, FormWebSocket, nil
		}
		d.note(at, false) // whatever it is, the next try is a direct one
		return nil, FormWebSocket, err
	}
	conn, err := Link(ctx, d.target, cert, timeout, d.now)
	if err == nil {
		d.use(FormDirect)
		return conn, FormDirect, nil
	}
	if !hindered(err) || ctx.Err() != nil {
		return nil, FormDirect, err
	}
	conn, webErr := d.webLink(ctx, cert, min(timeout, webTimeout))
	if webErr != nil {
		return nil, FormDirect, tellingMore(err, webErr)
	}
	d.note(at, true)
	d.use(FormWebSocket)
	return conn, FormWebSocket, nil
}

// webLink is Link in a WebSocket: the edge is verified on the TLS inside (rule 3).
func (d *Dialer) webLink(ctx context.Context, cert tls.Certificate, timeout time.Duration) (*tls.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	raw, err := d.web(ctx, webconn.LinkPath, timeout)
	if err != nil {
		return nil, err
	}
	return linkTLS(ctx, d.target, raw, cert, d.now)
}

// Trunk connects for one end of a trunk, in the form of the link. In a WebSocket
// the label is said first.
func (d *Dialer) Trunk(ctx context.Context, label wire.Label, timeout time.Duration) (net.Conn, error) {
	d.mu.Lock()
	form := d.form
	d.mu.Unlock()
	if form == FormDirect {
		return TCP(ctx, d.target, timeout)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	conn, err := d.web(ctx, webconn.TrunkPath, timeout)
	if err != nil {
		return nil, err
	}
	conn.SetWriteDeadline(time.Now().Add(timeout))
	if _, err := io.WriteString(conn, string(label)); err != nil {
		conn.Close()
		return nil, &Error{Stage: StageWeb, Target: d.target, Err: err}
	}
	conn.SetWriteDeadline(time.Time{})
	return conn, nil
}

// web opens a WebSocket at a path of the edge's web port. Its outer TLS may end
// at a proxy: its certificate is for the edge's name, by the system's
// authorities or the edge's.
func (d *Dialer) web(ctx context.Context, path string, timeout time.Duration) (*webconn.Conn, error) {
	config, err := d.target.webTLS(d.now)
	if err != nil {
		return nil, &Error{Stage: StageTLS, Target: d.target, Err: err}
	}
	raw, err := TCP(ctx, d.target, timeout)
	if err != nil {
		return nil, err
	}
	outer := tls.Client(raw, config)
	if err := outer.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, &Error{Stage: StageTLS, Target: d.target, Err: err, Via: d.target.via()}
	}
	conn, err := webconn.Dial(ctx, outer, d.target.String(), path)
	if err != nil {
		return nil, &Error{Stage: StageWeb, Target: d.target, Err: err, Via: d.target.via()}
	}
	return conn, nil
}

// webTLS is the TLS towards whatever ends it in front of the edge's web.
func (t Target) webTLS(now func() time.Time) (*tls.Config, error) {
	roots, err := t.roots()
	if err != nil {
		return nil, err
	}
	if roots != nil {
		if roots, err = x509.SystemCertPool(); err != nil {
			roots = x509.NewCertPool()
		}
		roots.AppendCertsFromPEM([]byte(t.CAPEM))
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.Name, RootCAs: roots, NextProtos: []string{"http/1.1"}, Time: now}, nil
}

// hindered says whether a direct link failed in a way that a middlebox, or a
// proxy in front of the edge, would cause.
func hindered(err error) bool {
	var (
		e       *Error
		unknown x509.UnknownAuthorityError
		name    x509.HostnameError
	)
	if !errors.As(err, &e) || e.Stage != StageTLS {
		return false
	}
	switch {
	case isTimeout(e.Err), isGone(e.Err), errors.Is(e.Err, wire.ErrProtocolName), errors.As(e.Err, &unknown), errors.As(e.Err, &name):
		return true
	}
	return isAlert(e.Err)
}

// isAlert says whether the other end refused a handshake.
func isAlert(err error) bool {
	var remote *net.OpError
	return errors.As(err, &remote) && remote.Op == "remote error"
}

// tellingMore chooses the error that a person is told when both forms failed.
func tellingMore(direct, web error) error {
	var e, w *Error
	switch {
	case !errors.As(direct, &e), !errors.As(web, &w), isTimeout(w.Err), isGone(w.Err):
		return direct
	case isTimeout(e.Err), isGone(e.Err):
		return web
	case isAlert(e.Err) && w.Stage == StageTLS && !isAlert(w.Err):
		// Who does not know the link's protocol refuses it before it shows a
		// certificate; this one was shown.
		return web
	}
	return direct
}

func (d *Dialer) use(f Form) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.form = f
}

func (d *Dialer) isBlocked(network string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return time.Now().Before(d.blocked[network])
}

// note remembers of a network whether it lets the direct form through.
func (d *Dialer) note(network string, blocked bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.blocked) >= maxNetworks {
		clear(d.blocked)
	}
	delete(d.blocked, network)
	if blocked {
		d.blocked[network] = time.Now().Add(d.kept)
	}
}

// network names the network by this machine's addresses in it.
func network() string {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return ""
	}
	var names []string
	for _, a := range all {
		if ip, ok := a.(*net.IPNet); ok && !ip.IP.IsLoopback() && !ip.IP.IsLinkLocalUnicast() {
			names = append(names, ip.String())
		}
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}
