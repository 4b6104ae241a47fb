package login

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/edge/internal/config"
	"github.com/sallyport/sallyport/edge/internal/policy"
	"github.com/sallyport/sallyport/wire"
)

var (
	verifier = []byte("a verifier of the daemon")
	daemon   = netip.MustParseAddr("192.0.2.7")
	browser  = netip.MustParseAddr("192.0.2.8")
)

// bench is a Service with a clock that the test moves and a record of its hooks.
type bench struct {
	*Service
	edge config.Config

	mu    sync.Mutex
	clock time.Time
	told  []string
	audit []Ended
}

func start() *bench {
	b := &bench{
		clock: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC),
		edge: config.Config{
			Name: "edge.site.com", Port: 443, Listen: ":8443",
			Sites:          []config.Site{{Zone: "site.com", Publishers: []string{"group:hosts"}}, {Zone: "other.org"}},
			Administrators: []string{"group:admins"},
			Login:          config.Login{Modes: []string{"loopback", "code"}, Timeout: 10 * time.Minute},
		},
	}
	b.Service = New(Config{
		Edge: func() *config.Config { return &b.edge },
		Log:  slog.New(slog.NewTextHandler(io.Discard, nil)),
		Clock: func() time.Time {
			b.mu.Lock()
			defer b.mu.Unlock()
			return b.clock
		},
	})
	b.OnEnded(func(key wire.KeyID, attempt string, r wire.Reason) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.told = append(b.told, fmt.Sprintf("%d %s", key[0], r.Code))
	})
	b.OnAudit(func(e Ended) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.audit = append(b.audit, e)
	})
	return b
}

func (b *bench) later(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.clock = b.clock.Add(d)
}

func (b *bench) heard() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.told)
}

func startMessage(mode wire.LoginMode) *wire.LoginStart {
	hash := sha256.Sum256(verifier)
	m := &wire.LoginStart{Purpose: wire.PurposeSession, Mode: mode, DeviceName: "laptop-7", OSUser: "bob", VerifierHash: hash[:]}
	if mode == wire.ModeLoopback {
		m.LoopbackPort, m.LoopbackPath = 41234, "/0123456789abcdef"
	}
	return m
}

func (b *bench) begin(t *testing.T, key byte, m *wire.LoginStart) string {
	t.Helper()
	started, err := b.Start(t.Context(), wire.KeyID{key}, daemon, m)
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	return started.Attempt
}

func person(groups ...string) Identity {
	return Identity{Subject: policy.Subject{Issuer: "https://idp", Subject: "a1", Email: "alice@site.com", EmailVerified: true, Groups: groups}}
}

// walk takes an attempt to the confirm page and gives its browser's secret.
func (b *bench) walk(t *testing.T, attempt string, who Identity) string {
	t.Helper()
	trip, err := b.Open(attempt, "", browser)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	if _, err := b.Callback(trip.State, trip.Secret); err != nil {
		t.Fatalf("callback: %v", err)
	}
	if err := b.Identify(attempt, trip.Secret, who); err != nil {
		t.Fatalf("identify: %v", err)
	}
	return trip.Secret
}

func (b *bench) accept(t *testing.T, attempt, secret string) string {
	t.Helper()
	answer, err := b.Accept(attempt, secret, browser, "", nil)
	if err != nil {
		t.Fatalf("accept: %v", err)
	}
	if answer.Code != "" {
		return answer.Code
	}
	u, err := url.Parse(answer.Redirect)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get("code")
}

func (b *bench) state(t *testing.T, attempt string) State {
	t.Helper()
	v, err := b.View(attempt, "")
	if err != nil {
		t.Fatal(err)
	}
	return v.State
}

func wantReason(t *testing.T, err error, code wire.Code) {
	t.Helper()
	if !errors.Is(err, &wire.Reason{Code: code}) {
		t.Fatalf("error %v, want %s", err, code)
	}
}

func redeem(attempt, code string) *wire.LoginRedeem {
	return &wire.LoginRedeem{Attempt: attempt, Code: code, Verifier: verifier}
}

