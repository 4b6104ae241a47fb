package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/api/client/clienttest"
	"github.com/sallyport/sallyport/ctl/internal/cli/clitest"
)

// trim lets a golden text stand indented in the code.
func trim(s string) string { return strings.TrimPrefix(s, "\n") }

func session() api.Session {
	return api.Session{
		ID: "ses_1", Edge: "edge.site.com", Owner: "bob", State: api.SessionActive, StartedAt: clienttest.Start, ExpiresAt: clienttest.Start.Add(12 * time.Hour),
		Person: api.Person{Email: "alice@site.com", Groups: []string{"dba"}},
	}
}

// everything fills a status with one of each, and with faults.
func everything(s *api.Status) {
	retry := clienttest.Start.Add(3 * time.Minute)
	s.Headline, s.Text = api.HeadlineDegraded, "1 of 2 forwards is ready"
	s.Problems = []api.Problem{{Code: api.CodeUnsupported, Title: "no owner check on this system", Hint: "use Unix sockets"}}
	s.Edges = append(s.Edges, api.Edge{
		ID: "edg_2", Name: "e2.site.com:8443", Address: "10.0.0.1:8443", Machine: true,
		Link: api.Link{State: api.LinkWaiting, Since: clienttest.Start, RetryAt: &retry, Problem: &api.Problem{Code: api.CodeEdgeRefused, Title: "nothing listens at 10.0.0.1:8443", Hint: "is the edge running?"}},
	})
	s.Sessions = []api.Session{session()}
	s.Logins = []api.Login{{ID: "lgn_1", Edge: "e2.site.com:8443", State: api.LoginWanted, Waiting: 3}, {ID: "lgn_0", State: api.LoginDone}}
	s.Forwards = []api.Forward{
		{ID: "fwd_1", Hostname: "tcp.site.com", Listen: "localhost:9210", State: api.ForwardReady, Since: clienttest.Start, Connections: 2, BytesToOrigin: 1536, BytesToLocal: 5 << 30, OwnerCheck: "enforced",
			LastError: &api.Problem{Code: api.CodeNoConnector, Title: "no host publishes tcp.site.com now"}},
		{ID: "fwd_2", Hostname: "web.site.com", Listen: "localhost:8080", HTTP: true, State: api.ForwardError, Since: clienttest.Start, OwnerCheck: "unsupported",
			Problem: &api.Problem{Code: api.CodePortTaken, Title: "port 8080 is taken", Detail: "by nginx (pid 7)\x1b[2J", Hint: "sallyport forward edit fwd_2 --url localhost:8081"}},
	}
	s.Tunnels = []api.Tunnel{{ID: "tun_1", Hostname: "db.site.com", Origin: "tcp://localhost:5432", Edge: "e2.site.com:8443", State: api.TunnelPublished, Since: clienttest.Start}}
	s.Enrolments = []api.Enrolment{{Edge: "e2.site.com:8443", ConnectorID: "con_1", Group: "grp_1", Site: "site.com", Hostnames: []string{"db.site.com", "*.x.site.com"}, Since: clienttest.Start}}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	b := clitest.New(t)
	b.Daemon.Change(everything)
	want := trim(`
degraded: 1 of 2 forwards is ready
problem: no owner check on this system
hint: use Unix sockets

EDGE              LINK     SINCE   USED BY      ID
edge.site.com     online   2m ago  you          edg_1
e2.site.com:8443  waiting  2m ago  the machine  edg_2
    dialled at 10.0.0.1:8443
    problem: nothing listens at 10.0.0.1:8443
    hint: is the edge running?
    tries again in 1m

SIGNED IN AS    EDGE           STATE   EXPIRES    ID
alice@site.com  edge.site.com  active  in 11h58m  ses_1

SIGN-IN AT        STATE   WAITING        EXPIRES  ID
e2.site.com:8443  wanted  3 connections  -        lgn_1
    hint: sallyport login

FORWARD TO    LISTEN          STATE  SINCE   CONNECTIONS  TO ORIGIN  TO LOCAL  NOTES                                     ID
tcp.site.com  localhost:9210  ready  2m ago  2            1.5 KiB    5.0 GiB   -                                         fwd_1
    last connection: no host publishes tcp.site.com now
web.site.com  localhost:8080  error  2m ago  0            0 B        0 B       http, open to every user of this machine  fwd_2
    problem: port 8080 is taken: by nginx (pid 7)?[2J
    hint: sallyport forward edit fwd_2 --url localhost:8081

TUNNEL       ORIGIN                STATE      SINCE   CONNECTIONS  TO ORIGIN  FROM ORIGIN  NOTES  ID
db.site.com  tcp://localhost:5432  published  2m ago  0            0 B        0 B          -      tun_1

HOST AT           SITE      MAY PUBLISH               GROUP  SINCE   CONNECTOR
e2.site.com:8443  site.com  db.site.com *.x.site.com  grp_1  2m ago  con_1
`)
	got := b.Run("status")
	if got.Code != 0 || got.Out != want || got.Err != "" {
		t.Errorf("code %d, stderr %q, stdout:\n%s\nwant:\n%s", got.Code, got.Err, got.Out, want)
	}
	var st api.Status
	got = b.Run("status", "--json")
	if err := json.Unmarshal([]byte(got.Out), &st); err != nil || len(st.Forwards) != 2 || st.Headline != api.HeadlineDegraded {
		t.Errorf("--json: %v, %s", err, got.Out)
	}
}

