//go:build linux

package load

import (
	"context"
	"net"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/test/bench/table"
)

const (
	// slowUploads fill the slow uplink at once.
	slowUploads = 80
	// slowEvery is how often a new connection is tried meanwhile.
	slowEvery = 2 * time.Second
)

// SlowUplink keeps 80 uploads going, counts those that die, and measures how
// long new connections take from connecting to the first byte of the answer.
func SlowUplink(ctx context.Context, addr string, d time.Duration) (table.Figures, error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var died, sent atomic.Int64
	var took []time.Duration
	failed := 0
	err := all(slowUploads+1, func(i int) error {
		if i < slowUploads {
			n, err := endless(ctx, addr)
			sent.Add(n)
			if ctx.Err() == nil && err != nil {
				died.Add(1)
			}
			return nil
		}
		for Wait(ctx, slowEvery) == nil {
			began := time.Now()
			if err := touchOnce(ctx, addr); err != nil && ctx.Err() == nil {
				failed++
			}
			// One that the end overtook counts with what it has waited.
			if t := time.Since(began); ctx.Err() == nil || t > slowEvery {
				took = append(took, t)
			}
		}
		return nil
	})
	return table.Figures{
		"died": float64(died.Load()), "answer50": Quantile(took, 0.5) / 1e6, "answer": Quantile(took, 1) / 1e6,
		"count": float64(len(took)), "failed": float64(failed), "sent": float64(sent.Load()) / 1e6,
	}, err
}

// endless uploads until ctx ends or the connection does.
func endless(ctx context.Context, addr string) (sent int64, err error) {
	c, err := open(ctx, addr, time.Hour, modeSink)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	c.SetLinger(0)
	defer context.AfterFunc(ctx, func() { c.SetDeadline(time.Now()) })()
	over := make(chan error, 1)
	go func() { // ends with the connection
		_, err := c.Read(make([]byte, 1))
		over <- err
	}()
	buf := make([]byte, 16<<10)
	for {
		n, err := c.Write(buf)
		sent += int64(n)
		if err != nil {
			return sent, err
		}
		select {
		case err := <-over:
			if err == nil {
				err = net.ErrClosed // answered before its end
			}
			return sent, err
		default:
		}
	}
}
