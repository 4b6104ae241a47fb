package cli_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/api/client/clienttest"
	"github.com/sallyport/sallyport/ctl/internal/cli/clitest"
)

// The whole life of the command that people know: it waits, a connection wants
// a login, the browser opens once, access is cut, Ctrl-C.
func TestAccessTCP(t *testing.T) {
	t.Parallel()
	b := clitest.New(t)
	opened := withBrowser(t, b, clienttest.GoodCode)
	l := b.Start(nil, "access", "tcp", "--hostname", "tcp.site.com", "--url", "localhost:9210")
	l.Err.Await(t, "localhost:9210 -> tcp.site.com: login-needed\n")
	if f := b.Daemon.Status().Forwards[0]; !f.Hold || f.Listen != "localhost:9210" {
		t.Errorf("forward %+v", f)
	}
	b.Daemon.Change(func(s *api.Status) {
		s.Logins = []api.Login{{ID: "lgn_w", Edge: "edge.site.com", State: api.LoginWanted, Waiting: 200}}
	})
	l.Err.Await(t, "signed in to edge.site.com as alice@site.com\n")
	l.Err.Await(t, "localhost:9210 -> tcp.site.com: ready\n")

	b.Daemon.Change(func(s *api.Status) {
		s.Forwards[0].LastError = &api.Problem{Code: api.CodeNoConnector, Title: "no host publishes tcp.site.com now", Hint: "is its daemon running?"}
	})
	l.Err.Await(t, "connection failed: no host publishes tcp.site.com now\nsallyport: hint: is its daemon running?\n")
	b.Daemon.Change(func(s *api.Status) {
		s.Sessions[0].State = api.SessionEnded
		s.Sessions[0].Problem = &api.Problem{Code: api.CodeRevoked, Title: "carol revoked it", Hint: "ask carol"}
	})
	l.Err.Await(t, "access as alice@site.com ended: carol revoked it\nsallyport: hint: ask carol\n")
	l.Interrupt()
	if got := l.Wait(); got.Code != 130 || got.Out != "" || *opened != 1 {
		t.Errorf("%d browsers, %+v", *opened, got)
	}
	b.Daemon.Wait(t, "no forward", func(s *api.Status) bool { return len(s.Forwards) == 0 })
}

// tunnel add tells what the edge has said, which takes a moment.
func TestTunnelAddWaitsForTheEdge(t *testing.T) {
	t.Parallel()
	b := clitest.New(t)
	l := b.Start(nil, "tunnel", "add", clienttest.SlowHostname, "7870")
	b.Daemon.Wait(t, "the tunnel", func(s *api.Status) bool { return len(s.Tunnels) == 1 })
	b.Daemon.Change(func(s *api.Status) {
		s.Tunnels[0].State = api.TunnelRefused
		s.Tunnels[0].Problem = &api.Problem{Code: api.CodeHostnameTaken, Title: "Another host has it", Hint: "Ask carol"}
	})
	got := l.Wait()
	if got.Code != 0 || !strings.Contains(got.Out, "refused") || !strings.Contains(got.Out, "problem: another host has it\n    hint: ask carol\n") {
		t.Errorf("%+v", got)
	}
}

// With --json an error is an object on stderr, whatever was wrong.
func TestErrorsAsJSON(t *testing.T) {
	t.Parallel()
	b := clitest.New(t)
	for words, want := range map[string]api.Problem{
		"forward rm nope --json":   {Code: api.CodeNotFound, Title: `There is no forward "nope"`, Hint: "sallyport forward list"},
		"forward add --json":       {Code: api.CodeInvalid, Title: "a hostname is needed, such as tcp.site.com", Hint: "sallyport forward add --help"},
		"forward --json --what":    {Code: api.CodeInvalid, Title: "unknown flag: --what", Hint: "sallyport forward --help"},
		"forward --what --json":    {Code: api.CodeInvalid, Title: "unknown flag: --what", Hint: "sallyport forward --help"},
		"edge use e --json --ca /": {Code: api.CodeInternal, Title: "read the certificates: read /: is a directory"},
	} {
		got := b.Run(strings.Fields(words)...)
		var p api.Problem
		if err := json.Unmarshal([]byte(got.Err), &p); err != nil || p != want || got.Out != "" {
			t.Errorf("%s: %v, %+v", words, err, got)
		}
	}
}

// Where nobody could type a code, a wanted login is left to others.
func TestAccessTCPLeavesLogin(t *testing.T) {
	t.Parallel()
	b := clitest.New(t)
	l := b.Start(strings.NewReader(""), "access", "tcp", "--hostname", "tcp.site.com", "--url", "9210", "--json")
	l.Out.Await(t, `{"id":"fwd_1"`)
	b.Daemon.Change(func(s *api.Status) {
		s.Logins = []api.Login{{ID: "lgn_w", Edge: "edge.site.com", State: api.LoginWanted}}
	})
	l.Err.Await(t, "login needed: a connection waits for it\nsallyport: hint: sallyport login\n")
	l.Interrupt()
	if got := l.Wait(); !strings.HasPrefix(got.Out, `{"id":"fwd_1"`) {
		t.Errorf("got %+v", got)
	}
	if st := b.Daemon.Status(); st.Logins[0].State != api.LoginWanted {
		t.Errorf("login %+v", st.Logins[0])
	}
}