func TestStatusWatch(t *testing.T) {
	t.Parallel()
	b := clitest.New(t)
	l := b.Start(nil, "status", "--watch")
	l.Out.Await(t, "signed-out: Signed out\n")
	b.Daemon.Change(func(s *api.Status) { s.Text = "Something else" })
	l.Out.Await(t, "signed-out: Something else\n")
	l.Interrupt()
	if got := l.Wait(); got.Code != 130 || got.Err != "" {
		t.Errorf("got %+v", got)
	}
}

func TestEvents(t *testing.T) {
	t.Parallel()
	b := clitest.New(t)
	l := b.Start(nil, "events")
	l.Out.Await(t, "2026-11-23T10:00:00Z  0  signed-out: Signed out\n")
	l.Interrupt()
	l.Wait()
	l = b.Start(nil, "events", "--json")
	l.Out.Await(t, `{"seq":0,"kind":"status","status":{"headline":"signed-out"`)
	l.Interrupt()
	l.Wait()
}

// step is one command and what it leaves; a word of stderr is enough.
type step struct {
	args string
	code int
	out  string // whole
	err  string // contained; "" means empty
}

func steps(t *testing.T, b *clitest.Bench, list []step) {
	t.Helper()
	for _, s := range list {
		got := b.Run(strings.Fields(s.args)...)
		if got.Code != s.code || got.Out != trim(s.out) || (s.err == "") != (got.Err == "") || !strings.Contains(got.Err, s.err) {
			t.Errorf("sallyport %s\ncode %d, want %d\nstdout:\n%s\nwant:\n%s\nstderr:\n%s\nwant: %s", s.args, got.Code, s.code, got.Out, trim(s.out), got.Err, s.err)
		}
	}
}

