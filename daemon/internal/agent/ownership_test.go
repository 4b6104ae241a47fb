package agent

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/daemon/internal/link/linktest"
	"github.com/sallyport/sallyport/internal/ipc"
	"github.com/sallyport/sallyport/wire"
)

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
		"every address":        {bob, api.ForwardInput{Hostname: "b.site.com", Listen: "0.0.0.0:" + other}, api.CodePermission},
		"no address":           {bob, api.ForwardInput{Hostname: "b.site.com", Listen: "somehost:" + other}, api.CodeInvalid},
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
	share, paused := api.ShareEveryone, true
	if _, err := r.EditForward(t.Context(), me, f.ID, api.ForwardPatch{Listen: &listen, Share: &share}); err != nil {
		t.Errorf("shared by an administrator: %v", err)
	}
	plain := me
	plain.Administrator = false
	if f, err = r.EditForward(t.Context(), plain, f.ID, api.ForwardPatch{Paused: &paused}); err != nil || f.State != api.ForwardPaused {
		t.Errorf("its owner switches a shared one off: %+v, %v", f, err)
	}
	if _, err := r.EditForward(t.Context(), plain, f.ID, api.ForwardPatch{Listen: &back}); codeOf(err) != api.CodePermission {
		t.Errorf("its owner changes a shared one: %v", err)
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
	again, err = r.UseEdge(t.Context(), me, api.EdgeInput{Name: "own.site.com", Proxy: "direct"})
	if err != nil || again.Address != "127.0.0.1:2" || again.Proxy != "direct" {
		t.Errorf("chosen again without its address: %+v, %v", again, err)
	}
	again, err = r.UseEdge(t.Context(), me, api.EdgeInput{Name: "own.site.com"})
	if err != nil || again.Address != "127.0.0.1:2" || again.Proxy != "direct" {
		t.Errorf("chosen again by its name alone: %+v, %v", again, err)
	}
	must(t, r.RemoveEdge(t.Context(), me, own.ID))
	s := r.until("forward without an edge", func(s api.Status) bool { return s.Forwards[0].State == api.ForwardError })
	if s.Forwards[0].Problem.Code != api.CodeNoEdge {
		t.Errorf("problem %+v", s.Forwards[0].Problem)
	}
}

// TestBrokenHops wants each way in which an edge cannot be used told apart.
func TestEdgesAreBounded(t *testing.T) {
	t.Parallel()
	r := start(t, t.TempDir())
	use := func(who ipc.Identity, i int) error {
		_, err := r.UseEdge(t.Context(), who, api.EdgeInput{Name: fmt.Sprintf("edge-%d.site.com", i)})
		return err
	}
	for i := range maxEdges {
		must(t, use(bob, i))
	}
	if err := use(bob, maxEdges); codeOf(err) != api.CodeLimit {
		t.Errorf("one more: %v", err)
	}
	must(t, use(bob, 3))       // one that is there
	must(t, use(me, maxEdges)) // another user
}

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