func TestBothModes(t *testing.T) {
	t.Parallel()
	for _, mode := range []wire.LoginMode{wire.ModeLoopback, wire.ModeCode} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			b := start()
			id := b.begin(t, 1, startMessage(mode))
			secret := b.walk(t, id, person("staff"))
			answer, err := b.Accept(id, secret, browser, "", nil)
			if err != nil {
				t.Fatal(err)
			}
			if again, err := b.Answer(id, secret); err != nil || again != answer {
				t.Fatalf("loaded again: %+v %v", again, err)
			}
			code := answer.Code
			if mode == wire.ModeLoopback {
				prefix := "http://127.0.0.1:41234/0123456789abcdef?code="
				if code, _ = strings.CutPrefix(answer.Redirect, prefix); code == answer.Redirect || len(code) < 40 {
					t.Fatalf("redirect %q", answer.Redirect)
				}
			} else {
				if len(code) != 9 || strings.Trim(code, codeAlphabet+"-") != "" {
					t.Fatalf("approval code %q", code)
				}
				code = " " + strings.ToLower(strings.Replace(code, "-", " ", 1)) // as people type
			}
			done, err := b.Redeem(t.Context(), wire.KeyID{1}, redeem(id, code))
			if err != nil {
				t.Fatal(err)
			}
			if done.Identity.Email != "alice@site.com" || done.DeviceName != "laptop-7" || done.OSUser != "bob" ||
				done.Mode != mode || done.From != daemon || done.Browser != browser {
				t.Fatalf("approved %+v", done)
			}
			_, err = b.Redeem(t.Context(), wire.KeyID{1}, redeem(id, code))
			wantReason(t, err, wire.CodeExpired) // single use
			if len(b.heard()) != 0 || len(b.audit) != 0 {
				t.Fatalf("hooks of a login that went well: %v %v", b.heard(), b.audit)
			}
		})
	}
}

func TestStartRefused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(*wire.LoginStart)
		code   wire.Code
	}{
		"purpose":            {func(m *wire.LoginStart) { m.Purpose = "root" }, wire.CodeInvalid},
		"mode":               {func(m *wire.LoginStart) { m.Mode = "mail" }, wire.CodeInvalid},
		"no verifier hash":   {func(m *wire.LoginStart) { m.VerifierHash = nil }, wire.CodeInvalid},
		"no port":            {func(m *wire.LoginStart) { m.LoopbackPort = 0 }, wire.CodeInvalid},
		"port of a service":  {func(m *wire.LoginStart) { m.LoopbackPort = 631 }, wire.CodeInvalid},
		"no path":            {func(m *wire.LoginStart) { m.LoopbackPath = "" }, wire.CodeInvalid},
		"short path":         {func(m *wire.LoginStart) { m.LoopbackPath = "/a" }, wire.CodeInvalid},
		"path with a query":  {func(m *wire.LoginStart) { m.LoopbackPath = "/0123456789?x=1" }, wire.CodeInvalid},
		"path that climbs":   {func(m *wire.LoginStart) { m.LoopbackPath = "/../0123456789" }, wire.CodeInvalid},
		"path of a host":     {func(m *wire.LoginStart) { m.LoopbackPath = "//evil.example0" }, wire.CodeInvalid},
		"path with a break":  {func(m *wire.LoginStart) { m.LoopbackPath = "/01234567\r\nX: y" }, wire.CodeInvalid},
		"path with userinfo": {func(m *wire.LoginStart) { m.LoopbackPath = "@evil.example" }, wire.CodeInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := startMessage(wire.ModeLoopback)
			tt.change(m)
			_, err := start().Start(t.Context(), wire.KeyID{1}, daemon, m)
			wantReason(t, err, tt.code)
		})
	}
}

func TestModeMustBeAllowed(t *testing.T) {
	t.Parallel()
	b := start()
	id := b.begin(t, 1, startMessage(wire.ModeLoopback))
	secret := b.walk(t, id, person())
	b.edge.Login.Modes = []string{"code"}
	_, err := b.Start(t.Context(), wire.KeyID{2}, daemon, startMessage(wire.ModeLoopback))
	wantReason(t, err, wire.CodeLoginMode)
	b.begin(t, 2, startMessage(wire.ModeCode))
	if _, err := b.Accept(id, secret, browser, "", nil); !errors.Is(err, ErrOrder) {
		t.Fatalf("accept in a mode that was forbidden meanwhile: %v", err)
	}
}

