package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/edge/internal/admin/adminapi"
	"github.com/sallyport/sallyport/edge/internal/admin/admintest"
	"github.com/sallyport/sallyport/edge/internal/config"
	"github.com/sallyport/sallyport/edge/internal/relay"
	"github.com/sallyport/sallyport/edge/internal/sessions"
	"github.com/sallyport/sallyport/edge/internal/store"
	"github.com/sallyport/sallyport/wire"
)

// result is what a command printed, and how it ended.
type result struct {
	out, err string
	code     int
}

func run(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	a := &app{in: strings.NewReader(stdin), out: &out, err: &errs, serve: func(context.Context, string) error {
		return errors.New("serve is not for this test")
	}}
	code := a.run(t.Context(), args)
	return result{out.String(), errs.String(), code}
}

// shell runs commands beside one edge.
type shell struct {
	t    *testing.T
	edge *admintest.Edge
}

func (s shell) run(args ...string) result {
	s.t.Helper()
	return run(s.t, "", append(args, "--config", s.edge.Config)...)
}

// ok wants a command to succeed with exactly this on standard output.
func (s shell) ok(want string, args ...string) {
	s.t.Helper()
	if r := s.run(args...); r.code != 0 || r.out != want {
		s.t.Fatalf("%v: code %d, output\n%s%s\nwant\n%s", args, r.code, r.out, r.err, want)
	}
}

// fails wants a command to end with this code, nothing on standard output, and
// these words on standard error.
func (s shell) fails(code int, words string, args ...string) {
	s.t.Helper()
	r := s.run(args...)
	if r.code != code || r.out != "" || !strings.Contains(r.err, words) || !strings.HasPrefix(r.err, "sallyport-edge: error: ") {
		s.t.Fatalf("%v: code %d, want %d and %q\n%s%s", args, r.code, code, words, r.out, r.err)
	}
}

func (s shell) json(v any, args ...string) {
	s.t.Helper()
	r := s.run(append(args, "--json")...)
	if r.code != 0 {
		s.t.Fatalf("%v: code %d\n%s", args, r.code, r.err)
	}
	d := json.NewDecoder(strings.NewReader(r.out))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		s.t.Fatalf("%v: %v\n%s", args, err, r.out)
	}
}

func start(t *testing.T, o admintest.Options) shell {
	return shell{t, admintest.Start(t, o)}
}

func TestApps(t *testing.T) {
	t.Parallel()
	s := start(t, admintest.Options{})
	s.ok("", "app", "list")
	s.ok("", "app", "add", "TCP.site.com", "--deny", "email:Eve@site.com", "--allow", "domain:site.com", "--deny", "group:x", "--contact", "it@site.com")
	var apps []adminapi.App
	s.json(&apps, "app", "list")
	if len(apps) != 1 || apps[0].Hostname != "tcp.site.com" || apps[0].Contact != "it@site.com" ||
		rulesText(apps[0].Rules) != "deny email:eve@site.com, allow domain:site.com, deny group:x" {
		t.Fatalf("apps %+v", apps)
	}
	s.fails(6, "there is an app tcp.site.com already", "app", "add", "tcp.site.com", "--allow", "everyone")
	s.fails(2, "lies under none of this edge's sites", "app", "add", "tcp.other.org", "--allow", "everyone")
	s.fails(2, "is not a hostname", "app", "add", "*.site.com", "--allow", "everyone")
	s.fails(2, "write everyone, email:ADDRESS", "app", "add", "b.site.com", "--allow", "alice")
	s.fails(2, "accepts 1 arg", "app", "add")
	s.fails(2, "nothing to change", "app", "edit", "tcp.site.com")
	s.fails(6, "there is no app b.site.com", "app", "edit", "b.site.com", "--allow", "everyone")
	s.fails(6, "there is no app b.site.com", "app", "rm", "b.site.com")
	s.ok("", "app", "edit", "tcp.site.com", "--contact", "")
	s.ok("", "app", "edit", "tcp.site.com", "--allow", "group:staff")
	apps = nil
	s.json(&apps, "app", "list")
	if apps[0].Contact != "" || rulesText(apps[0].Rules) != "allow group:staff" || apps[0].Version != 3 {
		t.Fatalf("after editing %+v", apps)
	}
	if r := s.run("app", "add", "none.site.com"); r.code != 0 || !strings.Contains(r.err, "nobody may reach none.site.com") {
		t.Fatalf("an app without rules: %+v", r)
	}
	if r := s.run("app", "list"); !strings.Contains(r.out, "none.site.com  nobody") || !strings.HasPrefix(r.out, "HOSTNAME") {
		t.Fatalf("list\n%s", r.out)
	}
	if r := run(t, "", "__complete", "--config", s.edge.Config, "app", "rm", ""); !strings.Contains(r.out, "tcp.site.com\n") {
		t.Fatalf("completion\n%s", r.out)
	}
	s.ok("", "app", "rm", "tcp.site.com")
	if _, ok := s.edge.Apps.Get("tcp.site.com"); ok {
		t.Fatal("the app is still there")
	}
}

