package agent

import (
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/daemon/internal/link/linktest"
	"github.com/sallyport/sallyport/daemon/internal/store"
	"github.com/sallyport/sallyport/wire"
)

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
