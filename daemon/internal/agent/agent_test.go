package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/daemon/internal/link/linktest"
	"github.com/sallyport/sallyport/daemon/internal/owner"
	"github.com/sallyport/sallyport/daemon/internal/seal"
	"github.com/sallyport/sallyport/daemon/internal/store"
	"github.com/sallyport/sallyport/internal/ipc"
	"github.com/sallyport/sallyport/wire"
)

// me is who runs the tests: the owner check is the real one.
var me = ipc.Identity{UID: strconv.Itoa(os.Geteuid()), Name: ipc.UserName(strconv.Itoa(os.Geteuid())), Administrator: true}

// bob is somebody else.
var bob = ipc.Identity{UID: "12345", Name: "bob"}

// patience bounds every wait of these tests.
const patience = 20 * time.Second

// rig is an agent on a state directory.
type rig struct {
	*Agent
	t     *testing.T
	store *store.Store
	stop  func()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// start runs an agent on a directory until stop, or the test, ends.
func start(t *testing.T, path string) *rig {
	t.Helper()
	dir, err := store.Acquire(t.Context(), path)
	must(t, err)
	box, err := seal.OpenKeyFile(dir.Path(store.SealKeyName))
	must(t, err)
	log := slog.New(slog.DiscardHandler)
	if testing.Verbose() {
		log = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	rows, err := dir.Open(t.Context(), store.Config{Seal: box, Log: log})
	must(t, err)
	checker, err := owner.New()
	must(t, err)
	a := New(Config{Store: rows, Owner: checker, DeviceName: "laptop-7", BootID: "b", Version: "1", Log: log})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	stopped := false
	r := &rig{Agent: a, t: t, store: rows, stop: func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := errors.Join(rows.Close(), checker.Close(), dir.Close()); err != nil {
			t.Error(err)
		}
	}}
	t.Cleanup(r.stop)
	<-a.Ready()
	return r
}

// until waits for a status of me.
func (r *rig) until(what string, ok func(api.Status) bool) api.Status {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	for {
		s, changed := r.Status(me)
		if ok(s) {
			return s
		}
		select {
		case <-changed:
		case <-ctx.Done():
			r.t.Fatalf("waited in vain for: %s\nlast: %+v", what, s)
		}
	}
}

// use chooses the test edge, for the machine.
func (r *rig) use(e *linktest.Edge) {
	r.t.Helper()
	_, err := r.UseEdge(r.t.Context(), me, api.EdgeInput{Name: linktest.Name, Address: e.Addr(), CAPEM: e.CAPEM(), Machine: true})
	must(r.t, err)
}

// login signs in as alice, by the code that the test edge takes.
func (r *rig) login() api.Session {
	r.t.Helper()
	l, err := r.StartLogin(r.t.Context(), context.Background(), me, api.LoginInput{Mode: api.ModeCode})
	must(r.t, err)
	if l.State != api.LoginBrowser || l.URL == "" {
		r.t.Fatalf("login %+v", l)
	}
	l, err = r.Redeem(r.t.Context(), me, l.ID, "ABCD1234")
	must(r.t, err)
	if l.State != api.LoginDone || l.Session == nil {
		r.t.Fatalf("login %+v", l)
	}
	s := r.until("a session", func(s api.Status) bool { return len(s.Sessions) == 1 && s.Sessions[0].State == api.SessionActive })
	return s.Sessions[0]
}

// freePort is one that nobody listened on a moment ago.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// echo is an origin that says back what it hears.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				io.Copy(c, c)
			}()
		}
	}()
	return "tcp://" + l.Addr().String()
}

// say sends a word through a forward and wants it back.
func say(t *testing.T, network, address, word string) {
	t.Helper()
	c, err := net.Dial(network, address)
	must(t, err)
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	_, err = io.WriteString(c, word)
	must(t, err)
	must(t, c.(interface{ CloseWrite() error }).CloseWrite())
	got, err := io.ReadAll(c)
	if err != nil || string(got) != word {
		t.Fatalf("said %q, heard %q, %v", word, got, err)
	}
}

