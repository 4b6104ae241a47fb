//go:build linux

package figures

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/sallyport/sallyport/test/bench/load"
	"github.com/sallyport/sallyport/test/faults/hostilepeer"
	"github.com/sallyport/sallyport/test/faults/suite"
)

const (
	deafApp = "deaf.site.com"
	// windowStreams have their windows filled, keptStreams have everything kept that
	// is sent and never acknowledged.
	windowStreams, keptStreams = 1500, 24
	// maxBuffers is what a session's buffers may take (H2); maxProcess what a process may grow by
	// in all. What is measured is resident memory: a stream costs something without any
	// buffer, and the collector lets as much garbage stand beside what lives.
	maxBuffers, maxProcess = 64 << 20, 512 << 20
	perStream              = 40 << 10
)

// windows sends beyond windows, then fills as many as it gets, against both daemons.
func windows(ctx context.Context, w *suite.World) (string, error) {
	stages, err := w.Stages(ctx, 1)
	if err != nil {
		return "", err
	}
	stage := stages[0]
	deaf, err := listenDeaf(ctx)
	if err != nil {
		return "", err
	}
	defer deaf.close()
	if err := w.Serve(ctx, deafApp, deaf.Addr().String()); err != nil {
		return "", err
	}
	n, cut, err := beyondWindows(ctx, stage)
	if err != nil {
		return "", err
	}
	var got []string
	var errs []error
	var most int64
	for _, x := range []struct {
		victim hostilepeer.Program
		fill   func(context.Context, *suite.World, *hostilepeer.Stage) (held func(), sent int64, err error)
	}{{hostilepeer.TheHost, fillHost}, {hostilepeer.TheClient, fillClient}} {
		grown := w.Growth(x.victim)
		held, sent, err := x.fill(ctx, w, stage)
		if err != nil {
			return "", fmt.Errorf("fill the %s: %w", x.victim, err)
		}
		_, err = load.PingPong(ctx, w.Load(), 4, 2*time.Second)
		memory, _ := grown()
		held()
		if err != nil {
			errs = append(errs, fmt.Errorf("others beside it, at the %s: %w", x.victim, err))
		}
		most = max(most, memory)
		if memory > maxProcess {
			errs = append(errs, fmt.Errorf("the %s grew by more than %d MiB", x.victim, maxProcess>>20))
		}
		got = append(got, fmt.Sprintf("%s +%d MiB for %d MiB", x.victim, memory>>20, sent>>20))
	}
	_, err = w.Recovered(ctx, 10*time.Second)
	text := fmt.Sprintf("%d ways beyond, cut after %d ms at most; %d windows filled and %d streams never acknowledged: %s; others went on", n, cut.Milliseconds(), windowStreams, keptStreams, strings.Join(got, ", "))
	if err := errors.Join(append(errs, err)...); err != nil {
		return text, err
	}
	const bound = (maxBuffers + windowStreams*perStream) * 2
	if cut > time.Second || most > bound {
		return text, &ShortError{fmt.Sprintf("cut in 1 s, and %d MiB at most: %d of buffers, %d streams, and as much garbage", bound>>20, maxBuffers>>20, windowStreams)}
	}
	return text, nil
}

// beyondWindows plays the behaviours that send more than was allowed.
func beyondWindows(ctx context.Context, s *hostilepeer.Stage) (n int, worst time.Duration, err error) {
	for _, b := range hostilepeer.Behaviours() {
		if !strings.HasPrefix(b.Name, "data beyond") {
			continue
		}
		r := s.Play(ctx, b)
		if r.Err != nil {
			return n, worst, fmt.Errorf("%s, against the %s: %w", b.Name, b.Victim, r.Err)
		}
		n, worst = n+1, max(worst, r.After)
	}
	return n, worst, nil
}

// deafListener takes connections and reads nothing from them.
type deafListener struct {
	*net.TCPListener
	wg sync.WaitGroup
}

// smallBuffers has the kernel take little of what nobody reads.
var smallBuffers = func(_, _ string, c syscall.RawConn) (err error) {
	cerr := c.Control(func(fd uintptr) {
		err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4<<10)
	})
	return errors.Join(cerr, err)
}

func listenDeaf(ctx context.Context) (*deafListener, error) {
	l, err := (&net.ListenConfig{Control: smallBuffers}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	d := &deafListener{TCPListener: l.(*net.TCPListener)}
	d.wg.Go(func() {
		var conns []net.Conn
		for {
			c, err := l.Accept()
			if err != nil {
				load.CloseAll(conns)
				return
			}
			conns = append(conns, c)
		}
	})
	return d, nil
}

func (d *deafListener) close() {
	d.Close()
	d.wg.Wait()
}