func TestPeople(t *testing.T) {
	t.Parallel()
	s := start(t, admintest.Options{})
	if r := s.run("setup-link"); r.code != 0 || !strings.HasPrefix(r.out, "https://edge.site.com:8443/") {
		t.Fatalf("set-up link %+v", r)
	}
	r := s.run("person", "add", "alice@site.com", "--name", "Alice", "--group", "admins", "--group", "staff")
	password := strings.TrimSpace(r.out)
	if r.code != 0 || len(password) < 12 || strings.ContainsAny(password, " \n") || strings.Contains(r.err, password) {
		t.Fatalf("generated password: %+v", r)
	}
	s.fails(6, "there is no set-up link any more", "setup-link")
	s.fails(6, "there is a person alice@site.com already", "person", "add", "alice@site.com")
	s.fails(2, "12 to 256", "person", "add", "bob@site.com", "--password-file", file(t, "short\n"))
	s.fails(2, "email address", "person", "add", "bob")
	s.fails(1, "no such file", "person", "add", "bob@site.com", "--password-file", "/nowhere/file")
	s.fails(1, "empty", "person", "add", "bob@site.com", "--password-file", file(t, "\n"))
	s.fails(2, "password", "person", "add", "bob@site.com", "--password-file", "x", "--password-stdin")
	s.ok("", "person", "add", "bob@site.com", "--password-file", file(t, "a long enough password\nmore\n"))
	if r := run(t, "another long password\n", "person", "passwd", "bob@site.com", "--password-stdin", "--config", s.edge.Config); r.code != 0 || r.out != "" {
		t.Fatalf("passwd %+v", r)
	}
	s.ok("", "person", "edit", "bob@site.com", "--group", "dba")
	var people []adminapi.Person
	s.json(&people, "person", "list")
	if len(people) != 2 || people[0].Name != "Alice" || strings.Join(people[0].Groups, " ") != "admins staff" || people[1].Groups[0] != "dba" {
		t.Fatalf("people %+v", people)
	}
	var c adminapi.Credentials
	s.json(&c, "person", "passwd", "bob@site.com")
	if len(c.Password) < 12 {
		t.Fatalf("generated %+v", c)
	}
	s.ok("", "person", "rm", "bob@site.com")
	s.fails(6, "there is no person bob@site.com", "person", "rm", "bob@site.com")
	s.fails(6, "there is no person bob@site.com", "person", "passwd", "bob@site.com")
	if r := s.run("audit", "tail", "-n", "100", "--json"); strings.Contains(r.out, password) || strings.Contains(r.out, c.Password) || strings.Count(r.out, `"event":"person"`) != 6 {
		t.Fatalf("audit\n%s", r.out)
	}
}

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestExternalProviderHasNoPeople(t *testing.T) {
	t.Parallel()
	s := start(t, admintest.Options{External: true})
	for _, args := range [][]string{{"person", "list"}, {"person", "add", "a@b.c"}, {"person", "rm", "a@b.c"}, {"person", "passwd", "a@b.c"}, {"setup-link"}} {
		s.fails(1, "this edge has no people of its own", args...)
	}
}