// ssh at a local port, as tcp is.
func TestAccessSSHAtPort(t *testing.T) {
	t.Parallel()
	b := clitest.New(t)
	l := b.Start(nil, "access", "ssh", "--hostname", "ssh.site.com", "--url", "localhost:2222")
	l.Err.Await(t, "localhost:2222 -> ssh.site.com: ")
	if f := b.Daemon.Status().Forwards[0]; !f.Hold || f.Hostname != "ssh.site.com" {
		t.Errorf("forward %+v", f)
	}
	l.Interrupt()
	l.Wait()
}

func TestAccessTCPCannotListen(t *testing.T) {
	t.Parallel()
	b := clitest.New(t)
	b.Daemon.Fail("POST /v1/forwards", api.Problem{Code: api.CodePortTaken, Title: "port 9210 is taken", Detail: "by nginx"})
	got := b.Run("access", "tcp", "--hostname", "tcp.site.com", "--url", "localhost:9210")
	if got.Code != 6 || !strings.Contains(got.Err, "error: port 9210 is taken: by nginx") {
		t.Errorf("got %+v", got)
	}
}

func TestTunnelHeld(t *testing.T) {
	t.Parallel()
	b := clitest.New(t)
	args := []string{"tunnel", "--hostname", "tcp.site.com", "--url", "tcp://localhost:7870"}
	if got := b.Run(args...); got.Code != 3 || !strings.Contains(got.Err, "hint: sallyport tunnel login") {
		t.Errorf("not enrolled: %+v", got)
	}
	b.Daemon.Wait(t, "no tunnel", func(s *api.Status) bool { return len(s.Tunnels) == 0 })
	b.Daemon.Change(func(s *api.Status) { s.Enrolments = []api.Enrolment{{}} })
	l := b.Start(nil, args...)
	l.Err.Await(t, "sallyport: tcp.site.com -> tcp://localhost:7870: published\n")
	b.Daemon.Change(func(s *api.Status) {
		s.Tunnels[0].State = api.TunnelOriginDown
		s.Tunnels[0].Problem = &api.Problem{Code: api.CodeOriginRefused, Title: "nothing listens at localhost:7870"}
	})
	l.Err.Await(t, "origin-down: nothing listens at localhost:7870\n")
	l.Interrupt()
	if got := l.Wait(); got.Code != 130 || strings.Contains(got.Err, "error:") {
		t.Errorf("got %+v", got)
	}
	b.Daemon.Wait(t, "no tunnel", func(s *api.Status) bool { return len(s.Tunnels) == 0 })
}

// Standard input and output carry bytes and both half-closes.
func TestStdio(t *testing.T) {
	t.Parallel()
	b := clitest.New(t)
	b.In = strings.Repeat("sallyport\n", 30_000)
	for _, args := range [][]string{{"access", "tcp", "--hostname", "tcp.site.com"}, {"access", "ssh", "ssh.site.com"}} {
		got := b.Run(args...)
		if got.Code != 0 || got.Err != "" || got.Out != strings.ToUpper(b.In) {
			t.Errorf("%v: code %d, %d bytes, stderr %q", args, got.Code, len(got.Out), got.Err)
		}
	}
}

func TestStdioReset(t *testing.T) {
	t.Parallel()
	b := clitest.New(t)
	b.Daemon.EndStreams(&api.Problem{Code: api.CodeConnectorLost, Title: "the host went away"})
	in, w := io.Pipe()
	defer w.Close()
	l := b.Start(in, "access", "tcp", "--hostname", "tcp.site.com")
	io.WriteString(w, "abc\n")
	if got := l.Wait(); got.Code != 1 || got.Out != "ABC\n" || !strings.Contains(got.Err, "error: the host went away") {
		t.Errorf("got %+v", got)
	}
}

func TestStdioInterrupted(t *testing.T) {
	t.Parallel()
	b := clitest.New(t)
	in, w := io.Pipe()
	defer w.Close()
	l := b.Start(in, "access", "tcp", "--hostname", "tcp.site.com")
	io.WriteString(w, "abc\n")
	l.Out.Await(t, "ABC\n")
	l.Interrupt()
	if got := l.Wait(); got.Code != 130 || strings.Contains(got.Err, "error") {
		t.Errorf("got %+v", got)
	}
}

