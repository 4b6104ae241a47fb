package relay

import (
	"net"
	"testing"
	"time"

	"github.com/sallyport/sallyport/edge/internal/audit"
	"github.com/sallyport/sallyport/wire"
)

// lose breaks the trunk; its stream is parked when it returns.
func (j *joined) lose() {
	j.t.Helper()
	j.pairing.lose()
	j.eventually("the stream is parked", func() bool { return j.relay.Links().Parked == 1 })
}

// lose breaks the trunk.
func (x *pairing) lose() {
	c := x.client.NetConn().(*net.TCPConn)
	c.SetLinger(0)
	c.Close()
}

// process is the host as the ticket named it.
func (j *joined) process() *wire.HostProcess {
	return &wire.HostProcess{Key: j.ticket.HostKey, BootID: j.ticket.BootID}
}

// again makes another trunk to the same process.
func (j *joined) again() *pairing {
	j.t.Helper()
	return j.trunkWith(j.client, j.host, &wire.TicketRequest{Session: j.session, Hostname: app, Host: j.process()})
}

func (j *joined) resume(to wire.TrunkID) {
	j.t.Helper()
	err := j.client.Send(&wire.Resume{Trunk: to, Streams: []wire.ResumeStream{{Stream: j.stream, From: j.ticket.Trunk}}})
	if err != nil {
		j.t.Fatal(err)
	}
}

func (j *joined) ends() []audit.Record { return j.records(audit.EventStreamEnd) }

// The whole way of a stream whose trunk is lost.
func TestResume(t *testing.T) {
	t.Parallel()
	j := newJoined(t)
	if j.ticket.BootID != "boot" || j.ticket.ResumeMS != 300_000 || j.offer.ResumeMS != 300_000 {
		t.Errorf("ticket = %+v, offer = %+v", j.ticket, j.offer)
	}
	j.lose()
	if list := j.relay.Streams(); len(list) != 1 || !list[0].Parked || list[0].ID != j.stream {
		t.Errorf("Streams = %+v", list)
	}
	started := j.relay.Streams()[0].StartedAt
	x := j.again()
	j.resume(x.ticket.Trunk)
	g := expect[*wire.Grant](j.host)
	if !g.Resumes || g.Stream != j.stream || g.Trunk != x.ticket.Trunk || g.Session != j.session || g.Hostname != app {
		t.Errorf("grant = %+v", g)
	}
	starts := j.records(audit.EventStreamResume) // durable before the grant
	if len(starts) != 1 || starts[0].FromTrunk != j.ticket.Trunk.String() || starts[0].Trunk != x.ticket.Trunk.String() || starts[0].Rule == "" {
		t.Errorf("records = %+v", starts)
	}
	if list := j.relay.Streams(); len(list) != 1 || list[0].Parked || list[0].Trunk != x.ticket.Trunk || !list[0].StartedAt.Equal(started) {
		t.Errorf("Streams = %+v", list)
	}
	if c := j.relay.Links(); c.Trunks != 1 || c.Streams != 1 || c.Parked != 0 {
		t.Errorf("Links = %+v", c)
	}
	// The host may still speak of the trunk before.
	j.host.Send(&wire.StreamEnded{Trunk: j.ticket.Trunk, Stream: j.stream, BytesToOrigin: 7, BytesToClient: 9, Code: wire.CodeClosed})
	j.eventually("the end is audited", func() bool { return len(j.ends()) == 1 })
	if end := j.ends()[0]; end.BytesToOrigin != 7 || end.BytesToClient != 9 || end.Trunk != x.ticket.Trunk.String() {
		t.Errorf("end = %+v", end)
	}
	if n := j.meter.resumed.Load(); n != 1 {
		t.Errorf("%d resumed", n)
	}
	if h := j.relay.peer(j.host.d.key).Host(); h.Streams() != 0 {
		t.Errorf("the host is said to carry %d streams", h.Streams())
	}
}

