//go:build linux

package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/test/harness"
)

// freedWithin is how long a story waits until all that a stream used is free
// again. The promise is a second; the rest is for machines that run many
// stories at once.
const freedWithin = atOnce

// TestVanishedReader: an application that goes away in the middle of a transfer
// frees everything along the whole path: the origin's connection, and what host,
// edge and client held for it.
func TestVanishedReader(t *testing.T) {
	t.Parallel()
	ended := make(chan error, 8)
	s := begin(t, harness.EdgeOptions{})
	s.publish(serve(t, func(c *net.TCPConn) {
		_, err := io.Copy(c, stream(1))
		ended <- err
	}))
	s.startClient()
	addr := s.forward(app)
	s.signIn(alice, harness.Loopback)
	vanish := func() {
		c, err := connect(s.ctx, addr, time.Minute)
		s.must(err)
		if _, err := sum(c, 4<<20); err != nil {
			t.Fatal(err)
		}
		if n := s.streams(); n != 1 {
			t.Errorf("%d live streams in the middle of the transfer, want 1", n)
		}
		s.must(c.SetLinger(0))
		s.must(c.Close())
		s.within(freedWithin, func(ctx context.Context) {
			select {
			case err := <-ended:
				if err == nil {
					t.Error("the origin saw an orderly end")
				}
			case <-ctx.Done():
				t.Error("the origin still sends to somebody who has gone")
			}
		})
	}
	vanish() // the first makes the trunk, which stays
	before := s.idle()
	for range 3 {
		vanish()
		s.freed(before)
	}
}

// TestEdgeKilledUnderLoad: kill -9 of the edge. Broken streams of an app that
// does not resume end in a reset, never in an orderly end; links come back
// without a login; nothing leaks.
func TestEdgeKilledUnderLoad(t *testing.T) {
	t.Parallel()
	s := standard(t)
	s.ok(s.edge.Run(s.ctx, "app", "edit", app, "--resume-window", "0"))
	addr := s.forward(app)
	s.signIn(alice, harness.Loopback)
	s.must(echoOnce(s.ctx, addr))
	st, err := s.client.Status(s.ctx)
	s.must(err)
	session := st.Sessions[0]
	before := s.idle()

	const n = 50
	var started sync.WaitGroup
	started.Add(n)
	done := make(chan error, 1)
	go func() {
		done <- together(n, func(i int) error { return untilReset(s.ctx, addr, &started) })
	}()
	started.Wait()
	s.edge.Process().Kill()
	s.must(<-done)
	s.must(s.edge.Start(s.ctx))
	s.linksBack(session)
	s.must(echoEventually(s.ctx, addr)) // and so a trunk, as before
	s.freed(before)
}

// linksBack wants a restarted edge to have its client and its host again, on
// the session that there was.
func (s *story) linksBack(session api.Session) {
	s.Helper()
	var st struct {
		Clients int `json:"client_links"`
		Hosts   int `json:"host_links"`
	}
	s.must(harness.Poll(s.ctx, "a link of the client and one of the host", func() (bool, error) {
		err := s.edge.JSON(s.ctx, &st, "status")
		return st.Clients == 1 && st.Hosts == 1, errors.Join(err, fmt.Errorf("%+v", st))
	}))
	s.must(s.host.AwaitTunnel(s.ctx, app, api.TunnelPublished))
	s.must(s.client.Await(s.ctx, "the session as it was", func(st api.Status) bool {
		return len(st.Logins) <= 1 && len(st.Sessions) == 1 && st.Sessions[0].State == api.SessionActive &&
			st.Sessions[0].ID == session.ID && st.Sessions[0].StartedAt.Equal(session.StartedAt)
	}))
}

