package login

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/wire"
)

// fakeLink is an edge's answers.
type fakeLink struct {
	mu        sync.Mutex
	session   bool
	starts    []*wire.LoginStart
	cancelled []string
	startErr  error
	url       string
	redeem    func(m *wire.LoginRedeem) (*wire.LoginDone, error)
	block     chan struct{} // nil, or what StartLogin waits for
}

func (f *fakeLink) StartLogin(ctx context.Context, m *wire.LoginStart) (*wire.LoginStarted, error) {
	f.mu.Lock()
	f.starts = append(f.starts, m)
	n, err, block, url := len(f.starts), f.startErr, f.block, f.url
	f.mu.Unlock()
	if block != nil {
		select {
		case <-block:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if err != nil {
		return nil, err
	}
	if url == "" {
		url = "https://edge.site.com/login/x"
	}
	return &wire.LoginStarted{Attempt: string(rune('a' + n - 1)), URL: url, CompareCode: "42", ExpiresAt: time.Now().Add(10 * time.Minute)}, nil
}

func (f *fakeLink) Redeem(_ context.Context, m *wire.LoginRedeem) (*wire.LoginDone, error) {
	done, err := f.redeem(m)
	if err == nil && done.Session != nil {
		f.setSession(true)
	}
	return done, err
}

func (f *fakeLink) CancelLogin(attempt string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cancelled = append(f.cancelled, attempt)
}

func (f *fakeLink) HasSession() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.session
}

func (f *fakeLink) setSession(on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.session = on
}

func (f *fakeLink) started() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.starts)
}

var session = &wire.SessionInfo{ID: "s1", Person: wire.PersonInfo{Email: "alice@site.com"}}

func newAttempts(t *testing.T, f *fakeLink) *Attempts {
	t.Helper()
	if f.redeem == nil {
		f.redeem = func(*wire.LoginRedeem) (*wire.LoginDone, error) {
			return &wire.LoginDone{Session: session, SessionToken: "t"}, nil
		}
	}
	a := New(Config{
		Edge: "edge.site.com", Owner: "bob", DeviceName: "laptop-7", OSUser: "bob", Link: f, Log: slog.New(slog.DiscardHandler),
		Problem: func(err error) *api.Problem {
			var p *api.Problem
			var r *wire.Reason
			switch {
			case errors.As(err, &p):
				return p
			case errors.As(err, &r):
				return &api.Problem{Code: api.CodeInvalid, Title: r.Text}
			}
			return &api.Problem{Code: api.CodeInternal, Title: err.Error()}
		},
	})
	t.Cleanup(a.Close)
	return a
}

var loopback = api.LoginInput{Mode: api.ModeLoopback, LoopbackPort: 4711, LoopbackPath: "/r"}

func codeOf(err error) api.Code {
	var p *api.Problem
	if errors.As(err, &p) {
		return p.Code
	}
	return ""
}

func TestNext(t *testing.T) {
	t.Parallel()
	states := []api.LoginState{
		api.LoginWanted, api.LoginStarting, api.LoginBrowser, api.LoginRedeeming,
		api.LoginDone, api.LoginRefused, api.LoginExpired, api.LoginCancelled, api.LoginFailed,
	}
	ends := map[event]api.LoginState{
		eventDone: api.LoginDone, eventRefuse: api.LoginRefused, eventExpire: api.LoginExpired,
		eventCancel: api.LoginCancelled, eventReplace: api.LoginCancelled, eventFail: api.LoginFailed,
	}
	steps := map[api.LoginState]map[event]api.LoginState{
		api.LoginWanted:    {eventTake: api.LoginStarting},
		api.LoginStarting:  {eventAnswer: api.LoginBrowser},
		api.LoginBrowser:   {eventCode: api.LoginRedeeming},
		api.LoginRedeeming: {eventWrong: api.LoginBrowser},
	}
	events := []event{
		eventTake, eventAnswer, eventCode, eventWrong, eventDone, eventRefuse, eventExpire, eventCancel, eventReplace, eventFail,
	}
	for _, s := range states {
		for _, e := range events {
			want := s
			if end, ok := ends[e]; ok && !s.Final() {
				want = end
			}
			if to, ok := steps[s][e]; ok {
				want = to
			}
			if got := next(s, e); got != want {
				t.Errorf("next(%s, %s) = %s, want %s", s, e, got, want)
			}
		}
	}
}