func TestLookingChangesNothing(t *testing.T) {
	t.Parallel()
	b := start()
	id := b.begin(t, 1, startMessage(wire.ModeLoopback))
	for range 3 {
		v, err := b.View(id, "a scanner's cookie")
		if err != nil || v.State != StateStarted || v.OSUser != "bob" || len(v.CompareCode) != 7 || v.From != daemon {
			t.Fatalf("view %+v %v", v, err)
		}
	}
	b.walk(t, id, person())
}

func TestFirstBrowserOwns(t *testing.T) {
	t.Parallel()
	b := start()
	id := b.begin(t, 1, startMessage(wire.ModeLoopback))
	trip, err := b.Open(id, "planted", browser)
	if err != nil || trip.Secret == "" || trip.Secret == "planted" {
		t.Fatalf("open: %+v %v", trip, err)
	}
	for _, other := range []string{"", "planted", trip.State} {
		if _, err := b.Open(id, other, browser); !errors.Is(err, ErrOtherBrowser) {
			t.Fatalf("open by another: %v", err)
		}
		if _, err := b.Callback(trip.State, other); !errors.Is(err, ErrOtherBrowser) {
			t.Fatalf("callback by another: %v", err)
		}
		if err := b.Identify(id, other, person()); !errors.Is(err, ErrOtherBrowser) {
			t.Fatalf("identify by another: %v", err)
		}
		if err := b.Refuse(id, other, ""); !errors.Is(err, ErrOtherBrowser) {
			t.Fatalf("refuse by another: %v", err)
		}
	}
	if _, err := b.Callback("wrong state", trip.Secret); !errors.Is(err, ErrUnknown) {
		t.Fatalf("callback of a wrong state: %v", err)
	}
	if _, err := b.Callback(trip.State, trip.Secret); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Callback(trip.State, trip.Secret); !errors.Is(err, ErrUnknown) {
		t.Fatalf("callback a second time: %v", err)
	}
	if err := b.Identify(id, trip.Secret, person()); err != nil {
		t.Fatal(err)
	}
	if v, _ := b.View(id, "other"); v.Identity.Email != "" {
		t.Fatal("another browser sees who signed in")
	}
	if v, _ := b.View(id, trip.Secret); v.Identity.Email != "alice@site.com" {
		t.Fatal("the owner does not see who signed in")
	}
	if _, err := b.Accept(id, "other", browser, "", nil); !errors.Is(err, ErrOtherBrowser) {
		t.Fatalf("accept by another: %v", err)
	}
	code := b.accept(t, id, trip.Secret)
	if _, err := b.Answer(id, "other"); !errors.Is(err, ErrOtherBrowser) {
		t.Fatalf("code shown to another: %v", err)
	}
	if _, err := b.Redeem(t.Context(), wire.KeyID{1}, redeem(id, code)); err != nil {
		t.Fatal(err)
	}
}

func TestOpenAgainStartsOver(t *testing.T) {
	t.Parallel()
	b := start()
	id := b.begin(t, 1, startMessage(wire.ModeLoopback))
	first, err := b.Open(id, "", browser)
	if err != nil {
		t.Fatal(err)
	}
	second, err := b.Open(id, first.Secret, browser)
	if err != nil || second.Secret != "" || second.State == first.State || second.Nonce == first.Nonce {
		t.Fatalf("again: %+v %v", second, err)
	}
	if _, err := b.Callback(first.State, first.Secret); !errors.Is(err, ErrUnknown) {
		t.Fatalf("callback of the older trip: %v", err)
	}
	if _, err := b.Callback(second.State, first.Secret); err != nil {
		t.Fatal(err)
	}
	if err := b.Identify(id, first.Secret, person()); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Open(id, first.Secret, browser); err != nil { // as somebody else
		t.Fatal(err)
	}
	if v, _ := b.View(id, first.Secret); v.Identity.Email != "" || v.State != StateAtProvider {
		t.Fatalf("after opening again: %+v", v)
	}
	if _, err := b.Accept(id, first.Secret, browser, "", nil); !errors.Is(err, ErrOrder) {
		t.Fatalf("accept without a person: %v", err)
	}
}