// A ticket to a process that is not there.
func TestTicketToAProcess(t *testing.T) {
	t.Parallel()
	j := newJoined(t)
	ask := func(p wire.HostProcess) wire.Code {
		return j.client.refusal(&wire.TicketRequest{Session: j.session, Hostname: app, Host: &p}).Code
	}
	other, _ := j.world.host("other.site.com")
	if code := ask(wire.HostProcess{Key: j.host.d.key, BootID: "before"}); code != wire.CodeHostRestarted {
		t.Errorf("another boot: %s", code)
	}
	if code := ask(wire.HostProcess{Key: j.client.d.key, BootID: "boot"}); code != wire.CodeNoConnector {
		t.Errorf("no host at all: %s", code)
	}
	if code := ask(wire.HostProcess{Key: other.d.key, BootID: "boot"}); code != wire.CodeNoConnector {
		t.Errorf("a host of something else: %s", code)
	}
	j.host.Close()
	j.eventually("the host is gone", func() bool { return j.relay.Links().Hosts == 1 })
	if code := ask(*j.process()); code != wire.CodeNoConnector {
		t.Errorf("a host that is away: %s", code)
	}
}

// What may not resume: the client hears why, and the host ends what it holds.
func TestNotResumed(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		before func(*joined) // once the other trunk is there
		code   wire.Code
	}{
		{"the stream was cut", func(j *joined) {
			go j.relay.CutStream(t.Context(), j.stream, wire.Reason{Code: wire.CodeRevoked})
			expect[*wire.Cut](j.host)
			j.host.Send(&wire.CutDone{Trunk: j.ticket.Trunk, Stream: j.stream})
			j.eventually("it is over", func() bool { return j.relay.Links().Parked == 0 })
		}, wire.CodeRevoked},
		{"it is over", func(j *joined) {
			j.host.Send(&wire.StreamEnded{Stream: j.stream, Trunk: j.ticket.Trunk, Code: wire.CodeReset})
			j.eventually("it is over", func() bool { return j.relay.Links().Parked == 0 })
		}, wire.CodeReset},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			j := newJoined(t)
			j.lose()
			x := j.again()
			tt.before(j)
			j.resume(x.ticket.Trunk)
			if d := expect[*wire.Denied](j.client); d.Stream != j.stream || d.Trunk != x.ticket.Trunk || d.Reason.Code != tt.code {
				t.Errorf("denied = %+v", d)
			}
			j.eventually("the row is gone", func() bool { return len(j.relay.Streams()) == 0 })
		})
	}
	t.Run("another client", func(t *testing.T) {
		t.Parallel()
		j := newJoined(t)
		j.lose()
		mallory, s := j.world.client("mallory@site.com")
		x := j.world.trunk(mallory, s, j.host)
		mallory.Send(&wire.Resume{Trunk: x.ticket.Trunk, Streams: []wire.ResumeStream{{Stream: j.stream}}})
		if d := expect[*wire.Denied](mallory); d.Reason.Code != wire.CodeProtocol {
			t.Errorf("denied = %+v", d)
		}
		if c := j.relay.Links(); c.Parked != 1 {
			t.Errorf("the stream is gone: %+v", c)
		}
		y := j.again()
		j.resume(y.ticket.Trunk)
		if g := expect[*wire.Grant](j.host); !g.Resumes {
			t.Errorf("grant = %+v", g)
		}
	})
	t.Run("another host", func(t *testing.T) {
		t.Parallel()
		j := newJoined(t)
		j.lose()
		token, _, err := j.enrol.NewToken(t.Context(), tokenFor(j.connector.Group))
		if err != nil {
			t.Fatal(err)
		}
		second := j.device().link(wire.Hello{Role: wire.RoleHost})
		call[*wire.Enrolled](second, &wire.Enrol{Token: token})
		second.register(app)
		x := j.trunkWith(j.client, second, &wire.TicketRequest{
			Session: j.session, Hostname: app, Host: &wire.HostProcess{Key: second.d.key, BootID: "boot"},
		})
		j.resume(x.ticket.Trunk)
		if d := expect[*wire.Denied](j.client); d.Reason.Code != wire.CodeNoConnector {
			t.Errorf("denied = %+v", d)
		}
	})
	t.Run("the trunk is gone again", func(t *testing.T) {
		t.Parallel()
		j := newJoined(t)
		j.lose()
		j.resume(wire.NewTrunkID()) // no answer: it asks again with another
		x := j.again()
		j.resume(x.ticket.Trunk)
		if g := expect[*wire.Grant](j.host); g.Trunk != x.ticket.Trunk {
			t.Errorf("grant = %+v", g)
		}
		select {
		case m := <-j.client.msgs:
			t.Errorf("the client hears %T", m)
		default:
		}
	})
}

