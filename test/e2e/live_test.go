//go:build linux

package e2e

import (
	"errors"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/test/harness"
)

// atOnce is how long the word of an end may take on a machine that runs many
// stories: a tenth of a second as a rule, and less than the 10 s after which a
// carrier that is merely lost is given up.
const atOnce = 8 * time.Second

// live is a connection through a forward, watched for how it ends.
type live struct {
	*story
	net.Conn
	addr   string
	events *harness.Events
	end    chan error // of the reading, once
	within time.Duration
	others int // connections of the same forward that go on
}

// openLive opens a connection that stays, shows that it works, and watches it
// and the daemon's events.
func (s *story) openLive(addr string) *live {
	s.Helper()
	l := &live{story: s, addr: addr, Conn: s.openEcho(addr), end: make(chan error, 1), within: atOnce}
	var err error
	l.events, err = s.client.Events(nil)
	s.must(err)
	s.must(l.events.Await(s.ctx, 20*time.Second, "the connection in events", func(st api.Status) bool {
		f := forwardOf(st, addr)
		return f != nil && f.Connections > 0 && f.LastError == nil
	}))
	go func() { // ends with the connection
		_, err := l.Read(make([]byte, 1))
		l.end <- err
	}()
	return l
}

// reset wants the application's connection to end in a reset, at once: neither
// in an orderly end nor in nothing.
func (l *live) reset() {
	l.Helper()
	timer := time.NewTimer(l.within)
	defer timer.Stop()
	select {
	case err := <-l.end:
		if !errors.Is(err, syscall.ECONNRESET) {
			l.Errorf("the application saw %v, want a reset", err)
		}
	case <-timer.C:
		l.Errorf("a live connection was not cut in %s", l.within)
	}
}

// cutFor wants the reset, and its reason in the next events and in status.
func (l *live) cutFor(code api.Code, words ...string) {
	l.Helper()
	l.reset()
	told := func(st api.Status) bool {
		f := forwardOf(st, l.addr)
		return f != nil && f.LastError != nil && f.LastError.Code == code && f.Connections == l.others
	}
	l.must(l.events.Await(l.ctx, atOnce, "the reason in events", told))
	st, err := l.client.Status(l.ctx)
	l.must(err)
	if !told(st) {
		l.Fatalf("status says %+v of the forward, want %s", forwardOf(st, l.addr), code)
	}
	text := strings.ToLower(l.ok(l.client.Ctl(l.ctx, "status")).Stdout)
	for _, w := range words {
		if !strings.Contains(text, "last connection: ") || !strings.Contains(text, w) {
			l.Errorf("%q is not in status: %s", w, text)
		}
	}
}

// goesOn wants a connection to be as it was.
func (s *story) goesOn(c net.Conn) {
	s.Helper()
	s.must(c.SetDeadline(time.Now().Add(30 * time.Second)))
	s.must(say(c, "and I go on\n"))
}