func TestRedeemRefused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		key    byte
		change func(*wire.LoginRedeem)
		code   wire.Code
	}{
		"wrong code":      {1, func(m *wire.LoginRedeem) { m.Code = "AAAA-AAAA" }, wire.CodeInvalid},
		"empty code":      {1, func(m *wire.LoginRedeem) { m.Code = "" }, wire.CodeInvalid},
		"wrong verifier":  {1, func(m *wire.LoginRedeem) { m.Verifier = []byte("other") }, wire.CodeInvalid},
		"other key":       {2, func(m *wire.LoginRedeem) {}, wire.CodeExpired},
		"unknown attempt": {1, func(m *wire.LoginRedeem) { m.Attempt = "X" }, wire.CodeExpired},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := start()
			id := b.begin(t, 1, startMessage(wire.ModeCode))
			_, err := b.Redeem(t.Context(), wire.KeyID{1}, redeem(id, ""))
			wantReason(t, err, wire.CodeInvalid) // before the yes, and it costs no try
			code := b.accept(t, id, b.walk(t, id, person()))
			m := redeem(id, code)
			tt.change(m)
			_, err = b.Redeem(t.Context(), wire.KeyID{tt.key}, m)
			wantReason(t, err, tt.code)
			if _, err := b.Redeem(t.Context(), wire.KeyID{1}, redeem(id, code)); err != nil {
				t.Fatalf("the right one afterwards: %v", err)
			}
		})
	}
}

func TestFiveWrongCodesEndTheAttempt(t *testing.T) {
	t.Parallel()
	b := start()
	id := b.begin(t, 1, startMessage(wire.ModeCode))
	code := b.accept(t, id, b.walk(t, id, person()))
	for i := range maxTries {
		_, err := b.Redeem(t.Context(), wire.KeyID{1}, redeem(id, "AAAA-AAAA"))
		want := wire.CodeInvalid
		if i == maxTries-1 {
			want = wire.CodeRefused
		}
		wantReason(t, err, want)
	}
	_, err := b.Redeem(t.Context(), wire.KeyID{1}, redeem(id, code))
	wantReason(t, err, wire.CodeExpired)
	if got := b.heard(); !slices.Equal(got, []string{"1 refused"}) {
		t.Fatalf("told %v", got)
	}
}

func TestTimeIsOver(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		reach func(t *testing.T, b *bench, id string)
		mode  wire.LoginMode
		after time.Duration
		told  string
	}{
		"never opened":  {func(*testing.T, *bench, string) {}, wire.ModeLoopback, 10 * time.Minute, "1 abandoned"},
		"never said":    {func(t *testing.T, b *bench, id string) { b.walk(t, id, person()) }, wire.ModeLoopback, 10 * time.Minute, "1 expired"},
		"loopback code": {func(t *testing.T, b *bench, id string) { b.accept(t, id, b.walk(t, id, person())) }, wire.ModeLoopback, loopbackLife, "1 expired"},
		"approval code": {func(t *testing.T, b *bench, id string) { b.accept(t, id, b.walk(t, id, person())) }, wire.ModeCode, approvalLife, "1 expired"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := start()
			id := b.begin(t, 1, startMessage(tt.mode))
			tt.reach(t, b, id)
			b.later(tt.after - time.Second)
			if sleep := b.sweep(); sleep != time.Second || len(b.heard()) != 0 {
				t.Fatalf("a second before: sleeps %s, told %v", sleep, b.heard())
			}
			b.later(time.Second)
			b.sweep()
			if got := b.heard(); !slices.Equal(got, []string{tt.told}) {
				t.Fatalf("told %v, want %s", got, tt.told)
			}
			if n := len(b.attempts) + len(b.current) + len(b.trips) + len(b.live); n != 0 {
				t.Fatalf("%d entries are left", n)
			}
		})
	}
}