func TestForward(t *testing.T) {
	t.Parallel()
	b := clitest.New(t)
	steps(t, b, []step{
		{"forward list", 0, "", "sallyport forward add HOSTNAME"},
		{"forward list --json", 0, "[]\n", ""},
		{"forward add tcp.site.com 9210", 0, `
FORWARD TO    LISTEN          STATE         SINCE   CONNECTIONS  TO ORIGIN  TO LOCAL  NOTES  ID
tcp.site.com  localhost:9210  login-needed  2m ago  0            0 B        0 B       -      fwd_1
    hint: sallyport login
`, ""},
		{"forward add --hostname https://Web.site.com/ --url tcp://127.0.0.1:8080 --http --paused", 0, `
FORWARD TO    LISTEN          STATE         SINCE   CONNECTIONS  TO ORIGIN  TO LOCAL  NOTES  ID
web.site.com  127.0.0.1:8080  login-needed  2m ago  0            0 B        0 B       http   fwd_2
    hint: sallyport login
`, ""},
		{"forward add tcp.site.com --unix /tmp/x.sock", 0, `
FORWARD TO    LISTEN            STATE         SINCE   CONNECTIONS  TO ORIGIN  TO LOCAL  NOTES  ID
tcp.site.com  unix:/tmp/x.sock  login-needed  2m ago  0            0 B        0 B       -      fwd_3
    hint: sallyport login
`, ""},
		{"forward pause web.site.com", 0, `
FORWARD TO    LISTEN          STATE   SINCE   CONNECTIONS  TO ORIGIN  TO LOCAL  NOTES  ID
web.site.com  127.0.0.1:8080  paused  2m ago  0            0 B        0 B       http   fwd_2
`, ""},
		{"forward resume fwd_2", 0, `
FORWARD TO    LISTEN          STATE  SINCE   CONNECTIONS  TO ORIGIN  TO LOCAL  NOTES  ID
web.site.com  127.0.0.1:8080  ready  2m ago  0            0 B        0 B       http   fwd_2
`, ""},
		{"forward pause fwd_1 fwd_3", 0, `
FORWARD TO    LISTEN          STATE   SINCE   CONNECTIONS  TO ORIGIN  TO LOCAL  NOTES  ID
tcp.site.com  localhost:9210  paused  2m ago  0            0 B        0 B       -      fwd_1
FORWARD TO    LISTEN            STATE   SINCE   CONNECTIONS  TO ORIGIN  TO LOCAL  NOTES  ID
tcp.site.com  unix:/tmp/x.sock  paused  2m ago  0            0 B        0 B       -      fwd_3
`, ""},
		{"forward pause --all", 0, `
FORWARD TO    LISTEN          STATE   SINCE   CONNECTIONS  TO ORIGIN  TO LOCAL  NOTES  ID
web.site.com  127.0.0.1:8080  paused  2m ago  0            0 B        0 B       http   fwd_2
`, ""},
		{"forward resume fwd_1 fwd_3", 0, `
FORWARD TO    LISTEN          STATE  SINCE   CONNECTIONS  TO ORIGIN  TO LOCAL  NOTES  ID
tcp.site.com  localhost:9210  ready  2m ago  0            0 B        0 B       -      fwd_1
FORWARD TO    LISTEN            STATE  SINCE   CONNECTIONS  TO ORIGIN  TO LOCAL  NOTES  ID
tcp.site.com  unix:/tmp/x.sock  ready  2m ago  0            0 B        0 B       -      fwd_3
`, ""},
		{"forward resume --all", 0, `
FORWARD TO    LISTEN          STATE  SINCE   CONNECTIONS  TO ORIGIN  TO LOCAL  NOTES  ID
web.site.com  127.0.0.1:8080  ready  2m ago  0            0 B        0 B       http   fwd_2
`, ""},
		{"forward pause", 2, "", "say which forwards, or --all"},
		{"forward pause --all fwd_1", 2, "", "say which forwards, or --all"},
		{"forward edit 127.0.0.1:8080 --listen 8081 --http=false", 0, `
FORWARD TO    LISTEN          STATE  SINCE   CONNECTIONS  TO ORIGIN  TO LOCAL  NOTES  ID
web.site.com  localhost:8081  ready  2m ago  0            0 B        0 B       -      fwd_2
`, ""},
		{"forward edit fwd_2", 2, "", "nothing to change"},
		{"forward rm tcp.site.com", 6, "", `"tcp.site.com" means more than one forward: fwd_1, fwd_3`},
		{"forward rm nope.site.com", 6, "", "hint: sallyport forward list"},
		{"forward rm 9210 fwd_2 unix:/tmp/x.sock", 0, "", ""},
		{"forward add tcp.site.com", 2, "", "a local address is needed"},
		{"forward add", 2, "", "a hostname is needed"},
		{"forward add a.b 1 2", 2, "", "accepts at most 2 arg(s)"},
		{"forward add a.b --url 1 --unix /x", 2, "", "not both"},
	})
}