// TestWholeWay has one daemon publish a service and forward to it; all of it
// comes back after a restart, without a login.
func TestWholeWay(t *testing.T) {
	t.Parallel()
	edge := linktest.New(t)
	dir := t.TempDir()
	r := start(t, dir)
	r.use(edge)
	tunnel, err := r.AddTunnel(t.Context(), me, api.TunnelInput{Hostname: linktest.Hostname, Origin: echo(t)})
	must(t, err)
	port := freePort(t)
	forward, err := r.AddForward(t.Context(), me, api.ForwardInput{Hostname: linktest.Hostname, Listen: "localhost:" + port})
	must(t, err)
	if forward.State != api.ForwardLoginNeeded || forward.OwnerCheck == "" || forward.Edge != linktest.Name || forward.Owner != me.Name {
		t.Errorf("forward %+v, want one that is bound and needs a login", forward)
	}
	r.until("published", func(s api.Status) bool { return s.Tunnels[0].State == api.TunnelPublished && len(s.Enrolments) == 1 })

	// The first connection raises the login, and goes on after it.
	said := make(chan struct{})
	go func() {
		defer close(said)
		say(t, "tcp", "127.0.0.1:"+port, "before the login")
	}()
	s := r.until("a wanted login", func(s api.Status) bool { return len(s.Logins) == 1 && s.Logins[0].State == api.LoginWanted })
	if s.Headline != api.HeadlineSignedOut || s.Logins[0].Waiting != 1 {
		t.Errorf("headline %s, login %+v", s.Headline, s.Logins[0])
	}
	r.login()
	<-said
	say(t, "tcp", "127.0.0.1:"+port, "after it")
	s = r.until("ready and counted", func(s api.Status) bool {
		return s.Forwards[0].State == api.ForwardReady && s.Forwards[0].TotalConns == 2 && s.Forwards[0].Connections == 0 && s.Tunnels[0].TotalConns == 2
	})
	if s.Headline != api.HeadlineReady || s.Sessions[0].Person.Email != "alice@site.com" {
		t.Errorf("headline %s, session %+v", s.Headline, s.Sessions[0])
	}
	r.stop()

	r = start(t, dir)
	s = r.until("all back", func(s api.Status) bool {
		return len(s.Forwards) == 1 && s.Forwards[0].State == api.ForwardReady && len(s.Tunnels) == 1 && s.Tunnels[0].State == api.TunnelPublished
	})
	if s.Forwards[0].ID != forward.ID || s.Tunnels[0].ID != tunnel.ID {
		t.Errorf("other ids after the restart: %+v", s)
	}
	say(t, "tcp", "127.0.0.1:"+port, "after the restart")
	if apps, err := r.Apps(t.Context(), me, ""); err != nil || len(apps) != 1 {
		t.Errorf("apps %v, %v", apps, err)
	}
}

func TestUnixForward(t *testing.T) {
	t.Parallel()
	edge := linktest.New(t)
	r := start(t, t.TempDir())
	r.use(edge)
	_, err := r.AddTunnel(t.Context(), me, api.TunnelInput{Hostname: linktest.Hostname, Origin: echo(t)})
	must(t, err)
	r.until("published", func(s api.Status) bool { return s.Tunnels[0].State == api.TunnelPublished })
	r.login()
	dir, err := os.MkdirTemp("", "sp")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	f, err := r.AddForward(t.Context(), me, api.ForwardInput{Hostname: linktest.Hostname, Listen: "unix:" + path})
	must(t, err)
	if f.OwnerCheck != "filesystem" {
		t.Errorf("owner check %q", f.OwnerCheck)
	}
	say(t, "unix", path, "by a socket")
	must(t, r.RemoveForward(t.Context(), me, f.ID))
	if _, err := os.Stat(path); err == nil {
		t.Error("the socket of a removed forward is there")
	}
}

