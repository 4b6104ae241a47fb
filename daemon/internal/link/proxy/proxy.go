// Package proxy leads connections through a proxy that a network has for going
// out: HTTP CONNECT (with Basic credentials) and SOCKS5.
//
// Shapes: Choose finds the proxy for an edge, in a setting or the environment;
// Dial connects through it.
//
// Units and limits: an answer has at most 16 KiB of header; all waits end with
// the context.
//
// Errors: Dial returns an *Error, whose Kind says how the proxy is the broken
// hop. Credentials are in no error and no log; they are sent to the proxy alone.
//
// Source: RFC 9110 section 9.3.6, RFC 7617, RFC 1928, RFC 1929.
package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strings"

	"golang.org/x/net/http/httpproxy"
)

// Direct is the setting by which the environment does not count either.
const Direct = "direct"

// ErrSetting is a proxy that is none: what was written is not repeated, since it
// may hold a password.
var ErrSetting = errors.New("a proxy is written http://HOST:PORT, https://HOST:PORT or socks5://HOST:PORT, with USER:PASSWORD@ before the host where it asks for them")

// Parse reads a setting: nil for "" and Direct.
func Parse(setting string) (*url.URL, error) {
	if setting == "" || setting == Direct {
		return nil, nil
	}
	if !strings.Contains(setting, "://") {
		setting = "http://" + setting
	}
	u, err := url.Parse(setting)
	if err != nil || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, ErrSetting
	}
	switch u.Scheme {
	case "http", "https", "socks5", "socks5h":
		return u, nil
	}
	return nil, ErrSetting
}

// Redacted is a setting without its password.
func Redacted(setting string) string {
	u, err := Parse(setting)
	switch {
	case err != nil:
		return ""
	case u == nil:
		return setting
	case u.User != nil:
		u.User = url.User(u.User.Username())
	}
	return u.String()
}

// Choose is the proxy for an edge, nil for none: that of the setting, else what
// HTTPS_PROXY, ALL_PROXY and NO_PROXY say. address is what is dialled instead of
// the name, "" for the name itself; where either needs no proxy there is none.
func Choose(setting, name string, port uint16, address string) (*url.URL, error) {
	if setting != "" {
		return Parse(setting)
	}
	env := httpproxy.FromEnvironment()
	said := env.HTTPSProxy
	for _, key := range []string{"ALL_PROXY", "all_proxy"} {
		if said == "" {
			said = os.Getenv(key)
		}
	}
	if said == "" {
		return nil, nil
	}
	env.HTTPSProxy = "http://proxy.invalid" // what follows asks only whether one is used
	uses := env.ProxyFunc()
	for _, at := range []string{net.JoinHostPort(name, fmt.Sprint(port)), address} {
		if at == "" {
			continue
		}
		if u, err := uses(&url.URL{Scheme: "https", Host: at}); err != nil || u == nil {
			return nil, nil
		}
	}
	u, err := Parse(said)
	if err != nil {
		return nil, fmt.Errorf("the environment's proxy: %w", err)
	}
	return u, nil
}

// Kind is how a proxy failed.
type Kind string

// The kinds.
const (
	Unreachable Kind = "unreachable" // no connection to it
	Credentials Kind = "credentials" // it wants others, or some
	Refused     Kind = "refused"     // it may not, or cannot, go there
	Portal      Kind = "portal"      // it shows a page instead
	Silent      Kind = "silent"      // no whole answer in time
	Nonsense    Kind = "nonsense"    // its answer is not a proxy's
)

// Error is a proxy that did not lead to the edge.
type Error struct {
	Proxy string // host and port
	Kind  Kind
	// Said is what it answered, in words; "" where that says nothing.
	Said string
	Err  error // nil where the answer was whole
}

// Error names the proxy and what went wrong.
func (e *Error) Error() string {
	s := fmt.Sprintf("proxy %s: %s", e.Proxy, e.Kind)
	if e.Said != "" {
		s += ": " + e.Said
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Address is where a proxy listens.
func Address(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	if port == "" {
		port = "1080"
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// Dial connects to target ("HOST:PORT") through a proxy, to which dial connects.
// config is the TLS towards an https proxy.
func Dial(ctx context.Context, u *url.URL, target string, config *tls.Config,
	dial func(ctx context.Context, address string) (net.Conn, error)) (net.Conn, error) {
	at := Address(u)
	raw, err := dial(ctx, at)
	if err != nil {
		return nil, &Error{Proxy: at, Kind: Unreachable, Err: err}
	}
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	conn, err := through(ctx, raw, u, target, config)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err == nil {
		return conn, nil
	}
	raw.Close()
	e := &Error{Proxy: at, Kind: Nonsense}
	if !errors.As(err, &e) {
		e.Err = err
	}
	e.Proxy = at
	if ctx.Err() != nil {
		e.Kind, e.Err = Silent, context.Cause(ctx)
	}
	return nil, e
}

func through(ctx context.Context, raw net.Conn, u *url.URL, target string, config *tls.Config) (net.Conn, error) {
	switch u.Scheme {
	case "socks5", "socks5h":
		return raw, socks(raw, u.User, target)
	case "https":
		config = config.Clone()
		config.ServerName = u.Hostname()
		conn := tls.Client(raw, config)
		if err := conn.HandshakeContext(ctx); err != nil {
			return nil, &Error{Kind: Unreachable, Said: "no TLS with it", Err: err}
		}
		return conn, connect(conn, u.User, target)
	}
	return raw, connect(raw, u.User, target)
}

// split takes a target apart; ip is invalid where the host is a name.
func split(target string) (host string, ip netip.Addr, port uint16, err error) {
	host, word, err := net.SplitHostPort(target)
	if err != nil {
		return "", netip.Addr{}, 0, err
	}
	var n uint16
	if _, err := fmt.Sscan(word, &n); err != nil {
		return "", netip.Addr{}, 0, err
	}
	ip, _ = netip.ParseAddr(host)
	return host, ip, n, nil
}