func TestOneLoginFromStartToSession(t *testing.T) {
	t.Parallel()
	f := &fakeLink{}
	var shown *wire.LoginRedeem
	f.redeem = func(m *wire.LoginRedeem) (*wire.LoginDone, error) {
		shown = m
		return &wire.LoginDone{Session: session, SessionToken: "t"}, nil
	}
	a := newAttempts(t, f)
	l, err := a.Start(t.Context(), t.Context(), loopback)
	if err != nil {
		t.Fatal(err)
	}
	if l.State != api.LoginBrowser || l.URL == "" || l.CompareCode != "42" || l.ExpiresAt == nil || l.Edge != "edge.site.com" || l.Owner != "bob" {
		t.Errorf("started: %+v", l)
	}
	if l.LoopbackPort != loopback.LoopbackPort {
		t.Errorf("loopback port %d: another taker could not tell whose attempt it is", l.LoopbackPort)
	}
	if s := f.starts[0]; s.DeviceName != "laptop-7" || s.OSUser != "bob" || s.LoopbackPort != 4711 || s.LoopbackPath != "/r" || s.Purpose != wire.PurposeSession {
		t.Errorf("told the edge %+v", s)
	}
	l, err = a.Redeem(t.Context(), l.ID, "code")
	if err != nil || l.State != api.LoginDone || l.Session == nil || l.Session.Person.Email != "alice@site.com" || l.URL != "" {
		t.Fatalf("redeemed: %+v, %v", l, err)
	}
	hash := sha256.Sum256(shown.Verifier)
	if len(shown.Verifier) != 32 || !bytes.Equal(hash[:], f.starts[0].VerifierHash) || shown.Code != "code" || shown.Attempt != "a" {
		t.Errorf("redeem showed %+v", shown)
	}
	if got, ok := a.Get(l.ID); !ok || got.State != api.LoginDone {
		t.Errorf("Get after the end: %+v, %v", got, ok)
	}
	if _, err := a.Redeem(t.Context(), l.ID, "code"); codeOf(err) != api.CodeConflict {
		t.Errorf("second redeem: %v", err)
	}
	if len(f.cancelled) != 0 {
		t.Errorf("cancelled %v", f.cancelled)
	}
}

// A thousand connections, one login (A6).
func TestThousandWaitForOneLogin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeLink{}
		a := newAttempts(t, f)
		const n = 1000
		results := make(chan error, n)
		for range n {
			go func() { results <- a.Wait(t.Context()) }()
		}
		synctest.Wait()
		list := a.List()
		if len(list) != 1 || list[0].State != api.LoginWanted || list[0].Waiting != n {
			t.Fatalf("wanted: %+v", list)
		}
		if f.started() != 0 {
			t.Fatal("a connection asked the edge by itself")
		}
		l, err := a.Start(t.Context(), t.Context(), loopback)
		if err != nil || l.ID != list[0].ID {
			t.Fatalf("taken: %+v, %v", l, err)
		}
		if _, err := a.Redeem(t.Context(), l.ID, "c"); err != nil {
			t.Fatal(err)
		}
		for range n {
			if err := <-results; err != nil {
				t.Fatal(err)
			}
		}
		if f.started() != 1 {
			t.Errorf("%d attempts", f.started())
		}
	})
}

