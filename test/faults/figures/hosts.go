//go:build linux

package figures

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sallyport/sallyport/test/faults/hostilepeer"
	"github.com/sallyport/sallyport/test/faults/hostilepeer/replica"
	"github.com/sallyport/sallyport/test/faults/suite"
)

const (
	// hostBorne is how long a client may wait for its error, or for an answer of
	// another host: 10 s (H6) and a second, since daemons look once a second.
	hostBorne = 11*time.Second + 200*time.Millisecond
	// hostStages are played beside each other, as most of them wait.
	hostStages = 6
	// hostTries is how often a client connects before an honest replica answers: the
	// first may fail with the hostile one once more.
	hostTries = 2
)

// wentOn is what came of the connections after a hostile host's.
type wentOn struct {
	mu     sync.Mutex
	worst  time.Duration
	second int // that needed a second try
}

// hostileHosts plays each behaviour of a host against the client, then has the
// client connect again beside an honest replica of that host.
func hostileHosts(ctx context.Context, w *suite.World) (string, error) {
	stages, err := w.Stages(ctx, hostStages)
	if err != nil {
		return "", err
	}
	var all []hostilepeer.Behaviour
	for _, b := range hostilepeer.Behaviours() {
		if b.Actor == "host" && b.Victim == hostilepeer.TheClient {
			b.Within = min(b.Within, hostBorne)
			all = append(all, b)
		}
	}
	var after wentOn
	results := make([]hostilepeer.Result, len(all))
	next := make(chan int, len(all))
	for i := range all {
		next <- i
	}
	close(next)
	var wg sync.WaitGroup
	for _, s := range stages {
		s.Meanwhile = func(ctx context.Context) error { return after.again(ctx, s) }
		wg.Go(func() {
			for i := range next {
				results[i] = s.Play(ctx, all[i])
			}
		})
	}
	wg.Wait()
	var errs []error
	ended, lasted := 0, time.Duration(0)
	for _, r := range results {
		if r.Err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", r.Behaviour.Name, r.Err))
		}
		if r.Outcome == hostilepeer.Cut {
			ended, lasted = ended+1, max(lasted, r.After)
		}
	}
	got := fmt.Sprintf("%d behaviours, %d ended with an error at the client, the last after %.1f s; 0 wrong identities; then an honest replica answered within %.1f s, %d times at the second try",
		len(all), ended, lasted.Seconds(), after.worst.Seconds(), after.second)
	if len(all) < 25 {
		errs = append(errs, errors.New("fewer than 25 behaviours"))
	}
	if err := errors.Join(errs...); err != nil {
		return got, err
	}
	if max(lasted, after.worst) > hostBorne {
		return got, &ShortError{"an error or an answer in 10 s"}
	}
	return got, nil
}

// again connects beside an honest replica until that answers.
func (o *wentOn) again(ctx context.Context, s *hostilepeer.Stage) error {
	r, err := replica.Start(ctx, s)
	if err != nil {
		return fmt.Errorf("an honest replica: %w", err)
	}
	defer r.Close()
	var last error
	for try := range hostTries {
		began := time.Now()
		ok, err := r.Greeted(ctx, hostBorne)
		o.mu.Lock()
		o.worst = max(o.worst, time.Since(began))
		if ok && try > 0 {
			o.second++
		}
		o.mu.Unlock()
		if ok || errors.Is(err, replica.ErrWrongHost) {
			return err
		}
		last = err
	}
	return errors.Join(fmt.Errorf("%d connections, and the honest replica was not used", hostTries), last)
}