func TestLateCodeIsRefusedBeforeTheSweep(t *testing.T) {
	t.Parallel()
	b := start()
	id := b.begin(t, 1, startMessage(wire.ModeCode))
	code := b.accept(t, id, b.walk(t, id, person()))
	b.later(approvalLife)
	_, err := b.Redeem(t.Context(), wire.KeyID{1}, redeem(id, code))
	wantReason(t, err, wire.CodeExpired)
	b.sweep()
	if got := b.heard(); !slices.Equal(got, []string{"1 expired"}) {
		t.Fatalf("told %v", got)
	}
}

func TestRefusalAndItsAudit(t *testing.T) {
	t.Parallel()
	b := start()
	id := b.begin(t, 1, startMessage(wire.ModeLoopback))
	secret := b.walk(t, id, person())
	if err := b.Refuse(id, secret, ""); err != nil {
		t.Fatal(err)
	}
	if b.state(t, id) != StateRefused {
		t.Fatal("page does not say that it was refused")
	}
	if _, err := b.Accept(id, secret, browser, "", nil); !errors.Is(err, ErrOver) {
		t.Fatalf("accept after the no: %v", err)
	}
	if got := b.heard(); !slices.Equal(got, []string{"1 refused"}) {
		t.Fatalf("told %v", got)
	}
	if len(b.audit) != 1 || b.audit[0].Identity.Email != "alice@site.com" || b.audit[0].From != daemon || b.audit[0].Reason.Code != wire.CodeRefused {
		t.Fatalf("audit %+v", b.audit)
	}
}

// The next step is the command that asked.
func TestRefusalNamesTheCommand(t *testing.T) {
	t.Parallel()
	for purpose, want := range map[wire.LoginPurpose]string{wire.PurposeSession: "sallyport login", wire.PurposeEnrol: "sallyport tunnel login"} {
		b := start()
		m := startMessage(wire.ModeLoopback)
		m.Purpose = purpose
		id := b.begin(t, 1, m)
		if err := b.Refuse(id, b.walk(t, id, person("admins")), ""); err != nil {
			t.Fatal(err)
		}
		if len(b.audit) != 1 || b.audit[0].Reason.Hint != want {
			t.Errorf("%s: audit %+v", purpose, b.audit)
		}
	}
}

func TestNewAttemptReplacesAndCancelIsQuiet(t *testing.T) {
	t.Parallel()
	b := start()
	old := b.begin(t, 1, startMessage(wire.ModeLoopback))
	enrol := startMessage(wire.ModeLoopback)
	enrol.Purpose = wire.PurposeEnrol
	other := b.begin(t, 1, enrol)
	fresh := b.begin(t, 1, startMessage(wire.ModeCode))
	if _, err := b.View(old, ""); !errors.Is(err, ErrUnknown) {
		t.Fatalf("the older attempt: %v", err)
	}
	b.state(t, other)
	if got := b.heard(); !slices.Equal(got, []string{"1 abandoned"}) {
		t.Fatalf("told %v", got)
	}
	b.Cancel(wire.KeyID{2}, fresh) // not its key
	b.state(t, fresh)
	b.Cancel(wire.KeyID{1}, fresh)
	if _, err := b.View(fresh, ""); !errors.Is(err, ErrUnknown) {
		t.Fatalf("cancelled attempt: %v", err)
	}
	if got := b.heard(); len(got) != 1 {
		t.Fatalf("told %v of a cancel", got)
	}
	if len(b.audit) != 2 {
		t.Fatalf("%d audit lines", len(b.audit))
	}
}

func TestRefusePerson(t *testing.T) {
	t.Parallel()
	b := start()
	id := b.begin(t, 1, startMessage(wire.ModeCode))
	code := b.accept(t, id, b.walk(t, id, person()))
	b.RefusePerson("https://idp", "another", wire.Reason{Code: wire.CodeRevoked})
	if b.state(t, id) != StateApproved {
		t.Fatal("another person's attempt ended")
	}
	b.RefusePerson("https://idp", "a1", wire.Reason{Code: wire.CodeRevoked})
	if _, err := b.Redeem(t.Context(), wire.KeyID{1}, redeem(id, code)); err == nil {
		t.Fatal("a removed person's code was taken")
	}
	if got := b.heard(); !slices.Equal(got, []string{"1 revoked"}) {
		t.Fatalf("told %v", got)
	}
}