func signIn(t *testing.T, e *admintest.Edge, key byte, email, device string, groups ...string) sessions.Session {
	t.Helper()
	row, _, err := e.Sessions.Create(t.Context(), sessions.NewSession{Key: wire.KeyID{key}, EmailVerified: true, DeviceName: device, OSUser: "u",
		Person: wire.PersonInfo{Issuer: "https://id", Subject: email, Email: email, Groups: groups}})
	if err != nil {
		t.Fatal(err)
	}
	return row
}

func TestSessions(t *testing.T) {
	t.Parallel()
	s := start(t, admintest.Options{})
	one, two := signIn(t, s.edge, 1, "alice@site.com", "laptop"), signIn(t, s.edge, 2, "alice@site.com", "desk\x1b[2Jtop")
	bob := signIn(t, s.edge, 3, "bob@site.com", "pc")
	var told wire.Reason
	s.edge.Sessions.OnEnd(func(_ context.Context, _ sessions.Session, r wire.Reason) { told = r })
	if r := s.run("session", "list"); strings.Count(r.out, "alice@site.com") != 2 || strings.Contains(r.out, "\x1b") || !strings.Contains(r.out, bob.ID) {
		t.Fatalf("list\n%q", r.out)
	}
	s.ok("", "session", "revoke", bob.ID, "--reason", "laptop stolen")
	if told.Code != wire.CodeRevoked || told.Text != "laptop stolen" {
		t.Fatalf("told %+v", told)
	}
	s.fails(6, "there is no live session "+bob.ID, "session", "revoke", bob.ID)
	s.fails(6, "there is no live session nobody@site.com", "session", "revoke", "nobody@site.com")
	s.fails(2, "a reason is one line", "session", "revoke", one.ID, "--reason", "a\nb")
	var ended adminapi.Ended
	s.json(&ended, "session", "revoke", "Alice@site.com")
	if got := strings.Join(ended.Sessions, " "); !strings.Contains(got, one.ID) || !strings.Contains(got, two.ID) {
		t.Fatalf("ended %v", ended)
	}
	var list []adminapi.Session
	s.json(&list, "session", "list")
	if len(list) != 0 {
		t.Fatalf("live %+v", list)
	}
	s.json(&list, "session", "list", "--all")
	if len(list) != 3 || list[0].EndedAt == nil || list[0].End.Code != "revoked" {
		t.Fatalf("all %+v", list)
	}
}

func TestTokensAndConnectors(t *testing.T) {
	t.Parallel()
	s := start(t, admintest.Options{})
	r := s.run("token", "new", "--site", "site.com", "--hostnames", "db*.site.com", "--ttl", "1h", "--uses", "2")
	secret := strings.TrimSuffix(r.out, "\n")
	if r.code != 0 || secret == "" || strings.ContainsAny(secret, " \n") || strings.Contains(r.err, secret) {
		t.Fatalf("token %+v", r)
	}
	c, err := s.edge.Enrol.Join(t.Context(), wire.KeyID{7}, secret, "host1")
	if err != nil {
		t.Fatal(err)
	}
	var tokens []adminapi.Token
	s.json(&tokens, "token", "list")
	if len(tokens) != 1 || tokens[0].Used != 1 || tokens[0].Uses != 2 || time.Until(tokens[0].ExpiresAt) > time.Hour || !strings.Contains(tokens[0].By, "uid") {
		t.Fatalf("tokens %+v", tokens)
	}
	s.fails(2, "--site and --hostnames", "token", "new", "--site", "site.com")
	s.fails(2, "", "token", "new", "--site", "other.org", "--hostnames", "a.other.org")
	s.fails(2, "365 days", "token", "new", "--site", "site.com", "--hostnames", "a.site.com", "--ttl", "9000h")
	s.fails(2, "whole seconds", "token", "new", "--site", "site.com", "--hostnames", "a.site.com", "--ttl", "-1s")
	var made adminapi.NewToken
	s.json(&made, "token", "new", "--site", "site.com", "--hostnames", "a.site.com")
	if made.Secret == "" || made.Uses != 1 {
		t.Fatalf("made %+v", made)
	}
	s.ok("", "token", "rm", tokens[0].ID)
	s.fails(6, "there is no join token "+tokens[0].ID, "token", "rm", tokens[0].ID)
	var list []adminapi.Connector
	s.json(&list, "connector", "list")
	if len(list) != 1 || list[0].ID != c.ID || list[0].DeviceName != "host1" {
		t.Fatalf("connectors %+v", list)
	}
	if r := s.run("connector", "list"); !strings.Contains(r.out, "db*.site.com") {
		t.Fatalf("list\n%s", r.out)
	}
	s.ok("", "connector", "revoke", c.ID)
	s.fails(6, "there is no connector "+c.ID, "connector", "revoke", c.ID)
	s.ok("", "connector", "list")
	s.json(&list, "connector", "list", "--all")
	if len(list) != 1 || list[0].RevokedAt == nil || list[0].End.Code != "revoked" {
		t.Fatalf("all connectors %+v", list)
	}
	if r := s.run("audit", "tail", "--json"); strings.Contains(r.out, secret) || strings.Contains(r.out, made.Secret) {
		t.Fatal("the secret of a token is in the audit log")
	}
}