func TestStream(t *testing.T) {
	t.Parallel()
	edge := linktest.New(t)
	r := start(t, t.TempDir())
	r.use(edge)
	_, err := r.AddTunnel(t.Context(), me, api.TunnelInput{Hostname: linktest.Hostname, Origin: echo(t)})
	must(t, err)
	r.until("published", func(s api.Status) bool { return s.Tunnels[0].State == api.TunnelPublished })
	r.login()
	s, err := r.OpenStream(t.Context(), me, api.StreamInput{Hostname: linktest.Hostname})
	must(t, err)
	_, err = io.WriteString(s, "hello")
	must(t, err)
	must(t, s.CloseWrite())
	if b, err := io.ReadAll(s); err != nil || string(b) != "hello" {
		t.Errorf("heard %q, %v", b, err)
	}
	for in, want := range map[api.StreamInput]api.Code{
		{Hostname: "not a name"}:                                api.CodeInvalid,
		{Hostname: linktest.Hostname, Edge: "other.edge"}:       api.CodeNoEdge,
		{Hostname: linktest.Hostname, Edge: "https://nonsense"}: api.CodeInvalid,
	} {
		if _, err := r.OpenStream(t.Context(), me, in); codeOf(err) != want {
			t.Errorf("%+v: %v, want %s", in, err, want)
		}
	}
}

func codeOf(err error) api.Code {
	var p *api.Problem
	if errors.As(err, &p) {
		return p.Code
	}
	return ""
}

func TestLogout(t *testing.T) {
	t.Parallel()
	edge := linktest.New(t)
	r := start(t, t.TempDir())
	r.use(edge)
	session := r.login()
	if err := r.EndSession(t.Context(), bob, session.ID); codeOf(err) != api.CodeNotFound {
		t.Errorf("another user's: %v", err)
	}
	must(t, r.EndSession(t.Context(), me, session.ID))
	s := r.until("signed out", func(s api.Status) bool { return s.Sessions[0].State == api.SessionEnded })
	if s.Sessions[0].Problem == nil || s.Headline != api.HeadlineSignedOut {
		t.Errorf("session %+v, headline %s", s.Sessions[0], s.Headline)
	}
	if _, err := r.Apps(t.Context(), me, ""); codeOf(err) != api.CodeLoginNeeded {
		t.Errorf("apps after the logout: %v", err)
	}
	r.until("edge told", func(api.Status) bool {
		row, err := r.store.Sessions.Get(store.Key(me.UID, linktest.Name))
		return err == nil && row.Token == "" && row.Farewell == nil
	})
	must(t, r.EndSession(t.Context(), me, session.ID)) // forgets that it was
	r.until("forgotten", func(s api.Status) bool { return len(s.Sessions) == 0 })
	if err := r.EndSession(t.Context(), me, session.ID); codeOf(err) != api.CodeNotFound {
		t.Errorf("a second time: %v", err)
	}
}

// TestLogoutWhileTheEdgeIsAway wipes at once, and tells the edge at the next
// contact, even if the daemon was restarted in between.
func TestLogoutWhileTheEdgeIsAway(t *testing.T) {
	t.Parallel()
	edge := linktest.New(t)
	told := make(chan string, 4)
	edge.Handle = func(c *linktest.Conn, req uint32, m wire.Message) bool {
		if m, ok := m.(*wire.Logout); ok {
			told <- m.Session
		}
		return false
	}
	dir := t.TempDir()
	r := start(t, dir)
	r.use(edge)
	session := r.login()
	edge.Stop()
	r.until("offline", func(s api.Status) bool { return s.Edges[0].Link.State != api.LinkOnline })
	must(t, r.EndSession(t.Context(), me, session.ID))
	r.until("signed out", func(s api.Status) bool { return s.Sessions[0].State == api.SessionEnded })
	row, err := r.store.Sessions.Get(store.Key(me.UID, linktest.Name))
	must(t, err)
	if row.Token != "" || row.Farewell == nil {
		t.Errorf("row %+v, want a farewell", row)
	}
	r.stop()

	r = start(t, dir)
	if s, _ := r.Status(me); s.Sessions[0].State != api.SessionEnded {
		t.Errorf("after the restart the session is %s", s.Sessions[0].State)
	}
	edge.Start()
	select {
	case id := <-told:
		if id != session.ID {
			t.Errorf("the edge was told of %q, want %q", id, session.ID)
		}
	case <-time.After(patience):
		t.Fatal("the edge was not told")
	}
	r.until("farewell over", func(api.Status) bool {
		row, err := r.store.Sessions.Get(store.Key(me.UID, linktest.Name))
		return err == nil && row.Farewell == nil
	})
	if s, _ := r.Status(me); s.Sessions[0].State != api.SessionEnded {
		t.Errorf("in the end the session is %s", s.Sessions[0].State)
	}
}