func TestTray(t *testing.T) {
	t.Parallel()
	b := clitest.New(t)
	steps(t, b, []step{
		{"tray autostart", 0, "The tray does not start when you log in.\n", ""},
		{"tray autostart on", 0, "The tray starts when you log in.\n", ""},
		{"tray autostart --json", 0, "{\n  \"autostart\": true\n}\n", ""},
		{"tray autostart off", 0, "The tray does not start when you log in.\n", ""},
		{"tray autostart maybe", 2, "", "neither on nor off"},
		{"portal", 0, "https://edge.site.com/\n", ""},
		{"portal nope", 6, "", "hint: sallyport edge list"},
	})
}

func TestTunnel(t *testing.T) {
	t.Parallel()
	b := clitest.New(t)
	b.In = "  join-token\n"
	steps(t, b, []step{
		{"tunnel list", 0, "", "sallyport tunnel add"},
		{"tunnel join", 0, "This machine is a host at edge.site.com: connector con_1 of site site.com, may publish *.site.com.\n", ""},
		{"tunnel add tcp.site.com localhost:7870", 0, `
TUNNEL        ORIGIN                STATE      SINCE   CONNECTIONS  TO ORIGIN  FROM ORIGIN  NOTES  ID
tcp.site.com  tcp://localhost:7870  published  2m ago  0            0 B        0 B          -      tun_2
`, ""},
		{"tunnel pause tcp.site.com", 0, `
TUNNEL        ORIGIN                STATE   SINCE   CONNECTIONS  TO ORIGIN  FROM ORIGIN  NOTES  ID
tcp.site.com  tcp://localhost:7870  paused  2m ago  0            0 B        0 B          -      tun_2
`, ""},
		{"tunnel rm tun_2", 0, "", ""},
		{"tunnel rm tun_2", 6, "", `there is no tunnel "tun_2"`},
		{"tunnel add tcp.site.com gopher://x:1", 2, "", "scheme gopher"},
		{"tunnel", 2, "", "needs a verb"},
		{"tunnel run", 2, "", `unknown command "run"`},
		{"tunnel --hostname tcp.site.com", 2, "", "service to publish is needed"},
	})
	b.In = " \n"
	steps(t, b, []step{{"tunnel join", 2, "", "the join token is empty"}})
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	steps(t, b, []step{{"tunnel join --token-file " + file, 0, "This machine is a host at edge.site.com: connector con_3 of site site.com, may publish *.site.com.\n", ""}})
}

func TestEdge(t *testing.T) {
	t.Parallel()
	b := clitest.New(t)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, []byte("PEM"), 0o600); err != nil {
		t.Fatal(err)
	}
	steps(t, b, []step{
		{"edge use https://E2.site.com:443/ --ca " + ca + " --address 127.0.0.1:8443", 0, "You use the edge e2.site.com.\n", ""},
		{"edge use --machine e3.site.com:8443", 0, "This machine uses the edge e3.site.com:8443.\n", ""},
		{"edge show e2.site.com", 0, `
EDGE         LINK  SINCE   USED BY  ID
e2.site.com  idle  2m ago  you      edg_1
    dialled at 127.0.0.1:8443
`, ""},
		{"edge show", 0, `
EDGE           LINK    SINCE   USED BY  ID
edge.site.com  online  2m ago  you      edg_1
`, ""},
		{"edge rm e3.site.com:8443 edge.site.com", 0, "", ""},
		{"edge rm nope", 6, "", "hint: sallyport edge list"},
		{"edge use", 2, "", "accepts 1 arg(s)"},
		{"edge use /x", 2, "", "is not an edge"},
		{"edge use e --ca /nowhere", 1, "", "read the certificates"},
	})
	if st := b.Daemon.Status(); len(st.Edges) != 0 && st.Edges[0].CAPEM != "PEM" {
		t.Errorf("edges %+v", st.Edges)
	}
	b.Daemon.Change(func(s *api.Status) { s.Edges = nil })
	steps(t, b, []step{
		{"edge show", 1, "", "hint: sallyport edge use"},
		{"edge list --json", 0, "[]\n", ""},
	})
}

