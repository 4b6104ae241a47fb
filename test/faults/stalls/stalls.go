//go:build linux

// Package stalls has connections stall before their hello, and frames half way on links,
// trunks and lanes (H3 and H7 of the project's goals), and calls beside them.
package stalls

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/test/bench/load"
	"github.com/sallyport/sallyport/test/faults/hostilepeer"
	"github.com/sallyport/sallyport/test/faults/suite"
	"github.com/sallyport/sallyport/test/harness"
)

const (
	// cullWithin is how long a stalled frame may stand, callWithin what others' calls
	// may take meanwhile (H7).
	cullWithin, callWithin = 15 * time.Second, time.Second
)

// ErrSlow: all are culled and nobody is held, but not in time.
var ErrSlow = errors.New("others' calls within 1 s, culled in 15 s")

// Frames stalls a frame half way on links, trunks and lanes, towards each
// program, and calls beside them.
func Frames(ctx context.Context, w *suite.World) (string, error) {
	var all []hostilepeer.Behaviour
	for _, b := range hostilepeer.Behaviours() {
		if strings.Contains(b.Name, "that stalls half way") {
			b.Within = cullWithin
			all = append(all, b)
		}
	}
	lanes := []func(context.Context, *hostilepeer.Stage) (time.Duration, error){stallLaneOfClient, stallLaneOfHost}
	n := len(all) + len(lanes)
	stages, err := w.Stages(ctx, n)
	if err != nil {
		return "", err
	}
	beside := callBeside(ctx, w.Load(), true)
	after, errs := make([]time.Duration, n), make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			if i >= len(all) {
				after[i], errs[i] = lanes[i-len(all)](ctx, stages[i])
				return
			}
			r := stages[i].Play(ctx, all[i])
			after[i] = r.After
			if r.Err != nil {
				errs[i] = fmt.Errorf("%s, against the %s: %w", all[i].Name, all[i].Victim, r.Err)
			}
		})
	}
	wg.Wait()
	calls := beside()
	last := slices.Max(after)
	culled, live, err := stalledLinks(ctx, w)
	errs = append(errs, calls.err, err, live.err)
	got := fmt.Sprintf("%d by peers, the last culled after %.1f s; %d exchanges and %d new connections beside, the slowest %.0f ms; on the links of both daemons, towards them: culled after %.1f s, live streams at most %.0f ms",
		n, last.Seconds(), calls.exchanges, calls.opened, ms(calls.worst), culled.Seconds(), ms(live.worst))
	if err := errors.Join(errs...); err != nil {
		return got, err
	}
	if max(calls.worst, live.worst) > callWithin || culled > cullWithin {
		return got, ErrSlow
	}
	return got, nil
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// stalledLinks stalls both daemons' links towards them, and says when both have
// left those. Live streams go on meanwhile; new ones wait, since their word does.
func stalledLinks(ctx context.Context, w *suite.World) (culled time.Duration, live calls, err error) {
	beside := callBeside(ctx, w.Load(), false)
	began := time.Now()
	if n := w.StallLinks(); n < 2 {
		beside()
		return 0, live, fmt.Errorf("%d links were there to stall", n)
	}
	limit, cancel := context.WithTimeout(ctx, 2*cullWithin)
	defer cancel()
	for _, d := range []*harness.Daemon{w.Client(), w.Host()} {
		err = errors.Join(err, d.Await(limit, "a new link", func(s api.Status) bool {
			for _, e := range s.Edges {
				if e.Link.State == api.LinkOnline && e.Link.Since.After(began) {
					return true
				}
			}
			return false
		}))
	}
	culled = time.Since(began)
	live = beside()
	if _, rerr := w.Recovered(ctx, 10*time.Second); rerr != nil {
		err = errors.Join(err, rerr)
	}
	return culled, live, err
}

// calls are what honest connections did beside something.
type calls struct {
	exchanges, opened int
	worst             time.Duration
	err               error
}

// callBeside makes an exchange on a live connection, and with fresh opens a new one,
// 20 times a second, until it is asked for what came.
func callBeside(ctx context.Context, addr string, fresh bool) (over func() calls) {
	ctx, stop := context.WithCancel(ctx)
	var c calls
	conns, err := load.OpenEchoes(ctx, addr, 1, time.Hour)
	done := make(chan struct{})
	go func() { // ends with ctx
		defer close(done)
		defer load.CloseAll(conns)
		if c.err = err; err == nil {
			c.err = c.run(ctx, conns[0], addr, fresh)
		}
	}()
	return func() calls {
		stop()
		<-done
		return c
	}
}

func (c *calls) run(ctx context.Context, live net.Conn, addr string, fresh bool) error {
	for load.Wait(ctx, 50*time.Millisecond) == nil {
		began := time.Now()
		if err := echoed(live); err != nil {
			return fmt.Errorf("a call beside it, after %s: %w", time.Since(began).Round(time.Millisecond), err)
		}
		c.exchanges++
		c.worst = max(c.worst, time.Since(began))
		if !fresh {
			continue
		}
		began = time.Now()
		if _, err := load.Touch(context.WithoutCancel(ctx), addr, 1, 1, time.Minute); err != nil {
			return fmt.Errorf("a new connection beside it, after %s: %w", time.Since(began).Round(time.Millisecond), err)
		}
		c.opened++
		c.worst = max(c.worst, time.Since(began))
	}
	return nil
}

// echoed is one exchange of 64 bytes.
func echoed(c net.Conn) error {
	b := make([]byte, 64)
	if _, err := c.Write(b); err != nil {
		return err
	}
	_, err := io.ReadFull(c, b)
	return err
}
