package link

import (
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/daemon/internal/link/linktest"
	"github.com/sallyport/sallyport/wire"
)

// echoThrough sends a word through a stream and wants it back.
func echoThrough(t *testing.T, s *wire.Stream) {
	t.Helper()
	if _, err := io.WriteString(s, "hello"); err != nil {
		t.Error(err)
		return
	}
	s.CloseWrite()
	if got, err := io.ReadAll(s); err != nil || string(got) != "hello" {
		t.Errorf("echo: %q, %v", got, err)
	}
	s.Close()
}

func TestOpen(t *testing.T) {
	t.Parallel()
	e := linktest.New(t)
	linktest.NewPeer(t, e, wire.RoleHost).Host(linktest.Echo)
	tl := start(t, e, nil)
	s, err := tl.Open(t.Context(), linktest.Hostname)
	if err != nil {
		t.Fatal(err)
	}
	if got := tl.Snapshot(); got.Trunks != 1 || got.Streams != 1 {
		t.Errorf("%d trunks, %d streams", got.Trunks, got.Streams)
	}
	echoThrough(t, s)
	ended := e.WaitEnded(1)[0]
	if ended.Stream != s.ID() || ended.BytesToOrigin != 5 || ended.BytesToClient != 5 || ended.Code != wire.CodeClosed {
		t.Errorf("reported %+v", ended)
	}
	tl.until("the end of the stream", func(s Snapshot) bool { return s.Streams == 0 })
}

// What goes ahead of the Verdict comes first, and once.
func TestEarlyPayload(t *testing.T) {
	t.Parallel()
	e := linktest.New(t)
	linktest.NewPeer(t, e, wire.RoleHost).Host(linktest.Echo)
	tl := start(t, e, nil)
	s, sent, err := tl.OpenWith(t.Context(), linktest.Hostname, []byte("early "))
	if err != nil || sent != len("early ") {
		t.Fatalf("sent %d, %v", sent, err)
	}
	io.WriteString(s, "late")
	s.CloseWrite()
	if got, err := io.ReadAll(s); err != nil || string(got) != "early late" {
		t.Errorf("echo: %q, %v", got, err)
	}
	s.Close()
}

func TestOneTicketForAHundred(t *testing.T) {
	t.Parallel()
	e := linktest.New(t)
	linktest.NewPeer(t, e, wire.RoleHost).Host(linktest.Echo)
	tl := start(t, e, nil)
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			s, err := tl.Open(t.Context(), linktest.Hostname)
			if err != nil {
				t.Error(err)
				return
			}
			echoThrough(t, s)
		})
	}
	wg.Wait()
	if n := e.Tickets(); n != 1 {
		t.Errorf("%d tickets", n)
	}
	e.WaitEnded(100)
}