func TestRefusalReleasesAndPauses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeLink{}
		a := newAttempts(t, f)
		results := make(chan error, 3)
		for range 3 {
			go func() { results <- a.Wait(t.Context()) }()
		}
		synctest.Wait()
		l, err := a.Start(t.Context(), t.Context(), loopback)
		if err != nil {
			t.Fatal(err)
		}
		a.Ended("a", wire.Reason{Code: wire.CodeRefused, Text: "alice said no"})
		for range 3 {
			if err := <-results; codeOf(err) != api.CodeLoginRefused {
				t.Errorf("released with %v", err)
			}
		}
		if got, _ := a.Get(l.ID); got.State != api.LoginRefused || got.Problem.Detail != "alice said no" {
			t.Errorf("attempt: %+v", got)
		}
		if err := a.Wait(t.Context()); codeOf(err) != api.CodeLoginRefused {
			t.Errorf("a connection right after: %v", err)
		}
		time.Sleep(31 * time.Second) // of the bubble's clock
		go func() { results <- a.Wait(t.Context()) }()
		synctest.Wait()
		if list := a.List(); list[0].State != api.LoginWanted {
			t.Errorf("after the pause: %+v", list[0])
		}
		f.setSession(true)
		a.Poke()
		if err := <-results; err != nil {
			t.Errorf("session by another way: %v", err)
		}
	})
}

// A person may start a login at once after a refusal.
func TestPauseIsForConnectionsOnly(t *testing.T) {
	t.Parallel()
	f := &fakeLink{}
	a := newAttempts(t, f)
	if _, err := a.Start(t.Context(), t.Context(), loopback); err != nil {
		t.Fatal(err)
	}
	a.Ended("a", wire.Reason{Code: wire.CodeRefused})
	if l, err := a.Start(t.Context(), t.Context(), loopback); err != nil || l.State != api.LoginBrowser {
		t.Fatalf("%+v, %v", l, err)
	}
}

func TestWaitEndsAfterItsTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAttempts(t, &fakeLink{})
		began := time.Now()
		if err := a.Wait(t.Context()); codeOf(err) != api.CodeLoginNeeded {
			t.Errorf("nobody took it: %v", err)
		}
		if waited := time.Since(began); waited != 5*time.Minute {
			t.Errorf("held for %v", waited)
		}
		if l := a.List()[0]; l.State != api.LoginExpired {
			t.Errorf("a login that nobody waits for is still %s", l.State)
		}
	})
}

func TestSecondAskerJoins(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeLink{block: make(chan struct{})}
		a := newAttempts(t, f)
		ids := make(chan string, 2)
		for range 2 {
			go func() {
				l, err := a.Start(t.Context(), t.Context(), loopback)
				if err != nil || l.State != api.LoginBrowser {
					t.Errorf("%+v, %v", l, err)
				}
				ids <- l.ID
			}()
		}
		synctest.Wait()
		close(f.block)
		if first, second := <-ids, <-ids; first != second {
			t.Errorf("two attempts: %s, %s", first, second)
		}
		if f.started() != 1 {
			t.Errorf("%d attempts", f.started())
		}
	})
}

func TestAnotherModeReplaces(t *testing.T) {
	t.Parallel()
	f := &fakeLink{}
	a := newAttempts(t, f)
	first, err := a.Start(t.Context(), t.Context(), loopback)
	if err != nil {
		t.Fatal(err)
	}
	second, err := a.Start(t.Context(), t.Context(), api.LoginInput{Mode: api.ModeCode})
	if err != nil || second.ID == first.ID || second.State != api.LoginBrowser {
		t.Fatalf("%+v, %v", second, err)
	}
	if got, _ := a.Get(first.ID); got.State != api.LoginCancelled {
		t.Errorf("the first is %s", got.State)
	}
	if len(f.cancelled) != 1 || f.cancelled[0] != "a" {
		t.Errorf("cancelled %v", f.cancelled)
	}
}