func TestHeldThingsGoWithTheirRequest(t *testing.T) {
	t.Parallel()
	edge := linktest.New(t)
	dir := t.TempDir()
	r := start(t, dir)
	r.use(edge)
	port := freePort(t)
	f, err := r.AddForward(t.Context(), me, api.ForwardInput{Hostname: linktest.Hostname, Listen: "localhost:" + port, Hold: true})
	must(t, err)
	tn, err := r.AddTunnel(t.Context(), me, api.TunnelInput{Hostname: linktest.Hostname, Origin: "tcp://localhost:1", Hold: true})
	must(t, err)
	if !f.Hold || !tn.Hold || f.State != api.ForwardLoginNeeded {
		t.Errorf("forward %+v, tunnel %+v", f, tn)
	}
	paused := true
	if f, err = r.EditForward(t.Context(), me, f.ID, api.ForwardPatch{Paused: &paused}); err != nil || f.State != api.ForwardPaused {
		t.Errorf("paused: %+v, %v", f, err)
	}
	r.ReleaseForward(f.ID)
	r.ReleaseTunnel(tn.ID)
	r.until("gone", func(s api.Status) bool { return len(s.Forwards) == 0 && len(s.Tunnels) == 0 })
	_, err = r.AddForward(t.Context(), me, api.ForwardInput{Hostname: linktest.Hostname, Listen: "localhost:" + port, Hold: true})
	must(t, err) // the port is free again
	r.stop()
	r = start(t, dir)
	if s, _ := r.Status(me); len(s.Forwards) != 0 {
		t.Errorf("a held forward survived a restart: %+v", s.Forwards)
	}
}

