//go:build linux

package figures

import (
	"context"
	"crypto/rand"
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
	"github.com/sallyport/sallyport/test/faults/impair"
	"github.com/sallyport/sallyport/test/faults/suite"
)

func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

// badFrames lets peers send what is no frame, each on a link of its own that is
// cut for it, and again.
func badFrames(ctx context.Context, w *suite.World) (string, error) {
	const peers, perMinute, lasts = 20, 10_000, 15 * time.Second
	edge, err := w.Speaker()
	if err != nil {
		return "", err
	}
	quiet, err := load.PingPong(ctx, w.Load(), 8, 4*time.Second)
	if err != nil {
		return "", err
	}
	grown := w.EdgeGrowth()
	attack, stop := context.WithTimeout(ctx, lasts)
	defer stop()
	var sent, cut, lived atomic.Int64
	var wg sync.WaitGroup
	for range peers {
		id, err := speak.NewIdentity()
		if err != nil {
			return "", err
		}
		wg.Go(func() {
			for end := attack.Done(); ; {
				next := time.Now().Add(time.Minute / perMinute)
				switch l, err := speak.OpenLink(attack, edge, id); {
				case err != nil:
				default:
					junk := make([]byte, 64)
					rand.Read(junk)
					l.Raw(junk)
					sent.Add(1)
					if _, err := speak.Ends(l.Conn, 2*time.Second); err != nil {
						lived.Add(1)
					} else {
						cut.Add(1)
					}
					l.Conn.Close()
				}
				select {
				case <-end:
					return
				case <-time.After(time.Until(next)):
				}
			}
		})
	}
	beside, err := load.PingPong(ctx, w.Load(), 8, lasts-4*time.Second)
	hello, herr := honestHello(attack, edge)
	stop()
	wg.Wait()
	if err = errors.Join(err, herr); err != nil {
		return "", err
	}
	memory, log := grown()
	ratio := beside["p99"] / quiet["p99"]
	perMin := float64(sent.Load()) / peers / lasts.Minutes()
	got := fmt.Sprintf("%.0f bad frames a minute and peer came through; %d cut; p99 %.2f of quiet; an honest hello from their address %.1f s; memory +%d MiB, log +%d KiB", perMin, cut.Load(), ratio, hello.Seconds(), memory>>20, log>>10)
	switch {
	case lived.Load() > 0:
		return got, fmt.Errorf("%d were not cut", lived.Load())
	case memory > 64<<20 || log > 1<<20/4:
		return got, errors.New("at most 64 MiB, and 256 KiB in 15 s")
	case ratio > 2:
		return got, &ShortError{"p99 below 2, which 20 peers that shake hands on the same two cores do not leave"}
	}
	return got, nil
}

// stages of a connection to the edge at which one may stall.
var stages = []struct {
	name string
	open func(ctx context.Context, e speak.Edge, raw net.Conn, hello []byte) (net.Conn, error)
}{
	{"before the first byte", func(_ context.Context, _ speak.Edge, raw net.Conn, _ []byte) (net.Conn, error) { return raw, nil }},
	{"in the ClientHello", func(_ context.Context, _ speak.Edge, raw net.Conn, hello []byte) (net.Conn, error) {
		return raw, speak.WriteAll(raw, hello[:len(hello)/2])
	}},
	{"after the ClientHello", func(_ context.Context, _ speak.Edge, raw net.Conn, hello []byte) (net.Conn, error) {
		return raw, speak.WriteAll(raw, hello)
	}},
}

