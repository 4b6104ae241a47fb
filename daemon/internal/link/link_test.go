package link

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/daemon/internal/link/linktest"
	"github.com/sallyport/sallyport/wire"
)

// memoryVault keeps tokens, and what was done to them.
type memoryVault struct {
	mu    sync.Mutex
	token string
	saved []string
	ended []wire.Code
	fail  error
	hook  func()
}

func (v *memoryVault) Token() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.token
}

func (v *memoryVault) Save(token string, _ *wire.SessionInfo) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.hook != nil {
		v.hook()
	}
	if v.fail != nil {
		return v.fail
	}
	v.token = token
	v.saved = append(v.saved, token)
	return nil
}

func (v *memoryVault) Ended(r wire.Reason) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.token = ""
	v.ended = append(v.ended, r.Code)
	return nil
}

// testLink is a link that runs until the test ends.
type testLink struct {
	*Link
	t     *testing.T
	vault *memoryVault
	moved chan struct{}
}

func start(t *testing.T, e *linktest.Edge, change func(c *Config)) *testLink {
	t.Helper()
	cert, _ := linktest.Device(t)
	tl := &testLink{t: t, vault: &memoryVault{token: "t0"}, moved: make(chan struct{}, 1)}
	c := Config{
		Edge: Edge{Name: linktest.Name, Address: e.Addr(), CAPEM: e.CAPEM()},
		Role: wire.RoleClient, Cert: cert, BootID: "b1", DeviceName: "laptop-7", OSUser: "bob",
		Vault: tl.vault, Log: slog.New(slog.DiscardHandler), Changed: func() { signal(tl.moved) },
		Timing: Timing{RetryFirst: time.Millisecond, RetryMin: 10 * time.Millisecond, RetryMax: 50 * time.Millisecond},
	}
	if change != nil {
		change(&c)
	}
	tl.Link = New(c)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tl.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-done })
	return tl
}

// until waits for a snapshot that is right.
func (tl *testLink) until(what string, ok func(s Snapshot) bool) Snapshot {
	tl.t.Helper()
	timeout := time.After(20 * time.Second)
	for {
		if s := tl.Snapshot(); ok(s) {
			return s
		}
		select {
		case <-tl.moved:
		case <-timeout:
			s := tl.Snapshot()
			tl.t.Fatalf("waited in vain for %s: %+v, problem %v", what, s, s.Link.Problem)
		}
	}
}

func (tl *testLink) online() Snapshot {
	tl.t.Helper()
	return tl.until("an online link", func(s Snapshot) bool { return s.Link.State == api.LinkOnline })
}

func codeOf(err error) api.Code {
	var p *api.Problem
	if errors.As(err, &p) {
		return p.Code
	}
	return api.Code(fmt.Sprintf("no problem but %v", err))
}