func TestForwardEdits(t *testing.T) {
	t.Parallel()
	r := start(t, t.TempDir())
	r.use(linktest.New(t))
	port, other := freePort(t), freePort(t)
	f, err := r.AddForward(t.Context(), me, api.ForwardInput{Hostname: "A.site.com.", Listen: "localhost:" + port})
	must(t, err)
	if f.Hostname != "a.site.com" {
		t.Errorf("hostname %q", f.Hostname)
	}
	for name, tt := range map[string]struct {
		who  ipc.Identity
		in   api.ForwardInput
		want api.Code
	}{
		"the same again":       {me, api.ForwardInput{Hostname: "b.site.com", Listen: "localhost:" + port}, api.CodeConflict},
		"another user's":       {bob, api.ForwardInput{Hostname: "b.site.com", Listen: "localhost:" + port}, api.CodeConflict},
		"no edge of this name": {me, api.ForwardInput{Hostname: "b.site.com", Listen: "localhost:" + other, Edge: "none.site.com"}, api.CodeNoEdge},
		"low port":             {bob, api.ForwardInput{Hostname: "b.site.com", Listen: "localhost:22"}, api.CodePermission},
		"every address":        {bob, api.ForwardInput{Hostname: "b.site.com", Listen: "0.0.0.0:" + other}, api.CodeInvalid},
		"no hostname":          {me, api.ForwardInput{Listen: "localhost:" + other}, api.CodeInvalid},
	} {
		if _, err := r.AddForward(t.Context(), tt.who, tt.in); codeOf(err) != tt.want {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
	if _, err := r.Forward(bob, f.ID); codeOf(err) != api.CodeNotFound {
		t.Errorf("another user sees it: %v", err)
	}
	if _, err := r.EditForward(t.Context(), bob, f.ID, api.ForwardPatch{}); codeOf(err) != api.CodeNotFound {
		t.Errorf("another user edits it: %v", err)
	}
	if err := r.RemoveForward(t.Context(), bob, f.ID); codeOf(err) != api.CodeNotFound {
		t.Errorf("another user removes it: %v", err)
	}
	listen := "localhost:" + other
	f, err = r.EditForward(t.Context(), me, f.ID, api.ForwardPatch{Listen: &listen})
	if err != nil || f.Listen != listen || f.State != api.ForwardLoginNeeded {
		t.Errorf("moved: %+v, %v", f, err)
	}
	if _, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
		t.Error("the old port is still open")
	}
	taken, err := net.Listen("tcp", "127.0.0.1:"+port)
	must(t, err)
	defer taken.Close()
	back := "localhost:" + port
	f, err = r.EditForward(t.Context(), me, f.ID, api.ForwardPatch{Listen: &back})
	if err != nil || f.State != api.ForwardError || f.Problem == nil || f.Problem.Code != api.CodePortTaken {
		t.Errorf("moved to a taken port: %+v, %v", f, err)
	}
	must(t, r.RemoveForward(t.Context(), me, f.ID))
	if s, _ := r.Status(me); len(s.Forwards) != 0 {
		t.Errorf("left: %+v", s.Forwards)
	}
}

func TestEdges(t *testing.T) {
	t.Parallel()
	r := start(t, t.TempDir())
	if _, err := r.AddForward(t.Context(), me, api.ForwardInput{Hostname: "a.site.com", Listen: "localhost:" + freePort(t)}); codeOf(err) != api.CodeNoEdge {
		t.Errorf("forward without an edge: %v", err)
	}
	if _, err := r.AddTunnel(t.Context(), me, api.TunnelInput{Hostname: "a.site.com", Origin: "tcp://localhost:1"}); codeOf(err) != api.CodeNoEdge {
		t.Errorf("tunnel without an edge: %v", err)
	}
	if _, err := r.UseEdge(t.Context(), bob, api.EdgeInput{Name: "e.site.com", Machine: true}); codeOf(err) != api.CodePermission {
		t.Errorf("a plain user chose the machine's edge: %v", err)
	}
	machine, err := r.UseEdge(t.Context(), me, api.EdgeInput{Name: "m.site.com:8443", Address: "127.0.0.1:1", Machine: true})
	must(t, err)
	own, err := r.UseEdge(t.Context(), me, api.EdgeInput{Name: "Own.site.com:443", Address: "127.0.0.1:1"})
	must(t, err)
	if own.Name != "own.site.com" || own.Machine || machine.Name != "m.site.com:8443" || !machine.Machine {
		t.Errorf("edges %+v %+v", own, machine)
	}
	f, err := r.AddForward(t.Context(), me, api.ForwardInput{Hostname: "a.site.com", Listen: "localhost:" + freePort(t)})
	must(t, err)
	if f.Edge != "own.site.com" {
		t.Errorf("the forward's edge is %q", f.Edge)
	}
	if s, _ := r.Status(bob); len(s.Edges) != 1 || s.Edges[0].ID != machine.ID {
		t.Errorf("another user sees %+v", s.Edges)
	}
	if err := r.RemoveEdge(t.Context(), bob, machine.ID); codeOf(err) != api.CodePermission {
		t.Errorf("a plain user removed the machine's edge: %v", err)
	}
	if err := r.RemoveEdge(t.Context(), bob, own.ID); codeOf(err) != api.CodeNotFound {
		t.Errorf("another user removed the edge: %v", err)
	}
	again, err := r.UseEdge(t.Context(), me, api.EdgeInput{Name: "own.site.com", Address: "127.0.0.1:2"})
	if err != nil || again.ID != own.ID || again.Address != "127.0.0.1:2" {
		t.Errorf("chosen again: %+v, %v", again, err)
	}
	must(t, r.RemoveEdge(t.Context(), me, own.ID))
	s := r.until("forward without an edge", func(s api.Status) bool { return s.Forwards[0].State == api.ForwardError })
	if s.Forwards[0].Problem.Code != api.CodeNoEdge {
		t.Errorf("problem %+v", s.Forwards[0].Problem)
	}
}

// TestBrokenHops wants each way in which an edge cannot be used told apart.
func TestBrokenHops(t *testing.T) {
	t.Parallel()
	edge := linktest.New(t)
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	refusing := nobody.Addr().String()
	nobody.Close()
	for name, tt := range map[string]struct {
		in   api.EdgeInput
		want api.Code
	}{
		"refused":   {api.EdgeInput{Name: "e.site.com", Address: refusing}, api.CodeEdgeRefused},
		"untrusted": {api.EdgeInput{Name: linktest.Name, Address: edge.Addr()}, api.CodeEdgeUntrusted},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, t.TempDir())
			_, err := r.UseEdge(t.Context(), me, tt.in)
			must(t, err)
			if _, err := r.StartLogin(t.Context(), context.Background(), me, api.LoginInput{Mode: api.ModeCode}); codeOf(err) != tt.want {
				t.Errorf("login: %v, want %s", err, tt.want)
			}
			r.until("the link's problem", func(s api.Status) bool {
				return s.Edges[0].Link.Problem != nil && s.Edges[0].Link.Problem.Code == tt.want && s.Headline == api.HeadlineOffline
			})
		})
	}
}

