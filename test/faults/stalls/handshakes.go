//go:build linux

package stalls

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/test/bench/load"
	"github.com/sallyport/sallyport/test/faults/hostilepeer/speak"
	"github.com/sallyport/sallyport/test/faults/suite"
)

// ErrLate: all are culled and honest ones served, but not all of them came, or not in
// time.
var ErrLate = errors.New("all of them, 500 ms, and 10 s")

// staller opens connections to the edge that say no more once they have come to a stage.
type staller struct {
	edge  speak.Edge
	id    *speak.Identity
	hello []byte // a ClientHello
}

// stages of a connection to the edge at which one may stall.
var stages = []struct {
	name string
	come func(ctx context.Context, s staller, raw net.Conn) error
}{
	{"before the first byte", func(context.Context, staller, net.Conn) error { return nil }},
	{"in the ClientHello", func(_ context.Context, s staller, raw net.Conn) error {
		return speak.WriteAll(raw, s.hello[:len(s.hello)/2])
	}},
	{"after the ClientHello", func(_ context.Context, s staller, raw net.Conn) error { return speak.WriteAll(raw, s.hello) }},
	{"after TLS, before the hello", func(ctx context.Context, s staller, raw net.Conn) error {
		return tls.Client(raw, speak.LinkTLS(s.edge, s.id)).HandshakeContext(ctx)
	}},
	{"in the hello", func(ctx context.Context, s staller, raw net.Conn) error {
		c := tls.Client(raw, speak.LinkTLS(s.edge, s.id))
		if err := c.HandshakeContext(ctx); err != nil {
			return err
		}
		return speak.WriteAll(c, speak.Frame(speak.KindHello, 0, 1, make([]byte, 1000))[:500])
	}},
}

// Handshakes has connections stall before they have said hello (H3), from many addresses
// of loopback, and measures honest hellos beside them.
func Handshakes(ctx context.Context, w *suite.World) (string, error) {
	const n = 5000
	s := staller{}
	var err error
	if s.edge, err = w.Speaker(); err != nil {
		return "", err
	}
	if s.id, err = speak.NewIdentity(); err != nil {
		return "", err
	}
	if s.hello, err = speak.HelloRecord(s.edge.Name, "sallyport/1"); err != nil {
		return "", err
	}
	var took []time.Duration
	var worstCull time.Duration
	least := n
	for i, stage := range stages {
		hellos, culled, came, err := s.stall(ctx, i, n)
		if err != nil {
			return "", fmt.Errorf("stalled %s: %w", stage.name, err)
		}
		took = append(took, hellos...)
		worstCull, least = max(worstCull, culled), min(least, came)
	}
	slices.Sort(took)
	p99 := took[len(took)*99/100]
	got := fmt.Sprintf("%d at each of %d stages; honest hello p99 %d ms; the last culled after %.1f s", least, len(stages), p99.Milliseconds(), worstCull.Seconds())
	if p99 > 500*time.Millisecond || worstCull > 12*time.Second || least < n {
		return got, ErrLate
	}
	return got, nil
}

// stall has n connections stall at a stage, and says what honest hellos took beside them,
// when the last of them was culled, and how many had come that far.
func (s staller) stall(ctx context.Context, stage, n int) (hellos []time.Duration, culled time.Duration, came int, err error) {
	// The goal is 10 s; what the kernel holds back until it is accepted comes on top.
	const openers, patience = 4, 30 * time.Second
	conns := make([]net.Conn, n)
	defer func() { load.CloseAll(conns) }()
	var got atomic.Int64
	var wg sync.WaitGroup
	for o := range openers {
		wg.Go(func() {
			for i := o; i < n; i += openers {
				d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+i%100))}}
				raw, err := d.DialContext(ctx, "tcp", s.edge.Addr)
				if err != nil {
					return
				}
				conns[i] = raw
				if stages[stage].come(ctx, s, raw) == nil { // else it was culled already
					got.Add(1)
				}
			}
		})
	}
	wg.Wait()
	opened := time.Now()
	for range 20 {
		d, err := speak.HonestHello(ctx, s.edge)
		if err != nil {
			return nil, 0, 0, fmt.Errorf("an honest hello: %w", err)
		}
		hellos = append(hellos, d)
	}
	for _, c := range conns {
		if c == nil {
			continue
		}
		if _, err := speak.Ends(c, max(time.Until(opened.Add(patience)), time.Second)); err != nil {
			return nil, 0, 0, fmt.Errorf("still there %s after the last came: %w", patience, err)
		}
	}
	if got.Load() == 0 {
		return nil, 0, 0, errors.New("none came that far")
	}
	return hellos, time.Since(opened), int(got.Load()), nil
}