// What is parked is cut like what lives: when the call returns the row is gone,
// and both daemons have been told which stream, and why.
func TestCutWhileParked(t *testing.T) {
	t.Parallel()
	why := wire.Reason{Code: wire.CodeRevoked, Text: "revoked by an administrator"}
	tests := []struct {
		name string
		cut  func(*joined) error
		code wire.Code
	}{
		{"session revoked", func(j *joined) error { return j.sessions.End(t.Context(), j.session, why) }, wire.CodeRevoked},
		{"connector revoked", func(j *joined) error { return j.enrol.Revoke(t.Context(), j.connector.ID, why) }, wire.CodeConnectorLost},
		{"app removed", func(j *joined) error { return j.apps.Remove(t.Context(), app) }, wire.CodeAppRemoved},
		{"logout", func(j *joined) error {
			call[*wire.OK](j.client, &wire.Logout{Session: j.session})
			return nil
		}, wire.CodeLoggedOut},
		{"stream cut", func(j *joined) error { return j.relay.CutStream(t.Context(), j.stream, why) }, wire.CodeRevoked},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			j := newJoined(t)
			j.lose()
			heard := make(chan *wire.Cut, 1)
			go func() {
				for m := range j.host.msgs {
					if c, ok := m.(*wire.Cut); ok && c.Stream == j.stream {
						j.host.Send(&wire.StreamEnded{Trunk: c.Trunk, Stream: c.Stream, BytesToOrigin: 3, Code: wire.CodeReset})
						j.host.Send(&wire.CutDone{Trunk: c.Trunk, Stream: c.Stream})
						heard <- c
						return
					}
				}
			}()
			if err := tt.cut(j); err != nil {
				t.Fatal(err)
			}
			if n := len(j.relay.Streams()); n != 0 {
				t.Errorf("%d streams when the call returned", n)
			}
			c := <-heard
			if c.Reason.Code != tt.code {
				t.Errorf("the host hears %+v", c)
			}
			for c = expect[*wire.Cut](j.client); c.Stream != j.stream; c = expect[*wire.Cut](j.client) {
			}
			if c.Reason.Code != tt.code {
				t.Errorf("the client hears %+v", c)
			}
			j.eventually("the end is audited", func() bool {
				ends := j.ends()
				return len(ends) == 1 && ends[0].End == string(tt.code) && ends[0].BytesToOrigin == 3
			})
		})
	}
}

// A stream that is cut while its daemons are away does not come back with them.
func TestCutStreamDoesNotComeBack(t *testing.T) {
	t.Parallel()
	j := newJoined(t)
	j.lose()
	j.host.Close()
	j.client.Close()
	j.eventually("both are away", func() bool { c := j.relay.Links(); return c.Hosts+c.Clients == 0 })
	if err := j.relay.CutStream(t.Context(), j.stream, wire.Reason{Code: wire.CodeRevoked}); err != nil {
		t.Fatal(err)
	}
	ref := []wire.StreamRef{{Trunk: j.ticket.Trunk, Stream: j.stream, Session: j.session, Parked: true, Hostname: app}}
	for _, hello := range []wire.Hello{{Role: wire.RoleHost, Streams: ref}, {Role: wire.RoleClient, SessionToken: j.client.welcome.SessionToken, Streams: ref}} {
		d := j.host.d
		if hello.Role == wire.RoleClient {
			d = j.client.d
		}
		if c := expect[*wire.Cut](d.link(hello)); c.Stream != j.stream || c.Reason.Code != wire.CodeRevoked {
			t.Errorf("%s hears %+v", hello.Role, c)
		}
	}
}

// What a client ends while nothing carries it, nothing tells its host but the edge,
// which does not wait for that host's word before.
func TestEndedByItsClientWhileParked(t *testing.T) {
	t.Parallel()
	j := newJoined(t, func(l *times) { l.report = time.Hour })
	j.lose()
	j.client.Send(&wire.StreamEnded{Trunk: j.ticket.Trunk, Stream: j.stream, Code: wire.CodeReset})
	if m := expect[*wire.Cut](j.host); m.Stream != j.stream || m.Reason.Code != wire.CodeClosed {
		t.Errorf("cut = %+v", m)
	}
}