func TestEnrolment(t *testing.T) {
	t.Parallel()
	edge := linktest.New(t)
	var known = make(chan bool, 100)
	edge.Welcome = func(c *linktest.Conn, h *wire.Hello) wire.Message {
		w := linktest.DefaultWelcome(h)
		if h.Role == wire.RoleHost && len(known) == 0 {
			w.Connector = nil
		}
		return w
	}
	dir := t.TempDir()
	r := start(t, dir)
	r.use(edge)
	_, err := r.AddTunnel(t.Context(), me, api.TunnelInput{Hostname: linktest.Hostname, Origin: echo(t)})
	must(t, err)
	r.until("enrolment needed", func(s api.Status) bool { return s.Tunnels[0].State == api.TunnelEnrolNeeded })
	if _, err := r.Enrol(t.Context(), me, api.EnrolmentInput{}); codeOf(err) != api.CodeInvalid {
		t.Errorf("without a token: %v", err)
	}
	if _, err := r.StartLogin(t.Context(), t.Context(), bob, api.LoginInput{Mode: api.ModeCode, Purpose: api.PurposeEnrol}); codeOf(err) != api.CodePermission {
		t.Errorf("a plain user enrols the machine: %v", err)
	}
	e, err := r.Enrol(t.Context(), me, api.EnrolmentInput{Token: "join"})
	if err != nil || e.ConnectorID != "c1" {
		t.Fatalf("enrolment %+v, %v", e, err)
	}
	r.until("published", func(s api.Status) bool { return s.Tunnels[0].State == api.TunnelPublished && len(s.Enrolments) == 1 })
	if s, _ := r.Status(bob); len(s.Enrolments) != 0 || len(s.Tunnels) != 0 {
		t.Errorf("a plain user sees %+v %+v", s.Enrolments, s.Tunnels)
	}
	r.stop()
	// While the daemon is down, an administrator of the edge revokes it: the
	// edge knows the key no more.
	r = start(t, dir)
	s := r.until("not enrolled any more", func(s api.Status) bool { return len(s.Enrolments) == 1 && s.Enrolments[0].Problem != nil })
	if s.Tunnels[0].State != api.TunnelEnrolNeeded || s.Enrolments[0].Problem.Hint == "" {
		t.Errorf("tunnel %s, enrolment %+v", s.Tunnels[0].State, s.Enrolments[0])
	}
}