func TestTokenIsStoredBeforeTheLinkIsUsed(t *testing.T) {
	t.Parallel()
	e := linktest.New(t)
	used := false
	var order []string
	var mu sync.Mutex
	e.Handle = func(_ *linktest.Conn, _ uint32, m wire.Message) bool {
		mu.Lock()
		defer mu.Unlock()
		order = append(order, fmt.Sprintf("%T", m))
		used = true
		return false
	}
	v := &memoryVault{token: "t0"}
	v.hook = func() {
		<-time.After(50 * time.Millisecond) // a slow disk: who does not wait for it is seen
		mu.Lock()
		defer mu.Unlock()
		if used {
			t.Errorf("used before the token was stored: %v", order)
		}
	}
	tl := start(t, e, func(c *Config) { c.Vault = v })
	if _, err := tl.Apps(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := tl.online()
	if s.Session == nil || s.Session.ID != "s1" || !tl.HasSession() {
		t.Errorf("session: %+v", s.Session)
	}
	if v.Token() != "t0+" {
		t.Errorf("stored %q", v.Token())
	}
	h := e.Hellos()[0]
	if h.SessionToken != "t0" || h.BootID != "b1" || h.DeviceName != "laptop-7" || h.OSUser != "bob" || h.Role != wire.RoleClient {
		t.Errorf("hello: %+v", h)
	}
}

func TestUnstoredTokenIsNotUsed(t *testing.T) {
	t.Parallel()
	e := linktest.New(t)
	v := &memoryVault{token: "t0", fail: errors.New("disk full")}
	tl := start(t, e, func(c *Config) { c.Vault = v })
	s := tl.until("the problem", func(s Snapshot) bool { return s.Link.Problem != nil })
	if s.Link.Problem.Code != api.CodeInternal || s.Session != nil || s.Link.State == api.LinkOnline {
		t.Errorf("%+v, %v", s, s.Link.Problem)
	}
	v.mu.Lock()
	v.fail = nil
	v.mu.Unlock()
	tl.online()
	if got := v.Token(); got != "t0+" {
		t.Errorf("the old token is shown again: stored %q", got)
	}
}

func TestReconnectsWithTheNextToken(t *testing.T) {
	t.Parallel()
	e := linktest.New(t)
	tl := start(t, e, nil)
	for i := range 3 {
		tl.online()
		e.WaitLink(wire.RoleClient).Close()
		tl.until("the next welcome", func(s Snapshot) bool {
			return len(e.Hellos()) == i+2 && s.Link.State == api.LinkOnline
		})
	}
	for i, h := range e.Hellos() {
		if want := "t0" + "+++"[:i]; h.SessionToken != want {
			t.Errorf("hello %d shows %q, want %q", i, h.SessionToken, want)
		}
	}
}

func TestEdgeAwayAndBack(t *testing.T) {
	t.Parallel()
	e := linktest.New(t)
	tl := start(t, e, nil)
	tl.online()
	e.Stop()
	s := tl.until("a refusal", func(s Snapshot) bool {
		return s.Link.State == api.LinkWaiting && s.Link.Problem.Code == api.CodeEdgeRefused
	})
	if s.Link.RetryAt == nil {
		t.Error("no time of the next try")
	}
	if s.Session == nil {
		t.Error("the session is forgotten because the edge is away")
	}
	e.Start()
	tl.online()
}

func TestWakeTriesAtOnce(t *testing.T) {
	t.Parallel()
	e := linktest.New(t)
	e.Stop()
	tl := start(t, e, func(c *Config) {
		c.Timing = Timing{RetryFirst: time.Hour, RetryMin: time.Hour, RetryMax: time.Hour}
	})
	tl.until("a long wait", func(s Snapshot) bool { return s.Link.State == api.LinkWaiting })
	_, err := tl.Open(t.Context(), linktest.Hostname)
	if codeOf(err) != api.CodeEdgeRefused {
		t.Errorf("open while the edge is away: %v", err)
	}
	e.Start()
	tl.Wake()
	tl.online()
}

func TestRetryAfterIsHonoured(t *testing.T) {
	t.Parallel()
	e := linktest.New(t)
	e.Welcome = func(*linktest.Conn, *wire.Hello) wire.Message {
		return &wire.Failure{Reason: wire.Reason{Code: wire.CodeLimit, Text: "busy"}, RetryAfterMS: 60_000}
	}
	tl := start(t, e, nil)
	s := tl.until("a refusal", func(s Snapshot) bool { return s.Link.State == api.LinkWaiting })
	if s.Link.Problem.Code != api.CodeLimit || s.Link.Problem.Detail != "busy" || time.Until(*s.Link.RetryAt) < 50*time.Second {
		t.Errorf("%v, again at %v", s.Link.Problem, s.Link.RetryAt)
	}
}

func TestHelloProblems(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		welcome func(*linktest.Conn, *wire.Hello) wire.Message
		code    api.Code
	}{
		{"no answer", func(*linktest.Conn, *wire.Hello) wire.Message { return nil }, api.CodeEdgeTimeout},
		{"another version", func(*linktest.Conn, *wire.Hello) wire.Message { return &wire.Welcome{Version: 9} }, api.CodeEdgeProtocol},
		{"another answer", func(*linktest.Conn, *wire.Hello) wire.Message { return &wire.OK{} }, api.CodeEdgeProtocol},
		{"refused", func(*linktest.Conn, *wire.Hello) wire.Message {
			return &wire.Failure{Reason: wire.Reason{Code: wire.CodeDraining}}
		}, api.CodeDraining},
		{"closed", func(c *linktest.Conn, _ *wire.Hello) wire.Message { c.Close(); return nil }, api.CodeEdgeUnreached},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := linktest.New(t)
			e.Welcome = tt.welcome
			tl := start(t, e, func(c *Config) { c.Timing.Hello = 300 * time.Millisecond })
			s := tl.until("a problem", func(s Snapshot) bool { return s.Link.Problem != nil })
			if s.Link.Problem.Code != tt.code {
				t.Errorf("%+v, want %s", s.Link.Problem, tt.code)
			}
		})
	}
}