func TestWho(t *testing.T) {
	t.Parallel()
	b := clitest.New(t)
	steps(t, b, []step{
		{"whoami", 3, "", "hint: sallyport login"},
		{"logout", 0, "", "nobody is signed in"},
	})
	b.Daemon.Change(func(s *api.Status) {
		old := session()
		old.ID, old.State = "ses_0", api.SessionExpired
		s.Sessions = []api.Session{old, session()}
	})
	b.Daemon.SetApps(api.App{Hostname: "tcp.site.com", Online: true}, api.App{Hostname: "db.site.com"})
	steps(t, b, []step{
		{"whoami", 0, "alice@site.com at edge.site.com (session ends in 11h58m, groups dba)\n", ""},
	})
	b.Run("forward", "add", "tcp.site.com", "9210")
	steps(t, b, []step{
		{"apps", 0, `
APP           STATE    LOCAL
tcp.site.com  online   localhost:9210
db.site.com   offline  -
`, ""},
		{"logout other.site.com", 0, "", "nobody is signed in"},
		{"logout", 0, "Signed out from edge.site.com (alice@site.com).\n", ""},
	})
}

func TestVersion(t *testing.T) {
	t.Parallel()
	b := clitest.New(t)
	got := b.Run("version")
	if got.Code != 0 || !strings.HasPrefix(got.Out, "sallyport ") || !strings.Contains(got.Out, "sallyportd 1.2.3 (abc, go1.26.8, linux/amd64)") {
		t.Errorf("got %+v", got)
	}
	b.Daemon.Socket += ".gone"
	got = b.Run("version", "--json")
	if got.Code != 0 || !strings.Contains(got.Out, `"daemon": null`) {
		t.Errorf("without a daemon: %+v", got)
	}
}

func TestComplete(t *testing.T) {
	t.Parallel()
	b := clitest.New(t)
	b.Daemon.SetApps(api.App{Hostname: "db.site.com"}, api.App{Hostname: "tcp.site.com"})
	b.Run("forward", "add", "tcp.site.com", "9210")
	for line, want := range map[string]string{
		"forward rm ":                  "localhost:9210 tcp.site.com :4",
		"forward rm tcp.site.com ":     "localhost:9210 :4",
		"forward add d":                "db.site.com :4",
		"access tcp --hostname ":       "db.site.com tcp.site.com :4",
		"login ":                       "edge.site.com :4",
		"edge show edge.site.com ":     ":4",
		"tunnel rm ":                   ":4",
		"access ssh --hostname=tcp.si": "tcp.site.com :4",
	} {
		words := strings.Split(line, " ")
		// The shell passes the whole line, the socket among it.
		args := append([]string{"__complete", "--socket", b.Daemon.Socket}, words...)
		got := b.Run(args...)
		if s := strings.Join(strings.Fields(got.Out), " "); s != want {
			t.Errorf("%q: got %q, want %q", line, s, want)
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if got := b.Run("completion", shell); got.Code != 0 || !strings.Contains(got.Out, "sallyport") {
			t.Errorf("%s: code %d, %.80q", shell, got.Code, got.Out)
		}
	}
}