func TestTakerGoesAway(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		waiting bool
		in      api.LoginInput
	}{
		{"nobody waits", false, loopback},
		{"a connection waits", true, loopback},
		{"by code", true, api.LoginInput{Mode: api.ModeCode}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := &fakeLink{}
				a := newAttempts(t, f)
				wctx, stop := context.WithCancel(t.Context())
				done := make(chan error, 1)
				if tt.waiting {
					go func() { done <- a.Wait(wctx) }()
					synctest.Wait()
				}
				taker, leave := context.WithCancel(t.Context())
				l, err := a.Start(t.Context(), taker, tt.in)
				if err != nil {
					t.Fatal(err)
				}
				leave()
				synctest.Wait()
				if got, _ := a.Get(l.ID); got.State != api.LoginCancelled {
					t.Errorf("the attempt is %s", got.State)
				}
				live := a.List()[0]
				if wanted := live.State == api.LoginWanted; wanted != tt.waiting {
					t.Errorf("newest is %s", live.State)
				}
				stop()
				if tt.waiting && <-done == nil {
					t.Error("the waiter went on without a session")
				}
			})
		})
	}
}

// In mode code another program can take the code, too; in mode loopback the
// browser is sent to the first taker, and to nobody else.
func TestFirstOfTwoTakersGoesAway(t *testing.T) {
	t.Parallel()
	tests := []struct {
		in   api.LoginInput
		want api.LoginState
	}{
		{api.LoginInput{Mode: api.ModeCode}, api.LoginBrowser},
		{loopback, api.LoginCancelled},
	}
	for _, tt := range tests {
		t.Run(string(tt.in.Mode), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAttempts(t, &fakeLink{})
				taker, leave := context.WithCancel(t.Context())
				l, err := a.Start(t.Context(), taker, tt.in)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := a.Start(t.Context(), t.Context(), tt.in); err != nil {
					t.Fatal(err)
				}
				leave()
				synctest.Wait()
				if got, _ := a.Get(l.ID); got.State != tt.want {
					t.Errorf("the attempt is %s, want %s", got.State, tt.want)
				}
			})
		})
	}
}

func TestWrongCode(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		in    api.LoginInput
		err   error
		state api.LoginState
	}{
		{"typed wrongly", api.LoginInput{Mode: api.ModeCode}, &wire.Reason{Code: wire.CodeBadToken, Text: "wrong"}, api.LoginBrowser},
		{"brought back", loopback, &wire.Reason{Code: wire.CodeBadToken, Text: "wrong"}, api.LoginFailed},
		{"refused", api.LoginInput{Mode: api.ModeCode}, &api.Problem{Code: api.CodeLoginRefused}, api.LoginRefused},
		{"not a publisher", loopback, &api.Problem{Code: api.CodeDenied}, api.LoginRefused},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := &fakeLink{redeem: func(*wire.LoginRedeem) (*wire.LoginDone, error) { return nil, tt.err }}
			a := newAttempts(t, f)
			l, err := a.Start(t.Context(), t.Context(), tt.in)
			if err != nil {
				t.Fatal(err)
			}
			l, err = a.Redeem(t.Context(), l.ID, "1234")
			if err == nil || l.State != tt.state || l.Problem == nil {
				t.Errorf("%+v, %v; want state %s", l, err, tt.state)
			}
		})
	}
}

func TestStartFails(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		f    *fakeLink
		in   api.LoginInput
		code api.Code
	}{
		{"edge away", &fakeLink{startErr: &api.Problem{Code: api.CodeEdgeTimeout}}, loopback, api.CodeEdgeTimeout},
		{"a URL that is not https", &fakeLink{url: "http://evil.example/"}, loopback, api.CodeInternal},
		{"a URL that is no URL", &fakeLink{url: "javascript:alert(1)"}, loopback, api.CodeInternal},
		{"no mode", &fakeLink{}, api.LoginInput{}, api.CodeInvalid},
		{"no port", &fakeLink{}, api.LoginInput{Mode: api.ModeLoopback}, api.CodeInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAttempts(t, tt.f)
				waiter := make(chan error, 1)
				go func() { waiter <- a.Wait(t.Context()) }()
				synctest.Wait()
				_, err := a.Start(t.Context(), t.Context(), tt.in)
				if codeOf(err) != tt.code {
					t.Errorf("%v, want %s", err, tt.code)
				}
				if tt.code == api.CodeInvalid {
					a.Close() // the waiter still waits
				}
				if err := <-waiter; err == nil {
					t.Error("the waiter went on")
				}
			})
		})
	}
}

