//go:build linux

package figures

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sallyport/sallyport/test/bench/load"
	"github.com/sallyport/sallyport/test/faults/hostilepeer"
	"github.com/sallyport/sallyport/test/faults/hostilepeer/speak"
	"github.com/sallyport/sallyport/test/faults/suite"
)

// Of streams that are reset before their Verdict: so many a second of a session
// reach policy after so many at first, and some that were under way (H5).
const (
	resetRate, resetBurst, resetFlight = 100, 200, 300
	// resetEvery paces 40 of them: 4,000 a second, which breaks no other limit.
	resetAtOnce, resetEvery = 40, 10 * time.Millisecond
	// againAfter is how soon it comes again where it was refused.
	againAfter = 250 * time.Millisecond
)

// earlyResets has a hostile client open and reset, and measures others beside it.
func earlyResets(ctx context.Context, w *suite.World) (string, error) {
	const lasts = 8 * time.Second
	stage, err := w.Stage(ctx)
	if err != nil {
		return "", err
	}
	quiet, quietNew, _, err := others(ctx, w, lasts/2)
	if err != nil {
		return "", err
	}
	before, err := w.Decisions(ctx)
	if err != nil {
		return "", err
	}
	attack, stop := context.WithCancel(ctx)
	defer stop()
	var sent int
	var lost error
	done := make(chan struct{})
	began := time.Now()
	go func() { // ends with attack
		defer close(done)
		sent, lost = openAndReset(attack, stage)
	}()
	busy, busyNew, opened, err := others(ctx, w, lasts)
	stop()
	<-done
	lasted := time.Since(began)
	after, aerr := w.Decisions(ctx)
	if err := errors.Join(err, lost, aerr); err != nil {
		return "", fmt.Errorf("%d opened and reset: %w", sent, err)
	}
	reached := after - before - opened
	most := resetRate*lasted.Seconds() + resetBurst + resetFlight
	got := fmt.Sprintf("%.0f a second opened and reset, %.0f of %d reached policy, at most %.0f may; others: p99 of exchanges %.2f, of new connections %.2f of quiet, %.0f new ones a second (quiet %.0f)",
		float64(sent)/lasted.Seconds(), reached, sent, most, busy["p99"]/quiet["p99"], busyNew["p99"]/quietNew["p99"], busyNew["rate"], quietNew["rate"])
	switch {
	case sent < 1000*int(lasted.Seconds()):
		return got, errors.New("too few were sent to say anything")
	case reached > most:
		return got, fmt.Errorf("more than %d a second reached policy", resetRate)
	case max(busy["p99"]/quiet["p99"], busyNew["p99"]/quietNew["p99"]) > 1.5:
		return got, &ShortError{"p99 below 1.5 of quiet"}
	}
	return got, nil
}

// others are exchanges and new connections of an honest session, one after the
// other; opened is how many streams that were.
func others(ctx context.Context, w *suite.World, d time.Duration) (exchanges, news map[string]float64, opened float64, err error) {
	const conns = 4
	exchanges, err = load.PingPong(ctx, w.Load(), conns, d/2)
	if err != nil {
		return nil, nil, 0, fmt.Errorf("exchanges of others: %w", err)
	}
	news, err = load.Touch(ctx, w.Load(), 2, 4000, d/2)
	if err != nil {
		return nil, nil, 0, fmt.Errorf("new connections of others: %w", err)
	}
	return exchanges, news, conns + news["count"], nil
}

// openAndReset opens streams and resets them in the same breath until ctx ends. Where
// its trunk is cut for it, it comes again, as often as it may.
func openAndReset(ctx context.Context, s *hostilepeer.Stage) (sent int, err error) {
	tick := time.NewTicker(resetEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		l, t, err := s.Meet(ctx, s.App)
		switch {
		case err != nil && sent == 0:
			return 0, fmt.Errorf("meet the host: %w", err)
		case err != nil: // it is refused tickets, for a while
			load.Wait(ctx, againAfter)
			continue
		}
		go l.AwaitKind(0, time.Hour)      // takes what comes; ends with the link
		go t.Await(0xff, time.Hour)       // likewise
		sent += resetsOn(ctx, tick, l, t) // until ctx or the trunk ends
		l.Close()
		t.Close()
	}
	return sent, nil
}

func resetsOn(ctx context.Context, tick *time.Ticker, l *speak.Link, t *speak.Trunk) (sent int) {
	for number := uint32(1); ctx.Err() == nil; {
		var frames []byte
		for range resetAtOnce {
			id := speak.StreamID()
			l.Request(t.ID, id)
			frames = append(frames, speak.Yopen(number)...)
			frames = append(frames, speak.Ydata(number, append(speak.Open(id), speak.Eframe(speak.ERst, speak.Words("reset", "", ""))...))...)
			frames = append(frames, speak.Yframe(speak.YWindow, speak.YFIN, number, 0, nil)...)
			number += 2
		}
		if speak.WriteAll(t, frames) != nil {
			return sent
		}
		sent += resetAtOnce
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	return sent
}