func TestParkedExpires(t *testing.T) {
	t.Parallel()
	j := newJoinedFor(t, time.Second, func(l *times) { l.park = 10 * time.Millisecond })
	j.pairing.lose()
	j.eventually("it ends", func() bool { return j.relay.Links().Parked == 0 && j.meter.expired.Load() == 1 })
	j.eventually("that is audited", func() bool { ends := j.ends(); return len(ends) == 1 && ends[0].End == "carrier-lost" })
}

// The host's process is another when it returns: what it held is lost.
func TestParkedAtAHostThatRestarted(t *testing.T) {
	t.Parallel()
	j := newJoined(t, impatient)
	j.lose()
	j.host.d.link(wire.Hello{Role: wire.RoleHost, BootID: "another"})
	c := expect[*wire.Cut](j.client)
	for c.Stream != j.stream {
		c = expect[*wire.Cut](j.client)
	}
	if c.Reason.Code != wire.CodeHostRestarted {
		t.Errorf("client hears %+v", c)
	}
}

// After a restart of the edge the daemons list what they hold; it goes on.
func TestRowsComeBackWithHellos(t *testing.T) {
	t.Parallel()
	for _, first := range []wire.Role{wire.RoleClient, wire.RoleHost} {
		t.Run(string(first)+" first", func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.allow(app, "everyone")
			host, connector := w.host(app)
			client, s := w.client("alice@site.com")
			j := &joined{world: w, host: host, client: client, connector: connector, session: s.ID, stream: wire.NewStreamID()}
			j.pairing = &pairing{ticket: &wire.Ticket{Trunk: wire.NewTrunkID(), HostKey: host.d.key, BootID: "boot"}}
			ref := []wire.StreamRef{{Trunk: j.ticket.Trunk, Stream: j.stream, Session: s.ID, Parked: true, Hostname: app}}
			listed := map[wire.Role]func(){
				wire.RoleClient: func() {
					j.client = client.d.link(wire.Hello{Role: wire.RoleClient, SessionToken: client.welcome.SessionToken, Streams: ref})
				},
				wire.RoleHost: func() {
					j.host = host.d.link(wire.Hello{Role: wire.RoleHost, Streams: ref})
					j.host.register(app)
				},
			}
			listed[first]()
			w.eventually("it is listed", func() bool { return w.relay.Links().Parked == 1 })
			delete(listed, first)
			for _, other := range listed {
				other()
			}
			w.eventually("both are known", func() bool {
				list := w.relay.Streams()
				return len(list) == 1 && list[0].Parked && list[0].Connector == connector.ID && list[0].Address != "" || first == wire.RoleHost && len(list) == 1
			})
			x := j.again()
			j.resume(x.ticket.Trunk)
			if g := expect[*wire.Grant](j.host); !g.Resumes || g.Stream != j.stream {
				t.Errorf("grant = %+v", g)
			}
			if r := j.records(audit.EventStreamResume); len(r) != 1 || r[0].FromTrunk != j.ticket.Trunk.String() {
				t.Errorf("records = %+v", r)
			}
			if c := w.relay.Links(); c.Parked != 0 || c.Streams != 1 {
				t.Errorf("Links = %+v", c)
			}
		})
	}
}

// A stream that its client ended while the edge was away is ended at the host, too,
// whichever of the two comes back first.
func TestEndWhileTheEdgeWasAway(t *testing.T) {
	t.Parallel()
	for _, first := range []wire.Role{wire.RoleClient, wire.RoleHost} {
		t.Run(string(first)+" first", func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, impatient)
			w.allow(app, "everyone")
			host, _ := w.host(app)
			client, s := w.client("alice@site.com")
			client.Close()
			w.eventually("the client is away", func() bool { return w.relay.Links().Clients == 0 })
			ref := wire.StreamRef{Trunk: wire.NewTrunkID(), Stream: wire.NewStreamID(), Session: s.ID, Parked: true, Hostname: app}
			other := ref
			other.Stream = wire.NewStreamID()
			token := client.welcome.SessionToken
			back := func() {
				p := client.d.link(wire.Hello{Role: wire.RoleClient, SessionToken: token, Streams: []wire.StreamRef{other}, More: true})
				call[*wire.OK](p, &wire.Streams{})
				call[*wire.Apps](p, &wire.AppsRequest{Session: s.ID}) // it comes after the list
			}
			if first == wire.RoleClient {
				back()
			}
			again := host.d.link(wire.Hello{Role: wire.RoleHost, Streams: []wire.StreamRef{ref, other}})
			if first == wire.RoleHost {
				w.eventually("both are listed", func() bool { return w.relay.Links().Parked == 2 })
				back()
			}
			if c := expect[*wire.Cut](again); c.Stream != ref.Stream || c.Reason.Code != wire.CodeClosed {
				t.Errorf("the host hears %+v", c)
			}
			again.Send(&wire.StreamEnded{Trunk: ref.Trunk, Stream: ref.Stream, Code: wire.CodeClosed})
			w.eventually("the other waits", func() bool { return w.relay.Links().Parked == 1 })
			select {
			case m := <-again.msgs:
				t.Errorf("the host hears %+v", m)
			case <-time.After(200 * time.Millisecond):
			}
		})
	}
}