// untilReset sends and reads back until the connection breaks, which it must by
// a reset: an orderly end, a time-out and anything else is an error.
func untilReset(ctx context.Context, addr string, started *sync.WaitGroup) error {
	var once sync.Once
	defer once.Do(started.Done)
	c, err := connect(ctx, addr, 60*time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	block, back := make([]byte, 32<<10), make([]byte, 32<<10)
	for {
		_, err := c.Write(block)
		if err == nil {
			_, err = io.ReadFull(c, back)
		}
		// Writing to a connection that has ended in an orderly way is EPIPE.
		if errors.Is(err, syscall.ECONNRESET) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("a broken stream did not end in a reset: %w", err)
		}
		once.Do(started.Done)
	}
}

// weight is what the programs of a story hold.
type weight struct {
	streams    int            // live at the edge
	goroutines int            // of the edge
	files      map[string]int // open descriptors of each program, without pipes
}

// heavier says what w has more of than before, nil if nothing.
func (w weight) heavier(before weight) error {
	var errs []error
	if w.streams > before.streams {
		errs = append(errs, fmt.Errorf("stream list has %d, before %d", w.streams, before.streams))
	}
	if w.goroutines > before.goroutines {
		errs = append(errs, fmt.Errorf("the edge has %d goroutines, before %d", w.goroutines, before.goroutines))
	}
	for name, n := range w.files {
		if n > before.files[name] {
			errs = append(errs, fmt.Errorf("the %s has %d open descriptors, before %d", name, n, before.files[name]))
		}
	}
	return errors.Join(errs...)
}

// weigh counts. The commands that it types are over when they return, but the
// programs may notice a moment later.
func (s *story) weigh() weight {
	s.Helper()
	w := weight{streams: s.streams(), files: map[string]int{}}
	for name, p := range map[string]*harness.Process{"edge": s.edge.Process(), "host": s.host.Process(), "client": s.client.Process()} {
		n, err := descriptors(p.PID())
		s.must(err)
		w.files[name] = n
	}
	w.goroutines = s.goroutines()
	return w
}

// descriptors counts the open ones of a process. Pipes are left out: the edge
// keeps a pool of them for splicing.
func descriptors(pid int) (int, error) {
	dir := procFile(pid, "fd")
	entries, err := os.ReadDir(dir)
	n := 0
	for _, e := range entries {
		if to, err := os.Readlink(filepath.Join(dir, e.Name())); err == nil && !strings.HasPrefix(to, "pipe:") {
			n++
		}
	}
	return n, err
}

// idle is the weight of programs that have nothing to do: the least of what is
// counted until that stays as it is.
func (s *story) idle() weight {
	s.Helper()
	var w weight
	same := 0
	s.must(harness.Poll(s.ctx, "the programs to come to rest", func() (bool, error) {
		now := s.weigh()
		if same++; w.files == nil || now.heavier(w) != nil || w.heavier(now) != nil {
			w, same = now, 0
		}
		return same == 3 && now.streams == 0, nil
	}))
	return w
}

// freed wants everything back to what it was, soon.
func (s *story) freed(before weight) {
	s.Helper()
	began := time.Now()
	s.within(freedWithin, func(ctx context.Context) {
		s.must(harness.Poll(ctx, "all to be free", func() (bool, error) {
			err := s.weigh().heavier(before)
			return err == nil, err
		}))
	})
	s.Logf("free after %s", time.Since(began).Round(time.Millisecond))
}

// streams counts `stream list` of the edge.
func (s *story) streams() int {
	s.Helper()
	var list []struct{}
	s.must(s.edge.JSON(s.ctx, &list, "stream", "list"))
	return len(list)
}

var goroutineTotal = regexp.MustCompile(`^goroutine profile: total (\d+)`)

// goroutines counts those of the edge; the daemons have no place to ask.
func (s *story) goroutines() int {
	s.Helper()
	web := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := web.Get("http://" + s.edge.Metrics + "/debug/pprof/goroutine?debug=1")
	s.must(err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	s.must(err)
	m := goroutineTotal.FindStringSubmatch(string(body))
	if m == nil {
		s.Fatalf("no goroutine profile: %.200s", strings.TrimSpace(string(body)))
	}
	n, err := strconv.Atoi(m[1])
	s.must(err)
	return n
}