func TestStreams(t *testing.T) {
	t.Parallel()
	s := start(t, admintest.Options{})
	id := wire.NewStreamID()
	s.edge.Relay.Open(relay.StreamInfo{ID: id, Email: "alice@site.com", Hostname: "tcp.site.com", Port: 5432, StartedAt: time.Now(), Rule: "allow everyone (#1)"})
	var list []adminapi.Stream
	s.json(&list, "stream", "list")
	if len(list) != 1 || list[0].ID != id.String() {
		t.Fatalf("streams %+v", list)
	}
	if r := s.run("stream", "list"); !strings.Contains(r.out, "tcp.site.com:5432") {
		t.Fatalf("list\n%s", r.out)
	}
	s.fails(2, "not the id of a stream", "stream", "cut", "x")
	s.fails(6, "there is no live stream", "stream", "cut", wire.NewStreamID().String())
	s.ok("", "stream", "cut", id.String(), "--reason", "maintenance")
	if len(s.edge.Relay.Cuts) != 1 || s.edge.Relay.Cuts[0].Text != "maintenance" {
		t.Fatalf("cuts %+v", s.edge.Relay.Cuts)
	}
	s.ok("", "stream", "list")
	if r := s.run("status"); r.code != 0 || !strings.Contains(r.out, "2 client links, 1 host links, 1 trunks, 0 streams") {
		t.Fatalf("status %+v", r)
	}
}

func TestWhy(t *testing.T) {
	t.Parallel()
	s := start(t, admintest.Options{})
	s.ok("", "app", "add", "tcp.site.com", "--deny", "group:contractors", "--allow", "domain:site.com", "--allow", "group:friends")
	s.ok("", "person", "add", "paul@other.org", "--group", "friends", "--password-file", file(t, "long enough password"))
	signIn(t, s.edge, 1, "eve@site.com", "pc", "contractors")
	for _, c := range []struct {
		args string
		want adminapi.Why
	}{
		{"alice@site.com tcp.site.com", adminapi.Why{Allow: true, Rule: "allow domain:site.com (#2)", Known: "nothing"}},
		{"eve@site.com tcp.site.com", adminapi.Why{Rule: "deny group:contractors (#1)", Known: "session"}},
		{"paul@other.org tcp.site.com", adminapi.Why{Allow: true, Rule: "allow group:friends (#3)", Known: "person"}},
		{"paul@other.org tcp.site.com --group x", adminapi.Why{Rule: "default deny", Known: "given"}},
		{"alice@site.com no.site.com", adminapi.Why{Rule: "default deny", Known: "nothing"}},
	} {
		var got adminapi.Why
		s.json(&got, append([]string{"policy", "why"}, strings.Fields(c.args)...)...)
		if got.Allow != c.want.Allow || got.Rule != c.want.Rule || got.Known != c.want.Known {
			t.Errorf("%s: %+v", c.args, got)
		}
	}
	if r := s.run("policy", "why", "eve@site.com", "tcp.site.com"); r.code != 0 || !strings.HasPrefix(r.out, "denied: eve@site.com may not reach tcp.site.com by: deny group:contractors (#1)\n") {
		t.Fatalf("why %+v", r)
	}
}