func TestSessionEndedAtTheEdgeWhileAway(t *testing.T) {
	t.Parallel()
	e := linktest.New(t)
	e.Welcome = func(_ *linktest.Conn, h *wire.Hello) wire.Message {
		w := linktest.DefaultWelcome(h)
		w.Session, w.SessionToken = nil, ""
		w.Ended = &wire.Reason{Code: wire.CodeRevoked, Text: "lost laptop"}
		return w
	}
	tl := start(t, e, nil)
	if !tl.HasSession() {
		t.Error("a stored token counts until the edge has spoken")
	}
	s := tl.online()
	if s.Session != nil || s.SessionEnd == nil || s.SessionEnd.Code != wire.CodeRevoked || tl.HasSession() || tl.vault.Token() != "" {
		t.Errorf("%+v, stored %q", s, tl.vault.Token())
	}
	_, err := tl.Open(t.Context(), linktest.Hostname)
	if p := ProblemOf(err); p.Code != api.CodeRevoked || p.Detail != "lost laptop" {
		t.Errorf("open: %v", err)
	}
}

func TestClockDifferenceIsTold(t *testing.T) {
	t.Parallel()
	tests := []struct {
		off  time.Duration
		code api.Code
	}{{0, ""}, {time.Minute, ""}, {3 * time.Hour, api.CodeClockWrong}, {-3 * time.Hour, api.CodeClockWrong}}
	for _, tt := range tests {
		t.Run(tt.off.String(), func(t *testing.T) {
			t.Parallel()
			e := linktest.New(t)
			e.Welcome = func(_ *linktest.Conn, h *wire.Hello) wire.Message {
				w := linktest.DefaultWelcome(h)
				w.EdgeTime = time.Now().Add(-tt.off)
				return w
			}
			tl := start(t, e, nil)
			s := tl.online() // a wrong clock does not keep anybody from working
			var code api.Code
			if s.Link.Problem != nil {
				code = s.Link.Problem.Code
			}
			if code != tt.code || (s.Skew-tt.off).Abs() > 2*time.Minute {
				t.Errorf("%v, skew %v", s.Link.Problem, s.Skew)
			}
		})
	}
}

func TestLoginBringsASession(t *testing.T) {
	t.Parallel()
	e := linktest.New(t)
	v := &memoryVault{}
	tl := start(t, e, func(c *Config) { c.Vault = v })
	tl.online()
	if tl.HasSession() {
		t.Error("a session without login")
	}
	if _, err := tl.Open(t.Context(), linktest.Hostname); codeOf(err) != api.CodeLoginNeeded {
		t.Errorf("open without session: %v", err)
	}
	started, err := tl.StartLogin(t.Context(), &wire.LoginStart{Purpose: wire.PurposeSession, Mode: wire.ModeCode})
	if err != nil || started.Attempt != "a1" {
		t.Fatalf("%+v, %v", started, err)
	}
	if _, err := tl.Redeem(t.Context(), &wire.LoginRedeem{Attempt: "a1", Code: "c"}); err != nil {
		t.Fatal(err)
	}
	if s := tl.Snapshot(); s.Session == nil || v.Token() != "fresh" || !tl.HasSession() {
		t.Errorf("%+v, stored %q", s.Session, v.Token())
	}
}

func TestLoginEndedIsToldOn(t *testing.T) {
	t.Parallel()
	e := linktest.New(t)
	tl := start(t, e, nil)
	told := make(chan string, 1)
	tl.OnLoginEnded(func(attempt string, r wire.Reason) { told <- attempt + " " + string(r.Code) })
	tl.online()
	e.WaitLink(wire.RoleClient).Send(&wire.LoginEnded{Attempt: "a9", Reason: wire.Reason{Code: wire.CodeRefused}})
	if got := <-told; got != "a9 refused" {
		t.Error(got)
	}
}