// TestEnrolByLogin walks the login with the purpose enrol.
func TestEnrolByLogin(t *testing.T) {
	t.Parallel()
	edge := linktest.New(t)
	edge.Welcome = func(c *linktest.Conn, h *wire.Hello) wire.Message {
		w := linktest.DefaultWelcome(h)
		w.Connector = nil
		return w
	}
	edge.Handle = func(c *linktest.Conn, req uint32, m wire.Message) bool {
		if _, ok := m.(*wire.LoginRedeem); ok {
			c.Reply(req, &wire.LoginDone{Connector: &wire.ConnectorInfo{ID: "c2", Group: "g", Site: "site.com", Hostnames: []string{"*.site.com"}}})
			return true
		}
		return false
	}
	r := start(t, t.TempDir())
	r.use(edge)
	l, err := r.StartLogin(t.Context(), context.Background(), me, api.LoginInput{Mode: api.ModeCode, Purpose: api.PurposeEnrol})
	must(t, err)
	if s := r.until("the login in the list", func(s api.Status) bool { return len(s.Logins) == 1 }); s.Logins[0].ID != l.ID {
		t.Errorf("logins %+v", s.Logins)
	}
	if _, err := r.Login(bob, l.ID); codeOf(err) != api.CodeNotFound {
		t.Errorf("another user sees the login: %v", err)
	}
	if _, err := r.Redeem(t.Context(), bob, l.ID, "x"); codeOf(err) != api.CodeNotFound {
		t.Errorf("another user redeems it: %v", err)
	}
	l, err = r.Redeem(t.Context(), me, l.ID, "code")
	if err != nil || l.Enrolment == nil || l.Enrolment.ConnectorID != "c2" {
		t.Fatalf("login %+v, %v", l, err)
	}
	r.until("stored", func(s api.Status) bool { return len(s.Enrolments) == 1 && s.Enrolments[0].ConnectorID == "c2" })
}

func TestCancelLogin(t *testing.T) {
	t.Parallel()
	r := start(t, t.TempDir())
	r.use(linktest.New(t))
	l, err := r.StartLogin(t.Context(), context.Background(), me, api.LoginInput{Mode: api.ModeCode})
	must(t, err)
	if err := r.CancelLogin(t.Context(), bob, l.ID); codeOf(err) != api.CodeNotFound {
		t.Errorf("another user cancels it: %v", err)
	}
	must(t, r.CancelLogin(t.Context(), me, l.ID))
	if l, err := r.Login(me, l.ID); err != nil || l.State != api.LoginCancelled {
		t.Errorf("login %+v, %v", l, err)
	}
}

// TestTwoUsers: one daemon, two owners, two links with two keys.
func TestTwoUsers(t *testing.T) {
	t.Parallel()
	edge := linktest.New(t)
	r := start(t, t.TempDir())
	r.use(edge)
	r.login()
	if _, err := r.Apps(t.Context(), bob, ""); codeOf(err) != api.CodeLoginNeeded {
		t.Errorf("another user uses the session: %v", err)
	}
	keys, err := r.store.Keys.List()
	if err != nil || len(keys) != 2 || string(keys[0].PKCS8) == string(keys[1].PKCS8) {
		t.Errorf("%d keys, %v; want two different ones", len(keys), err)
	}
	if s, _ := r.Status(bob); len(s.Sessions) != 0 || len(s.Logins) != 0 || s.User != "bob" {
		t.Errorf("another user sees %+v", s)
	}
}

func TestFaultsAreTold(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start(t, dir).stop()
	must(t, os.WriteFile(filepath.Join(dir, "state.db"), []byte("garbage"), 0o600))
	r := start(t, dir)
	s, _ := r.Status(bob)
	if len(s.Problems) == 0 || s.Problems[0].Title != "The database was damaged" {
		t.Errorf("problems %+v", s.Problems)
	}
}

func TestStopWhileSomebodyWaits(t *testing.T) {
	t.Parallel()
	edge := linktest.New(t)
	r := start(t, t.TempDir())
	r.use(edge)
	failed := make(chan error, 1)
	go func() {
		_, err := r.OpenStream(context.Background(), me, api.StreamInput{Hostname: linktest.Hostname})
		failed <- err
	}()
	r.until("a wanted login", func(s api.Status) bool { return len(s.Logins) == 1 })
	r.stop()
	select {
	case err := <-failed:
		if err == nil {
			t.Error("a stream was opened")
		}
	case <-time.After(patience):
		t.Error("who waits for a login is not released by the end")
	}
}

func Example_newID() {
	id := newID("fwd")
	fmt.Println(id[:4], len(id))
	// Output: fwd_ 14
}