func TestOpenIsRefused(t *testing.T) {
	t.Parallel()
	never := func(*wire.Trunk, *wire.Stream) {}
	refuse := func(r wire.Reason) func(*wire.Trunk, *wire.Stream) {
		return func(_ *wire.Trunk, s *wire.Stream) { s.Refuse(&r) }
	}
	tests := []struct {
		name  string
		edge  func(e *linktest.Edge)
		host  func(*wire.Trunk, *wire.Stream) // nil means that there is none
		code  api.Code
		words string
	}{
		{"denied", func(e *linktest.Edge) {
			e.Decide = func(string) *wire.Reason {
				return &wire.Reason{Code: wire.CodeDenied, Text: "default deny", Hint: "Ask dba@site.com"}
			}
		}, never, api.CodeDenied, "Ask dba@site.com"},
		{"no host", nil, nil, api.CodeNoConnector, "nobody publishes it"},
		{"origin refused", nil, refuse(wire.Reason{Code: wire.CodeOriginRefused, Text: "port closed"}), api.CodeOriginRefused, "port closed"},
		{"origin timeout", nil, refuse(wire.Reason{Code: wire.CodeOriginTimeout}), api.CodeOriginTimeout, ""},
		{"limit", nil, refuse(wire.Reason{Code: wire.CodeLimit}), api.CodeLimit, ""},
		{"no word", nil, never, api.CodeConnectorLost, "no answer"},
		{"ticket of another edge", func(e *linktest.Edge) {
			e.Handle = func(c *linktest.Conn, req uint32, m wire.Message) bool {
				if _, ok := m.(*wire.TicketRequest); ok {
					c.Reply(req, &wire.Ticket{EdgeID: "edge-of-mallory", Label: wire.NewLabel()})
					return true
				}
				return false
			}
		}, never, api.CodeEdgeProtocol, "edge-of-mallory"},
		{"ticket failed", func(e *linktest.Edge) {
			e.Handle = func(c *linktest.Conn, req uint32, m wire.Message) bool {
				if _, ok := m.(*wire.TicketRequest); ok {
					id := wire.NewTrunkID()
					c.Send(&wire.TicketFailed{Trunk: id, Reason: wire.Reason{Code: wire.CodeTicketFailed, Text: "the host cannot dial"}})
					c.Reply(req, &wire.Ticket{Trunk: id, EdgeID: linktest.EdgeID, Label: wire.NewLabel()})
					return true
				}
				return false
			}
		}, never, api.CodeConnectorLost, "the host cannot dial"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := linktest.New(t)
			if tt.edge != nil {
				tt.edge(e)
			}
			if tt.host != nil {
				linktest.NewPeer(t, e, wire.RoleHost).Host(tt.host)
			}
			tl := start(t, e, func(c *Config) { c.Timing.Verdict, c.Timing.Settle = 2*time.Second, time.Nanosecond })
			_, err := tl.Open(t.Context(), linktest.Hostname)
			var p *api.Problem
			if !errors.As(err, &p) || p.Code != tt.code || !strings.Contains(p.Detail+p.Hint, tt.words) {
				t.Errorf("%#v, want %s with %q", err, tt.code, tt.words)
			}
			if n := tl.Snapshot().Streams; n != 0 {
				t.Errorf("%d streams left", n)
			}
			if tt.name == "no word" {
				e.WaitEnded(1) // the edge hears that the stream will not be
			}
		})
	}
}

// Whichever word is first wins, and the loser does nothing.
func TestDeniedAndVerdictRace(t *testing.T) {
	t.Parallel()
	e := linktest.New(t)
	e.Handle = func(c *linktest.Conn, _ uint32, m wire.Message) bool {
		if m, ok := m.(*wire.OpenRequest); ok {
			c.Send(&wire.Denied{Trunk: m.Trunk, Stream: m.Stream, Reason: wire.Reason{Code: wire.CodeDenied}})
			return true
		}
		return false
	}
	linktest.NewPeer(t, e, wire.RoleHost).Host(func(_ *wire.Trunk, s *wire.Stream) {
		s.Admit()
		<-s.Done()
	})
	tl := start(t, e, nil)
	for range 50 {
		s, err := tl.Open(t.Context(), linktest.Hostname)
		switch {
		case err == nil:
			s.Reset(nil)
		case codeOf(err) != api.CodeDenied:
			t.Errorf("neither admitted nor denied: %v", err)
		}
	}
}

func TestCutOfAStream(t *testing.T) {
	t.Parallel()
	e := linktest.New(t)
	linktest.NewPeer(t, e, wire.RoleHost).Host(linktest.Echo)
	tl := start(t, e, nil)
	cut, err := tl.Open(t.Context(), linktest.Hostname)
	if err != nil {
		t.Fatal(err)
	}
	other, err := tl.Open(t.Context(), linktest.Hostname)
	if err != nil {
		t.Fatal(err)
	}
	e.WaitLink(wire.RoleClient).Send(&wire.Cut{Trunk: e.Trunks()[0], Stream: cut.ID(), Reason: wire.Reason{Code: wire.CodeRevoked, Text: "by root"}})
	_, err = cut.Read(make([]byte, 1))
	var r *wire.Reason
	if !errors.As(err, &r) || r.Code != wire.CodeRevoked || r.Text != "by root" {
		t.Errorf("the cut stream reads %v", err)
	}
	echoThrough(t, other)
}