// stalledHandshakes opens connections that stall, from many addresses of
// loopback, and measures honest hellos beside them.
func stalledHandshakes(ctx context.Context, w *suite.World) (string, error) {
	// The goal is 10 s; what the kernel holds back until it is accepted comes on top.
	const n, patience = 5000, 30 * time.Second
	edge, err := w.Speaker()
	if err != nil {
		return "", err
	}
	hello, err := speak.HelloRecord(edge.Name, "sallyport/1")
	if err != nil {
		return "", err
	}
	var took []time.Duration
	var worstCull time.Duration
	for _, stage := range stages {
		began := time.Now()
		conns := make([]net.Conn, 0, n)
		for i := range n {
			d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+i%100))}}
			raw, err := d.DialContext(ctx, "tcp", edge.Addr)
			if err == nil {
				raw, err = stage.open(ctx, edge, raw, hello)
			}
			if raw != nil {
				conns = append(conns, raw)
			}
			if err != nil {
				break // it was culled already
			}
		}
		opened := time.Since(began)
		for range 20 {
			d, err := honestHello(ctx, edge)
			if err != nil {
				closeAll(conns)
				return "", fmt.Errorf("stalled %s: an honest hello: %w", stage.name, err)
			}
			took = append(took, d)
		}
		for _, c := range conns {
			if _, err := speak.Ends(c, max(time.Until(began.Add(opened+patience)), time.Second)); err != nil {
				closeAll(conns)
				return "", fmt.Errorf("stalled %s: still there %s after the last came", stage.name, patience)
			}
		}
		worstCull = max(worstCull, time.Since(began)-opened)
		closeAll(conns)
	}
	slices.Sort(took)
	p99 := took[len(took)*99/100]
	got := fmt.Sprintf("%d at each of %d stages; honest hello p99 %d ms; the last culled after %.1f s", n, len(stages), p99.Milliseconds(), worstCull.Seconds())
	if p99 > 500*time.Millisecond || worstCull > 12*time.Second {
		return got, &ShortError{"500 ms, and 10 s"}
	}
	return got, nil
}

func closeAll(conns []net.Conn) {
	for _, c := range conns {
		c.Close()
	}
}

// honestHello is a whole new link up to its welcome.
func honestHello(ctx context.Context, e speak.Edge) (time.Duration, error) {
	id, err := speak.NewIdentity()
	if err != nil {
		return 0, err
	}
	began := time.Now()
	l, err := speak.OpenLink(ctx, e, id)
	if err != nil {
		return 0, err
	}
	defer l.Conn.Close()
	m, err := l.Hello(id, "host", nil)
	if err == nil && m.Kind != speak.KindWelcome {
		err = fmt.Errorf("answered with kind %d", m.Kind)
	}
	return time.Since(began), err
}

// flippedBits flips a bit of the handshake at many offsets, in each direction.
func flippedBits(ctx context.Context, w *suite.World) (string, error) {
	const offsets, first = 200, 4096
	edge, err := w.Speaker()
	if err != nil {
		return "", err
	}
	p, err := impair.New(impair.Config{Target: edge.Addr, Seed: 1})
	if err != nil {
		return "", err
	}
	life, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { p.Run(life) })
	defer wg.Wait()
	defer stop()
	through := edge
	through.Addr = p.Addr()
	refused, beyond := 0, 0
	for i := range 2 * offsets {
		trap := impair.Trap{Direction: impair.Direction(i % 2), At: uint64(i / 2 * first / offsets), Action: impair.Flip}
		p.Traps(func(int) []impair.Trap { return []impair.Trap{trap} })
		attempt, cancel := context.WithTimeout(ctx, 5*time.Second)
		passed, err := shake(attempt, through, p, trap.Direction)
		cancel()
		switch {
		case err != nil:
			refused++
		case passed <= trap.At:
			beyond++ // the handshake was over before it sprang
		default:
			return "", fmt.Errorf("byte %d of direction %d flipped, and accepted", trap.At, trap.Direction)
		}
	}
	return fmt.Sprintf("0 of %d accepted; %d were over before their byte", refused+beyond, beyond), nil
}

// shake does a handshake with the hello after it, and says how many bytes of a
// direction it took.
func shake(ctx context.Context, e speak.Edge, p *impair.Proxy, d impair.Direction) (uint64, error) {
	id, err := speak.NewIdentity()
	if err != nil {
		return 0, err
	}
	l, err := speak.OpenLink(ctx, e, id)
	if err != nil {
		return 0, err
	}
	defer l.Conn.Close()
	l.Conn.(*tls.Conn).SetDeadline(time.Now().Add(5 * time.Second))
	m, err := l.Hello(id, "host", nil)
	if err != nil || m.Kind != speak.KindWelcome {
		return 0, errors.Join(err, errors.New("not welcome"))
	}
	conns := p.Conns()
	if len(conns) == 0 {
		return 0, errors.New("no connection")
	}
	up, down := conns[0].Passed()
	if d == impair.Up {
		return up, nil
	}
	return down, nil
}