func TestAudit(t *testing.T) {
	t.Parallel()
	s := start(t, admintest.Options{})
	for _, name := range []string{"a", "b", "c"} {
		s.ok("", "app", "add", name+".site.com", "--allow", "everyone")
	}
	if r := s.run("audit", "tail", "-n", "2"); r.code != 0 || strings.Count(r.out, "\n") != 2 || !strings.Contains(r.out, "  app  ok  actor=") || !strings.Contains(r.out, "hostname=c.site.com") {
		t.Fatalf("tail\n%s%s", r.out, r.err)
	}
	if r := s.run("audit", "verify"); r.code != 0 || !strings.HasPrefix(r.out, "good: 3 lines, 1 to 3,") {
		t.Fatalf("verify %+v", r)
	}
	log := filepath.Join(s.edge.Dir, "state", "audit", "audit.jsonl")
	if r := run(t, "", "audit", "verify", "--file", log); r.code != 0 {
		t.Fatalf("verify of the file %+v", r)
	}
	data, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(log, bytes.Replace(data, []byte("b.site.com"), []byte("x.site.com"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	s.fails(1, "audit.jsonl:2: the line was changed", "audit", "verify")
}

// TestAuditFollow: the lines that come are printed until Ctrl-C, which is no error.
func TestAuditFollow(t *testing.T) {
	t.Parallel()
	s := start(t, admintest.Options{})
	ctx, interrupt := context.WithCancel(t.Context())
	lines := lineWriter(make(chan string, 16))
	a := &app{in: strings.NewReader(""), out: lines, err: os.Stderr}
	code := make(chan int)
	go func() { code <- a.run(ctx, []string{"audit", "tail", "-f", "-n", "0", "--socket", s.edge.Socket}) }() // ends with interrupt
	// The command may not have connected yet: make changes until one is seen.
	for i := 0; ; i++ {
		s.ok("", "app", "add", "a.site.com", "--allow", "everyone")
		s.ok("", "app", "rm", "a.site.com")
		select {
		case line := <-lines:
			if !strings.Contains(line, "  app  ok  ") {
				t.Errorf("line %q", line)
			}
		case <-time.After(10 * time.Millisecond):
			if i < 1000 {
				continue
			}
			t.Error("no line came")
		}
		break
	}
	interrupt()
	if got := <-code; got != 0 {
		t.Errorf("code %d", got)
	}
}

// lineWriter sends each write as one text; what nobody reads is dropped.
type lineWriter chan string

func (w lineWriter) Write(p []byte) (int, error) {
	select {
	case w <- string(p):
	default:
	}
	return len(p), nil
}

func TestNoEdge(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	conf := filepath.Join(dir, "edge.yaml")
	if err := os.WriteFile(conf, config.Template(config.TemplateInput{Name: "a.b", Listen: ":1", State: "s", Zones: []string{"c.d"}}), 0o600); err != nil {
		t.Fatal(err)
	}
	bad := filepath.Join(dir, "bad.yaml")
	if err := os.WriteFile(bad, []byte("nmae: x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		code int
		want string
		args []string
	}{
		{"not running", exitEdge, "hint: sallyport-edge serve --config FILE", []string{"app", "list", "--config", conf}},
		{"no socket", exitEdge, "nothing serves /nowhere.sock", []string{"app", "list", "--socket", "/nowhere.sock"}},
		{"no config", exitFailed, "does not exist; make one with sallyport-edge init", []string{"app", "list", "--config", filepath.Join(dir, "none.yaml")}},
		{"bad config", exitUsage, "bad.yaml:1: nmae: is not a key; did you mean name?", []string{"app", "list", "--config", bad}},
		{"no default config", exitFailed, "name it with --config", []string{"app", "list"}},
		{"unknown command", exitUsage, "unknown command", []string{"apps"}},
		{"unknown verb", exitUsage, "\"remove\" is not a command: write one of add, list, edit, rm", []string{"app", "remove"}},
		{"no verb", exitUsage, "what to do is missing", []string{"app"}},
		{"help of the command", exitUsage, "hint: sallyport-edge app add --help", []string{"app", "add"}},
		{"unknown flag", exitUsage, "unknown flag", []string{"app", "list", "--wide"}},
		{"argument too many", exitUsage, "app list", []string{"app", "list", "x"}},
	} {
		r := run(t, "", c.args...)
		if r.code != c.code || r.out != "" || !strings.Contains(r.err, c.want) || !strings.Contains(r.err, "sallyport-edge: hint: ") && c.name != "no config" && c.name != "bad config" {
			t.Errorf("%s: code %d\n%s%s", c.name, r.code, r.out, r.err)
		}
	}
}

// With --json an error is an object on stderr, whatever was wrong.
func TestErrorsAsJSON(t *testing.T) {
	t.Parallel()
	for words, want := range map[string]adminapi.Code{
		"app list --json --socket /nowhere.sock": adminapi.CodeEdgeDown,
		"app list --json --config /nowhere.yaml": adminapi.CodeInternal,
		"app --json remove":                      adminapi.CodeInvalid,
		"app list --wide --json":                 adminapi.CodeInvalid,
	} {
		r := run(t, "", strings.Fields(words)...)
		var p adminapi.Problem
		if err := json.Unmarshal([]byte(r.err), &p); err != nil || p.Code != want || p.Title == "" || r.out != "" {
			t.Errorf("%s: %v, %+v", words, err, r)
		}
	}
}

// What keeps an edge from starting comes with the next step.
func TestServeFails(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		code int
		want string
	}{
		{fmt.Errorf("open database x: %w", store.ErrLocked), exitEdge, "error: open database x: another sallyport-edge has it open\nsallyport-edge: hint: stop the other one"},
		{fmt.Errorf("wrapped: %w", &hinted{errors.New("port taken"), "take another"}), exitFailed, "error: wrapped: port taken\nsallyport-edge: hint: take another"},
	} {
		var out bytes.Buffer
		a := &app{out: io.Discard, err: &out, serve: func(context.Context, string) error { return c.err }}
		if code := a.run(t.Context(), []string{"serve", "--config", "x"}); code != c.code || !strings.Contains(out.String(), c.want) {
			t.Errorf("code %d, %s", code, out.String())
		}
	}
}

func TestServe(t *testing.T) {
	t.Parallel()
	conf := filepath.Join(t.TempDir(), "edge.yaml")
	served := ""
	a := &app{out: &bytes.Buffer{}, err: &bytes.Buffer{}, serve: func(_ context.Context, path string) error { served = path; return nil }}
	if code := a.run(t.Context(), []string{"serve", "--config", conf}); code != 0 || served != conf {
		t.Fatalf("code %d, served %q", code, served)
	}
	ctx, cancel := context.WithCancel(t.Context())
	a.serve = func(ctx context.Context, _ string) error { cancel(); return ctx.Err() }
	if code := a.run(ctx, []string{"serve", "--config", conf}); code != 0 {
		t.Fatalf("told to end: code %d", code)
	}
}

func TestVersionAndCompletion(t *testing.T) {
	t.Parallel()
	if r := run(t, "", "version"); r.code != 0 || !strings.HasPrefix(r.out, "sallyport-edge ") {
		t.Fatalf("version %+v", r)
	}
	var v version
	if r := run(t, "", "version", "--json"); json.Unmarshal([]byte(r.out), &v) != nil || v.Go == "" {
		t.Fatalf("version %+v", r)
	}
	for _, sh := range []string{"bash", "zsh", "fish", "powershell"} {
		if r := run(t, "", "completion", sh); r.code != 0 || len(r.out) < 1000 {
			t.Fatalf("completion of %s: %d bytes, %s", sh, len(r.out), r.err)
		}
	}
}
