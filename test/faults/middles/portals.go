//go:build linux

// Package middles puts hostile proxies, portals, name servers, certificates and
// paths between a client and its edge (S7 of the project's goals), and looks at
// what the client says and sends.
package middles

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/test/faults/portal"
	"github.com/sallyport/sallyport/test/faults/suite"
	"github.com/sallyport/sallyport/test/faults/wan"
)

const (
	// toldIn and backIn are what is promised; what takes longer than patience is wrong.
	toldIn, backIn, patience = 10 * time.Second, 5 * time.Second, 40 * time.Second
	// The proxies' user has credentials that no one else may hear of.
	proxyUser, proxyPassword = "bob", "canary-of-the-proxy"
)

// ErrSlow: all is told and comes back, but not within 10 s and 5 s.
var ErrSlow = errors.New("told within 10 s, and back within 5 s")

// way is how a client comes to meet a middle.
type way string

const (
	byProxy   way = "proxy"   // it is its proxy
	byAddress way = "address" // it is where the edge's address leads
	byName    way = "name"    // it is where the edge's name leads
)

// hostileMiddle is one that does not lead to the edge.
type hostileMiddle struct {
	name string
	way  way
	// code is the right reason, says a part of its words.
	code api.Code
	says string
	// trick is what the middle does; nil: it is honest, and spoil does the harm.
	trick portal.Trick
	// spoil and mend change something else than the middle; nil: nothing.
	spoil, mend func() error
	// unmet: no connection comes to be, so that nothing can be told to it.
	unmet bool
}

// outcome is what came of one.
type outcome struct {
	told, back time.Duration
	right      bool
	leaks      int
}

// Portals lets one signed-in client after the other wake up behind each, and
// then lets the way be free.
func Portals(ctx context.Context, w *suite.World) (string, error) {
	p, err := openPlace(ctx, w)
	if err != nil {
		return "", err
	}
	defer p.close()
	middles, err := p.middles()
	if err != nil {
		return "", err
	}
	var errs []error
	var right, leaks int
	var told, back slowest
	for i, m := range middles {
		got, err := p.play(ctx, fmt.Sprintf("guest%d", i+1), m)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", m.name, err))
		}
		if got.right {
			right++
		}
		leaks += got.leaks
		told.see(m.name, got.told)
		back.see(m.name, got.back)
	}
	if _, err := w.Recovered(ctx, patience); err != nil {
		errs = append(errs, fmt.Errorf("afterwards: %w", err))
	}
	got := fmt.Sprintf("%d of %d showed the right reason, the slowest after %s; %d credentials leaked; the slowest back after %s", right, len(middles), told, leaks, back)
	if len(errs) == 0 && (told.d > toldIn || back.d > backIn) {
		return got, ErrSlow
	}
	return got, errors.Join(errs...)
}

// slowest keeps the longest time, and of what.
type slowest struct {
	name string
	d    time.Duration
}

func (s *slowest) see(name string, d time.Duration) {
	if d > s.d {
		s.name, s.d = name, d
	}
}

func (s slowest) String() string { return fmt.Sprintf("%.1f s (%s)", s.d.Seconds(), s.name) }

// middles are the twelve.
func (p *place) middles() ([]hostileMiddle, error) {
	hotel, err := p.foreign.Server(p.edge.Host, p.now.AddDate(0, 0, -1), p.now.AddDate(0, 0, 1))
	if err != nil {
		return nil, err
	}
	parked, err := p.foreign.Server("parked.example", p.now.AddDate(0, 0, -1), p.now.AddDate(0, 0, 1), "h2", "http/1.1")
	if err != nil {
		return nil, err
	}
	past, err := p.past.Server(p.edge.Host, p.now.AddDate(-2, 0, 0), p.now.AddDate(-1, 0, 0), "sallyport/1", "http/1.1")
	if err != nil {
		return nil, err
	}
	then := p.now.AddDate(-1, -6, 0).UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT")
	path := func(at wan.Path) func() error {
		return func() error { p.w.Network().Set(wan.Both(at)); return nil }
	}
	return []hostileMiddle{
		{name: "407", way: byProxy, code: api.CodeProxy, says: "does not take this user and password",
			trick: portal.Answer("HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"hotel\"\r\nContent-Length: 0\r\n\r\n")},
		{name: "302 to a page", way: byProxy, code: api.CodeProxy, says: "sign in to this network",
			trick: portal.Answer("HTTP/1.1 302 Found\r\nLocation: http://" + p.elsewhere.Addr() + "/sign-in\r\nContent-Length: 0\r\n\r\n")},
		{name: "200 with HTML", way: byProxy, code: api.CodeProxy, says: "sign in to this network", trick: portal.Page()},
		{name: "endless header", way: byProxy, code: api.CodeProxy, says: "a header without end", trick: portal.EndlessHeader},
		{name: "slow drip", way: byProxy, code: api.CodeProxy, says: "no whole answer in time", trick: portal.Drip},
		{name: "silence after CONNECT", way: byProxy, code: api.CodeEdgeTimeout, says: "through the proxy", trick: portal.Connect(portal.Silence)},
		{name: "TLS interception", way: byAddress, code: api.CodeEdgeUntrusted, says: foreignName, trick: portal.EndTLS(hotel, portal.Web(""))},
		{name: "lying DNS", way: byName, code: api.CodeEdgeUntrusted, says: "parked.example", trick: portal.EndTLS(parked, portal.Web("")), spoil: p.say(near4), mend: p.say(wan.Far)},
		{name: "reset after SNI", way: byAddress, code: api.CodeEdgeUnreached, says: "closed the connection during the TLS handshake", trick: portal.ResetHello},
		{name: "MTU hole", way: byAddress, code: api.CodeEdgeTimeout, says: "did not finish the TLS handshake", spoil: path(wan.Path{Largest: 1280}), mend: path(wan.Path{})},
		{name: "IPv6 black hole", way: byName, code: api.CodeEdgeTimeout, says: "did not accept the connection", unmet: true, spoil: p.say(near6), mend: p.say(near6, wan.Far)},
		{name: "clock-lying certificate", way: byAddress, code: api.CodeClockWrong, says: "ahead of the edge's", trick: portal.EndTLS(past, portal.Web(then))},
	}, nil
}

// judge compares the first problem that is shown with the right one.
func (m hostileMiddle) judge(p *api.Problem) error {
	words := p.Title + ": " + p.Detail
	if p.Code != m.code || !strings.Contains(words, m.says) || p.Hint == "" {
		return fmt.Errorf("it shows %s %q, want %s with %q", p.Code, words, m.code, m.says)
	}
	return nil
}