// A cut also ends a stream that has no Verdict yet: there the edge's word is the
// only one that comes.
func TestCutOfAStreamThatIsOpened(t *testing.T) {
	t.Parallel()
	e := linktest.New(t)
	e.Handle = func(c *linktest.Conn, _ uint32, m wire.Message) bool {
		if m, ok := m.(*wire.OpenRequest); ok {
			c.Send(&wire.Cut{Trunk: m.Trunk, Stream: m.Stream, Reason: wire.Reason{Code: wire.CodeRevoked, Text: "by root"}})
			return true
		}
		return false
	}
	linktest.NewPeer(t, e, wire.RoleHost).Host(func(_ *wire.Trunk, s *wire.Stream) { <-s.Done() })
	tl := start(t, e, nil)
	if _, err := tl.Open(t.Context(), linktest.Hostname); codeOf(err) != api.CodeRevoked {
		t.Errorf("open of a stream that is cut meanwhile: %v", err)
	}
}

func TestEndOfTheSessionCutsItsTrunks(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"session ended", "trunk cut"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			e := linktest.New(t)
			linktest.NewPeer(t, e, wire.RoleHost).Host(linktest.Echo)
			tl := start(t, e, nil)
			s, err := tl.Open(t.Context(), linktest.Hostname)
			if err != nil {
				t.Fatal(err)
			}
			reason := wire.Reason{Code: wire.CodeRevoked, Text: "lost laptop"}
			link := e.WaitLink(wire.RoleClient)
			if how == "trunk cut" {
				link.Send(&wire.Cut{Trunk: e.Trunks()[0], Reason: reason})
			} else {
				link.Send(&wire.SessionEnded{Session: "s-other", Reason: wire.Reason{Code: wire.CodeExpired}})
				link.Send(&wire.SessionEnded{Session: "s1", Reason: reason})
			}
			<-s.Done()
			var r *wire.Reason
			if !errors.As(s.Err(), &r) || r.Code != wire.CodeRevoked || r.Text != "lost laptop" {
				t.Errorf("the stream ended with %v", s.Err())
			}
			if ended := e.WaitEnded(1)[0]; ended.Code != wire.CodeRevoked {
				t.Errorf("reported %+v", ended)
			}
			_, err = tl.Open(t.Context(), linktest.Hostname)
			if how == "trunk cut" {
				if err != nil {
					t.Errorf("a new trunk: %v", err)
				}
				return
			}
			if codeOf(err) != api.CodeRevoked || tl.HasSession() || tl.vault.Token() != "" {
				t.Errorf("open after the end: %v, stored %q", err, tl.vault.Token())
			}
		})
	}
}

// Streams that were admitted go on while the link is away, and the next hello
// names them.
func TestStreamsOutliveTheLink(t *testing.T) {
	t.Parallel()
	e := linktest.New(t)
	linktest.NewPeer(t, e, wire.RoleHost).Host(linktest.Echo)
	tl := start(t, e, func(c *Config) { c.Timing.RetryMax = time.Minute })
	if got := tl.retryMax(time.Second); got != retryWaiting {
		t.Errorf("just after a loss waits up to %v for the next try, want %v", got, retryWaiting)
	}
	if got := tl.retryMax(time.Hour); got != time.Minute {
		t.Errorf("without a stream waits up to %v for the next try", got)
	}
	s, err := tl.Open(t.Context(), linktest.Hostname)
	if err != nil {
		t.Fatal(err)
	}
	if got := tl.retryMax(time.Hour); got != retryWaiting {
		t.Errorf("with a stream waits up to %v for the next try, want %v", got, retryWaiting)
	}
	e.WaitLink(wire.RoleClient).Close()
	tl.until("the next welcome", func(s Snapshot) bool { return len(e.Hellos()) == 3 && s.Link.State == api.LinkOnline })
	hellos := e.Hellos()
	if refs := hellos[len(hellos)-1].Streams; len(refs) != 1 || refs[0].Stream != s.ID() || refs[0].Session != "s1" {
		t.Errorf("hello lists %+v", refs)
	}
	echoThrough(t, s)
}

