//go:build linux

package figures

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/test/bench/load"
	"github.com/sallyport/sallyport/test/faults/fleet"
	"github.com/sallyport/sallyport/test/faults/impair"
	"github.com/sallyport/sallyport/test/faults/ledger"
	"github.com/sallyport/sallyport/test/faults/suite"
	"github.com/sallyport/sallyport/test/faults/wan"
)

// manyStreams plays streams in turns of 200 through a proxy that cuts them in
// pieces and delays them.
func manyStreams(ctx context.Context, w *suite.World) (string, error) {
	const turns, atOnce = 20, 200
	w.Proxy().Set(impair.Shape{Pieces: 1400, Jitter: 2 * time.Millisecond})
	defer w.Proxy().Heal()
	var streams, survived int
	var bytes uint64
	for turn := range turns {
		size := []uint64{0, 1, 100, 8 << 10, 64 << 10, 256 << 10}[turn%6]
		plans := w.Plans(atOnce, size, 0)
		for i := range plans {
			switch i % 10 {
			case 4:
				plans[i].Kind, plans[i].Up = ledger.Reset, 1+size/2
			case 9:
				plans[i].Kind, plans[i].Down = ledger.OriginReset, 1+size/2
			}
		}
		t := w.Streams(ctx, plans, time.Minute)
		streams, survived, bytes = streams+t.Streams, survived+t.Survived, bytes+t.Bytes
		if err := t.Broken(); err != nil {
			return "", err
		}
		if t.Survived != atOnce {
			return "", fmt.Errorf("%d of %d streams whole: %v", t.Survived, atOnce, t.Examples)
		}
	}
	return fmt.Sprintf("%d of %d whole, %d MiB, 0 bytes wrong", survived, streams, bytes>>20), nil
}

// stalledReaders compares a ping-pong beside a bulk stream with the same beside
// streams whose readers rest, three times in turns.
func stalledReaders(ctx context.Context, w *suite.World) (string, error) {
	const d, turns = 3 * time.Second, 3
	measure := func() (p99, rate float64, err error) {
		f, err := load.Beside(ctx, w.Load(), 1, d)
		return f["p99"], f["rate"], err
	}
	var quietP, quietR, p, r []float64
	for range turns {
		a, b, err := measure()
		if err != nil {
			return "", err
		}
		stalled, err := load.Stalled(ctx, w.Load(), 2)
		if err != nil {
			load.CloseAll(stalled)
			return "", err
		}
		sip := make(chan struct{})
		go func() { defer close(sip); sipping(ctx, stalled[1]) }() // ends with the connection
		x, y, err := measure()
		for _, c := range stalled {
			c.SetLinger(0)
		}
		load.CloseAll(stalled)
		<-sip
		if err != nil {
			return "", err
		}
		quietP, quietR, p, r = append(quietP, a), append(quietR, b), append(p, x), append(r, y)
	}
	late, rate := median(p)/median(quietP), median(r)/median(quietR)
	got := fmt.Sprintf("p99 %.1f ms, %.2f of quiet; throughput %.2f of quiet", median(p)/1000, late, rate)
	if late > 1.2 || rate < 0.9 {
		return got, &ShortError{"p99 below 1.2, throughput above 0.9"}
	}
	return got, nil
}

// sipping reads 1 KiB a second.
func sipping(ctx context.Context, c net.Conn) {
	buf := make([]byte, 1024)
	for load.Wait(ctx, time.Second) == nil {
		if _, err := c.Read(buf); err != nil {
			return
		}
	}
}

// badNetwork signs somebody in and keeps ten streams on a network that loses,
// delays, mixes up and is slow.
func badNetwork(ctx context.Context, w *suite.World) (string, error) {
	const lasts = 60 * time.Second
	link, err := online(ctx, w)
	if err != nil {
		return "", err
	}
	w.Network().Set(wan.Both(wan.Path{Delay: 150 * time.Millisecond, Loss: 0.05, Reorder: 0.02, LateBy: 60 * time.Millisecond, Rate: 64_000, Queue: 32 << 10}))
	defer w.Network().Set([2]wan.Path{})
	began := time.Now()
	if _, err := w.SecondClient(ctx); err != nil {
		return "", fmt.Errorf("login after %s: %w", time.Since(began).Round(time.Second), err)
	}
	login := time.Since(began)
	t := w.Streams(ctx, w.Plans(10, 4<<10, lasts), lasts+2*time.Minute)
	after, err := online(ctx, w)
	got := fmt.Sprintf("login %.1f s; %d of %d streams whole; link since %s", login.Seconds(), t.Survived, t.Streams, time.Since(after).Round(time.Second))
	if t.Survived != 10 {
		err = errors.Join(err, fmt.Errorf("%v", t.Examples))
	}
	if !after.Equal(link) {
		err = errors.Join(err, errors.New("the link was lost meanwhile"))
	}
	return got, errors.Join(err, t.Broken())
}

// online says since when the client's link is.
func online(ctx context.Context, w *suite.World) (since time.Time, err error) {
	err = w.Client().Await(ctx, "the link to be online", func(s api.Status) bool {
		for _, e := range s.Edges {
			if e.Link.State == api.LinkOnline {
				since = e.Link.Since
				return true
			}
		}
		return false
	})
	return since, err
}

// fleetBack restarts the edge under 1,000 links, and pings through it as soon as
// that works.
func fleetBack(ctx context.Context, w *suite.World) (string, error) {
	const n = 1000
	program, err := fleet.Program(w.Programs)
	if err != nil {
		return "left out: " + err.Error(), nil
	}
	f, err := fleet.Start(ctx, program, w.Edge(), n)
	if err != nil {
		return "", err
	}
	defer f.Close()
	quiet, err := load.PingPong(ctx, w.Load(), 8, 3*time.Second)
	if err != nil {
		return "", err
	}
	var took []time.Duration
	var back sync.WaitGroup
	back.Go(func() { took, err = f.Restart(ctx, w.Edge()) })
	var during []float64
	var last error
	over := make(chan struct{})
	go func() { back.Wait(); close(over) }() // ends with the restart
	for running := true; running; {
		select {
		case <-over:
			running = false
		default:
		}
		var p map[string]float64
		if p, last = load.PingPong(ctx, w.Load(), 8, 500*time.Millisecond); last == nil {
			during = append(during, p["p99"])
		} else if load.Wait(ctx, 50*time.Millisecond) != nil {
			break
		}
	}
	if err = errors.Join(err, last); err != nil { // of live traffic once all are back
		return "", err
	}
	all, ratio := took[len(took)-1], median(during)/quiet["p99"]
	got := fmt.Sprintf("all %d back in %.1f s (p99 %.1f s); live p99 %.2f of quiet", n, all.Seconds(), took[n*99/100].Seconds(), ratio)
	if all > 30*time.Second || ratio > 2 {
		return got, &ShortError{"30 s, and below 2"}
	}
	return got, nil
}
