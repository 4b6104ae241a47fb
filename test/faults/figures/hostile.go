//go:build linux

package figures

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/test/bench/load"
	"github.com/sallyport/sallyport/test/faults/hostilepeer/speak"
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
	hello, herr := speak.HonestHello(attack, edge)
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