// A parked stream that is listed and may not be is cut at once.
func TestHelloListsParkedStreamsThatMayNot(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.allow(app, "email:bob@site.com")
	host, _ := w.host(app)
	_, s := w.client("alice@site.com")
	tests := []struct {
		name string
		ref  wire.StreamRef
		code wire.Code
	}{
		{"policy", wire.StreamRef{Session: s.ID, Hostname: app}, wire.CodeDenied},
		{"session", wire.StreamRef{Session: "ses_none", Hostname: app}, wire.CodeLoginNeeded},
		{"no hostname", wire.StreamRef{Session: s.ID}, wire.CodeCarrierLost},
	}
	for _, tt := range tests {
		tt.ref.Trunk, tt.ref.Stream, tt.ref.Parked = wire.NewTrunkID(), wire.NewStreamID(), true
		again := host.d.link(wire.Hello{Role: wire.RoleHost, Streams: []wire.StreamRef{tt.ref}})
		if c := expect[*wire.Cut](again); c.Stream != tt.ref.Stream || c.Reason.Code != tt.code {
			t.Errorf("%s: %+v", tt.name, c)
		}
	}
	// Somebody else's session.
	mallory, _ := w.client("mallory@site.com")
	ref := wire.StreamRef{Trunk: wire.NewTrunkID(), Stream: wire.NewStreamID(), Session: s.ID, Parked: true, Hostname: app}
	again := mallory.d.link(wire.Hello{Role: wire.RoleClient, SessionToken: mallory.welcome.SessionToken, Streams: []wire.StreamRef{ref}})
	if c := expect[*wire.Cut](again); c.Stream != ref.Stream {
		t.Errorf("mallory hears %+v", c)
	}
	if n := w.relay.Links().Parked; n != 0 {
		t.Errorf("%d rows", n)
	}
}

// An edge that leaves, or has no room, cuts nothing that a daemon lists: it goes on
// where there is one.
func TestLeavingEdgeCutsNothingThatIsListed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.allow(app, "everyone")
	host, _ := w.host(app)
	_, s := w.client("alice@site.com")
	w.relay.trunks.Stop()
	ref := wire.StreamRef{Trunk: wire.NewTrunkID(), Stream: wire.NewStreamID(), Session: s.ID, Parked: true, Hostname: app}
	wrong := ref
	wrong.Stream, wrong.Parked = wire.NewStreamID(), false
	again := host.d.link(wire.Hello{Role: wire.RoleHost, Streams: []wire.StreamRef{ref, wrong}})
	if c := expect[*wire.Cut](again); c.Stream != wrong.Stream {
		t.Errorf("the host hears %+v", c)
	}
}

// A stream that ended in order just when its trunk was lost: its client may not
// know, and the host tells.
func TestOrderlyEndIsNotRefused(t *testing.T) {
	t.Parallel()
	j := newJoined(t)
	j.lose()
	j.host.Send(&wire.StreamEnded{Stream: j.stream, Trunk: j.ticket.Trunk, Code: wire.CodeClosed})
	j.eventually("it is over", func() bool { return j.relay.Links().Parked == 0 })
	x := j.again()
	j.resume(x.ticket.Trunk)
	if g := expect[*wire.Grant](j.host); !g.Resumes || g.Stream != j.stream {
		t.Errorf("grant = %+v", g)
	}
}