func TestLogout(t *testing.T) {
	t.Parallel()
	e := linktest.New(t)
	tl := start(t, e, nil)
	tl.online()
	if err := tl.Logout(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := tl.Snapshot(); s.Session != nil || s.SessionEnd.Code != wire.CodeLoggedOut || tl.vault.Token() != "" || tl.HasSession() {
		t.Errorf("%+v, stored %q", s, tl.vault.Token())
	}
	if err := tl.Logout(t.Context()); codeOf(err) != api.CodeLoginNeeded {
		t.Errorf("second logout: %v", err)
	}
}

// A logout without edge works here at once, and is delivered at the next contact.
func TestOfflineLogout(t *testing.T) {
	t.Parallel()
	e := linktest.New(t)
	logouts := make(chan string, 1)
	e.Handle = func(_ *linktest.Conn, _ uint32, m wire.Message) bool {
		if m, ok := m.(*wire.Logout); ok {
			logouts <- m.Session
		}
		return false
	}
	tl := start(t, e, nil)
	tl.online()
	e.Stop()
	tl.until("the loss", func(s Snapshot) bool { return s.Link.State == api.LinkWaiting })
	if err := tl.Logout(t.Context()); err != nil {
		t.Fatal(err)
	}
	if tl.HasSession() || tl.vault.Token() != "" {
		t.Error("still signed in")
	}
	e.Start()
	if got := <-logouts; got != "s1" {
		t.Errorf("the edge was told to end %q", got)
	}
	if s := tl.online(); s.Session != nil || tl.HasSession() {
		t.Errorf("signed in again: %+v", s.Session)
	}
}

func TestUnneededLinkGoesIdleAndComesBack(t *testing.T) {
	t.Parallel()
	e := linktest.New(t)
	tl := start(t, e, func(c *Config) {
		c.Vault = &memoryVault{}
		c.Timing.Unneeded, c.Timing.Sweep = 50*time.Millisecond, 10*time.Millisecond
	})
	tl.until("an idle link", func(s Snapshot) bool { return s.Link.State == api.LinkIdle && len(e.Hellos()) == 1 })
	if _, err := tl.StartLogin(t.Context(), &wire.LoginStart{}); err != nil {
		t.Fatal(err)
	}
	if len(e.Hellos()) != 2 {
		t.Errorf("%d hellos", len(e.Hellos()))
	}
}

// recordHost is a host's handler that notes what it is told.
type recordHost struct {
	mu  sync.Mutex
	got []string
	all chan string
}

func (h *recordHost) note(s string) {
	h.mu.Lock()
	h.got = append(h.got, s)
	h.mu.Unlock()
	h.all <- s
}
func (h *recordHost) Online(*wire.Link)                   { h.note("online") }
func (h *recordHost) Handle(_ *wire.Link, m wire.Message) { h.note(fmt.Sprintf("%T", m)) }
func (h *recordHost) Offline(*wire.Link)                  { h.note("offline") }
func (h *recordHost) Streams() []wire.StreamRef           { return []wire.StreamRef{{Session: "kept"}} }

func TestHostRegistersAtEachReconnect(t *testing.T) {
	t.Parallel()
	e := linktest.New(t)
	tables := make(chan []wire.TunnelInfo, 16)
	e.Handle = func(c *linktest.Conn, req uint32, m wire.Message) bool {
		r, ok := m.(*wire.Register)
		if !ok {
			return false
		}
		tables <- r.Tunnels
		c.Reply(req, &wire.Registered{Results: []wire.RegisterResult{
			{Hostname: "a.site.com"}, {Hostname: "b.site.com", Reason: &wire.Reason{Code: wire.CodeHostnameTaken}},
		}})
		return true
	}
	host := &recordHost{all: make(chan string, 64)}
	tl := start(t, e, func(c *Config) { c.Role, c.Host, c.Vault = wire.RoleHost, host, nil })
	tl.Register([]wire.TunnelInfo{{Hostname: "a.site.com"}, {Hostname: "b.site.com"}})
	find := func(want int, sick bool) {
		t.Helper()
		for {
			table := <-tables
			if len(table) == want && (want == 0 || table[0].Sick == sick) {
				return
			}
		}
	}
	find(2, false)
	tl.until("the answer", func(Snapshot) bool { return len(tl.Registered()) == 2 })
	if r := tl.Registered(); r["a.site.com"].Reason != nil || r["b.site.com"].Reason == nil || r["b.site.com"].Reason.Code != wire.CodeHostnameTaken {
		t.Errorf("%v", r)
	}
	if c := tl.Snapshot().Connector; c == nil || c.ID != "c1" {
		t.Errorf("connector %+v", c)
	}
	tl.SetSick("a.site.com", true)
	find(2, true)
	link := e.WaitLink(wire.RoleHost)
	if got := <-host.all; got != "online" {
		t.Errorf("host is told %s first", got)
	}
	for _, m := range []wire.Message{&wire.Offer{}, &wire.Grant{}, &wire.Cut{}} {
		link.Send(m)
		if got, want := <-host.all, fmt.Sprintf("%T", m); got != want {
			t.Errorf("host is told %s, want %s", got, want)
		}
	}
	link.Close()
	find(2, true) // as it was, without a word
	if got := <-host.all; got != "offline" {
		t.Errorf("host is told %s", got)
	}
	if got := e.Hellos()[1].Streams; len(got) != 1 || got[0].Session != "kept" {
		t.Errorf("second hello lists %v", got)
	}
	tl.online()
	e.WaitLink(wire.RoleHost).Send(&wire.ConnectorEnded{Connector: "c1", Reason: wire.Reason{Code: wire.CodeRevoked}})
	tl.until("the end", func(s Snapshot) bool {
		return s.Connector == nil && s.ConnectorEnd != nil && s.ConnectorEnd.Code == wire.CodeRevoked
	})
}

func TestEnrolmentEndedWhileAway(t *testing.T) {
	t.Parallel()
	e := linktest.New(t)
	e.Welcome = func(_ *linktest.Conn, h *wire.Hello) wire.Message {
		w := linktest.DefaultWelcome(h)
		w.Connector, w.Ended = nil, &wire.Reason{Code: wire.CodeRevoked, Text: "old host"}
		return w
	}
	tl := start(t, e, func(c *Config) { c.Role, c.Vault = wire.RoleHost, nil })
	if s := tl.online(); s.Connector != nil || s.ConnectorEnd == nil || s.ConnectorEnd.Code != wire.CodeRevoked {
		t.Errorf("%+v, ended by %v", s.Connector, s.ConnectorEnd)
	}
	if c, err := tl.Enrol(t.Context(), "token"); err != nil || c.ID != "c1" {
		t.Fatalf("%+v, %v", c, err)
	}
	if s := tl.Snapshot(); s.Connector == nil || s.ConnectorEnd != nil {
		t.Errorf("after enrolling: %+v, ended by %v", s.Connector, s.ConnectorEnd)
	}
}

func TestDialEdgeRefusesOtherIDs(t *testing.T) {
	t.Parallel()
	e := linktest.New(t)
	tl := start(t, e, nil)
	tl.online()
	if _, _, err := tl.DialEdge(t.Context(), "edge-of-mallory", wire.NewLabel()); err == nil {
		t.Error("dialled an edge that is not configured")
	}
	conn, name, err := tl.DialEdge(t.Context(), linktest.EdgeID, wire.NewLabel())
	if err != nil || name != linktest.Name {
		t.Fatalf("%s, %v", name, err)
	}
	conn.Close()
}

// Thousands of ends at once do not overflow the link.
func TestReportsArePaced(t *testing.T) {
	t.Parallel()
	e := linktest.New(t)
	tl := start(t, e, nil)
	tl.online()
	const n = 5000
	for range n {
		tl.Report(&wire.StreamEnded{Trunk: wire.NewTrunkID(), Stream: wire.NewStreamID(), Code: wire.CodeClosed})
	}
	e.WaitEnded(n)
	if len(e.Hellos()) != 1 {
		t.Errorf("the link broke: %d hellos", len(e.Hellos()))
	}
}