func TestCancelTellsWaiters(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeLink{}
		a := newAttempts(t, f)
		waiter := make(chan error, 1)
		go func() { waiter <- a.Wait(t.Context()) }()
		synctest.Wait()
		l, err := a.Start(t.Context(), t.Context(), loopback)
		if err != nil {
			t.Fatal(err)
		}
		if l, err = a.Cancel(l.ID); err != nil || l.State != api.LoginCancelled {
			t.Errorf("%+v, %v", l, err)
		}
		if err := <-waiter; codeOf(err) != api.CodeLoginAbandoned {
			t.Errorf("released with %v", err)
		}
		if len(f.cancelled) != 1 {
			t.Errorf("the edge was told %v", f.cancelled)
		}
		if _, err := a.Cancel("log_none"); codeOf(err) != api.CodeNotFound {
			t.Errorf("unknown id: %v", err)
		}
	})
}

// What the edge says of an attempt's end is told, each end by its own code.
func TestEndedByTheEdge(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		wire  wire.Code
		state api.LoginState
		code  api.Code
	}{
		{wire.CodeExpired, api.LoginExpired, api.CodeLoginExpired},
		{wire.CodeAbandoned, api.LoginExpired, api.CodeLoginAbandoned},
		{wire.CodeRefused, api.LoginRefused, api.CodeLoginRefused},
		{wire.CodeDenied, api.LoginRefused, api.CodeLoginRefused},
	} {
		a := newAttempts(t, &fakeLink{})
		l, err := a.Start(t.Context(), t.Context(), loopback)
		if err != nil {
			t.Fatal(err)
		}
		a.Ended("a", wire.Reason{Code: tt.wire, Text: "the edge's words"})
		got, _ := a.Get(l.ID)
		if got.State != tt.state || got.Problem.Code != tt.code || got.Problem.Detail != "the edge's words" || got.Problem.Hint == "" {
			t.Errorf("%s: %s, %+v", tt.wire, got.State, got.Problem)
		}
	}
}

func TestAttemptExpiresWithoutLink(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAttempts(t, &fakeLink{})
		l, err := a.Start(t.Context(), t.Context(), loopback)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(11 * time.Minute) // of the bubble's clock
		if got, _ := a.Get(l.ID); got.State != api.LoginExpired || got.Problem.Code != api.CodeLoginExpired {
			t.Errorf("%+v", got)
		}
	})
}

func TestHasSessionGoesAtOnce(t *testing.T) {
	t.Parallel()
	a := newAttempts(t, &fakeLink{session: true})
	if err := a.Wait(t.Context()); err != nil {
		t.Error(err)
	}
	if len(a.List()) != 0 {
		t.Error("a login was wanted")
	}
}

func TestLoopbackEdgeMayUseHTTP(t *testing.T) {
	t.Parallel()
	for edge, want := range map[string]bool{
		"localhost:8443": true, "127.0.0.1:8443": true, "localhost": true, "edge.site.com": false, "127.0.0.1.site.com": false,
	} {
		a := New(Config{Edge: edge, Link: &fakeLink{}, Log: slog.New(slog.DiscardHandler)})
		if got := a.checkURL("http://localhost:8443/login/x") == nil; got != want {
			t.Errorf("edge %s: %v, want %v", edge, got, want)
		}
	}
}