// A stream that needs a login goes through it and is opened again; the code is
// typed on the terminal, since the input is data.
func TestStdioLogin(t *testing.T) {
	t.Parallel()
	b := clitest.New(t)
	needed := api.Problem{Code: api.CodeLoginNeeded, Title: "nobody is signed in", Hint: "sallyport login"}
	b.Daemon.Fail("POST /v1/streams", needed)
	opened := withBrowser(t, b, clienttest.GoodCode)
	if got := b.Run("access", "ssh", "ssh.site.com"); got.Code != 3 || *opened != 0 || !strings.Contains(got.Err, "hint: sallyport login") {
		t.Errorf("without a terminal: %+v", got)
	}
	b.System.Browser = func() (bool, string) { return false, "this is a test" }
	tty, keys := io.Pipe()
	defer keys.Close()
	b.System.ErrTerminal = true
	b.System.OpenTTY = func() (io.ReadCloser, error) { return io.NopCloser(tty), nil }
	b.In = "data\n"
	l := b.Start(strings.NewReader(b.In), "access", "ssh", "ssh.site.com")
	l.Err.Await(t, "Approval code: ")
	b.Daemon.Fail("POST /v1/streams", api.Problem{})
	io.WriteString(keys, clienttest.GoodCode+"\n")
	if got := l.Wait(); got.Code != 0 || got.Out != "DATA\n" {
		t.Errorf("got %+v", got)
	}
}

// A daemon that holds the stream until somebody has signed in: with a person
// there the login is taken, without one the command gives up.
func TestStdioHeld(t *testing.T) {
	t.Parallel()
	b := clitest.New(t)
	b.Daemon.HoldStreams()
	b.In = "data\n"
	opened := withBrowser(t, b, clienttest.GoodCode)
	if got := b.Run("access", "ssh", "ssh.site.com"); got.Code != 3 || !strings.Contains(got.Err, "hint: sallyport login") || *opened != 0 {
		t.Errorf("without a person: %d browsers, %+v", *opened, got)
	}
	b.System.ErrTerminal = true
	b.System.OpenTTY = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("")), nil }
	if got := b.Run("access", "ssh", "ssh.site.com"); got.Code != 0 || got.Out != "DATA\n" || *opened != 1 {
		t.Errorf("with a person: %d browsers, %+v", *opened, got)
	}
}

func TestStdioDenied(t *testing.T) {
	t.Parallel()
	b := clitest.New(t)
	b.Daemon.Fail("POST /v1/streams", api.Problem{Code: api.CodeDenied, Title: "you may not reach tcp.site.com", Hint: "ask dba@site.com"})
	if got := b.Run("access", "tcp", "tcp.site.com"); got.Code != 5 || !strings.Contains(got.Err, "hint: ask dba@site.com") {
		t.Errorf("got %+v", got)
	}
}

func TestSSHConfig(t *testing.T) {
	t.Parallel()
	b := clitest.New(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	want := "Host ssh.site.com\n  ProxyCommand " + self + " access ssh --hostname %h\n"
	if got := b.Run("access", "ssh", "--hostname", "ssh.site.com", "--print-config"); got.Code != 0 || got.Out != want {
		t.Errorf("got %+v, want %q", got, want)
	}
}

// Without an edge, the hostname is asked which one serves it, and the person
// whether to use that.
func TestDiscover(t *testing.T) {
	t.Parallel()
	body := `{"edge":"edge.site.com","port":8443,"id":"edge-1","later":1}`
	site := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/.well-known/sallyport" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, body)
	}))
	defer site.Close()
	tests := []struct {
		name, in string
		terminal bool
		body     string
		code     int
		err      string
		edges    int
	}{
		{"yes", "y\n", true, body, 0, "says that the edge edge.site.com:8443 serves it", 1},
		{"no", "n\n", true, body, 1, "hint: if you trust it: sallyport edge use edge.site.com:8443", 0},
		{"nobody answers", "", true, body, 1, "no edge is chosen", 0},
		{"no terminal", "y\n", false, body, 1, "hint: if you trust it", 0},
		{"nonsense", "y\n", true, `{"edge":"/","port":443}`, 1, "hint: sallyport edge use NAME", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := clitest.New(t)
			b.Daemon.Change(func(s *api.Status) { s.Edges = nil })
			b.System.Terminal, b.In, body = tt.terminal, tt.in, tt.body
			b.System.HTTP = &http.Client{Transport: toSite{site}}
			got := b.Run("forward", "add", "tcp.site.com", "9210")
			if got.Code != tt.code || !strings.Contains(got.Err, tt.err) {
				t.Errorf("got %+v", got)
			}
			st := b.Daemon.Status()
			if len(st.Edges) != tt.edges {
				t.Errorf("edges %+v", st.Edges)
			}
			if tt.code == 0 && st.Forwards[0].Edge != "edge.site.com:8443" {
				t.Errorf("forward %+v", st.Forwards[0])
			}
		})
	}
}

// toSite sends what goes to tcp.site.com to a server of the test.
type toSite struct{ *httptest.Server }

func (s toSite) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != "tcp.site.com" || r.URL.Scheme != "https" {
		return nil, errors.New("asked " + r.URL.String())
	}
	r = r.Clone(r.Context())
	r.URL.Host = strings.TrimPrefix(s.URL, "https://")
	return s.Client().Transport.RoundTrip(r)
}