// A trunk whose carrier broke, or whose host has gone, is replaced without the
// application noticing.
func TestStaleTrunkIsReplaced(t *testing.T) {
	t.Parallel()
	t.Run("carrier broken", func(t *testing.T) {
		t.Parallel()
		e := linktest.New(t)
		linktest.NewPeer(t, e, wire.RoleHost).Host(linktest.Echo)
		tl := start(t, e, nil)
		s, err := tl.Open(t.Context(), linktest.Hostname)
		if err != nil {
			t.Fatal(err)
		}
		e.CloseTrunks()
		if _, err := io.ReadAll(s); err == nil {
			t.Error("loss of the carrier reads as an end")
		}
		again, err := tl.Open(t.Context(), linktest.Hostname)
		if err != nil {
			t.Fatal(err)
		}
		echoThrough(t, again)
	})
	t.Run("no grants any more", func(t *testing.T) {
		t.Parallel()
		e := linktest.New(t)
		var served atomic.Int32
		linktest.NewPeer(t, e, wire.RoleHost).Host(func(trunk *wire.Trunk, s *wire.Stream) {
			if served.Add(1) == 1 {
				linktest.Echo(trunk, s)
			}
			<-s.Done() // no grant comes for another
		})
		tl := start(t, e, nil)
		old, err := tl.Open(t.Context(), linktest.Hostname)
		if err != nil {
			t.Fatal(err)
		}
		e.WaitLink(wire.RoleHost).Close()
		linktest.NewPeer(t, e, wire.RoleHost).Host(linktest.Echo)
		s, err := tl.Open(t.Context(), linktest.Hostname)
		if err != nil {
			t.Fatal(err)
		}
		echoThrough(t, s)
		if e.Tickets() != 2 {
			t.Errorf("%d tickets", e.Tickets())
		}
		echoThrough(t, old) // it goes on
	})
}

// After a restart of the edge its hosts come back when they do: a stream that is
// asked for meanwhile waits a little.
func TestHostOnItsWay(t *testing.T) {
	t.Parallel()
	e := linktest.New(t)
	asked := make(chan struct{}, 16)
	e.Handle = func(_ *linktest.Conn, _ uint32, m wire.Message) bool {
		if _, ok := m.(*wire.TicketRequest); ok {
			asked <- struct{}{}
		}
		return false
	}
	tl := start(t, e, func(c *Config) { c.Timing.Settle = time.Minute })
	opened := make(chan error, 1)
	go func() {
		s, err := tl.Open(t.Context(), linktest.Hostname)
		if err == nil {
			echoThrough(t, s)
		}
		opened <- err
	}()
	<-asked
	linktest.NewPeer(t, e, wire.RoleHost).Host(linktest.Echo)
	if err := <-opened; err != nil {
		t.Error(err)
	}
}

func TestIdleTrunkCloses(t *testing.T) {
	t.Parallel()
	e := linktest.New(t)
	linktest.NewPeer(t, e, wire.RoleHost).Host(linktest.Echo)
	tl := start(t, e, func(c *Config) { c.Timing.TrunkIdle, c.Timing.Sweep = 20*time.Millisecond, 10*time.Millisecond })
	s, err := tl.Open(t.Context(), linktest.Hostname)
	if err != nil {
		t.Fatal(err)
	}
	held := time.NewTimer(100 * time.Millisecond)
	<-held.C // several sweeps: a trunk with a stream stays
	echoThrough(t, s)
	tl.until("the end of the trunk", func(s Snapshot) bool { return s.Trunks == 0 })
}

// knownKeys knows one key.
type knownKeys struct {
	seen atomic.Int32
	err  error
}

func (k *knownKeys) Check(string, wire.KeyID) (bool, error) {
	k.seen.Add(1)
	return false, k.err
}

func TestHostKeys(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		err  error
		code api.Code
	}{
		{"another key is reported", nil, ""},
		{"another key is refused", errors.New("strict"), api.CodeEdgeUntrusted},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := linktest.New(t)
			linktest.NewPeer(t, e, wire.RoleHost).Host(linktest.Echo)
			keys := &knownKeys{err: tt.err}
			var log lines
			tl := start(t, e, func(c *Config) { c.Keys = keys; c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
			s, err := tl.Open(t.Context(), linktest.Hostname)
			if (tt.code == "") != (err == nil) || (err != nil && codeOf(err) != tt.code) {
				t.Errorf("%v, want %q", err, tt.code)
			}
			if s != nil {
				echoThrough(t, s)
				if !strings.Contains(log.String(), "host key changed") || !strings.Contains(log.String(), "fingerprint=") {
					t.Errorf("log: %s", log.String())
				}
			}
			if keys.seen.Load() == 0 {
				t.Error("not asked")
			}
		})
	}
}

// lines is a log that may be read while it is written.
type lines struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
