package relay

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/edge/internal/audit"
	"github.com/sallyport/sallyport/edge/internal/enrol"
	"github.com/sallyport/sallyport/edge/internal/policy"
	"github.com/sallyport/sallyport/wire"
)

func tokenFor(group string) enrol.TokenSpec { return enrol.TokenSpec{Site: "site.com", Group: group} }

// joined is a world with one trunk that carries one stream.
type joined struct {
	*world
	host, client *peerLink
	connector    enrol.Connector
	session      string
	*pairing
	stream wire.StreamID
}

func newJoined(t *testing.T, change ...func(*times)) *joined {
	t.Helper()
	return newJoinedFor(t, policy.DefaultResumeWindow, change...)
}

// newJoinedFor is newJoined with a resume window.
func newJoinedFor(t *testing.T, window time.Duration, change ...func(*times)) *joined {
	t.Helper()
	w := newWorld(t, change...)
	w.allow(app, "everyone")
	w.resumes(app, window)
	j := &joined{world: w}
	j.host, j.connector = w.host(app)
	client, s := w.client("alice@site.com")
	j.client, j.session = client, s.ID
	j.pairing = w.trunk(client, s, j.host)
	j.stream = w.granted(client, j.host, j.ticket.Trunk)
	return j
}

// closed proves that both connections of the trunk are gone.
func (j *joined) closed() {
	j.t.Helper()
	wantReset(j.t, j.pairing.client.NetConn())
	wantReset(j.t, j.pairing.host.NetConn())
}

// Each way of cutting: when the call returns no byte passes, and both daemons
// have been told why.
func TestCutting(t *testing.T) {
	t.Parallel()
	why := wire.Reason{Code: wire.CodeRevoked, Text: "revoked by an administrator", Hint: "ask them"}
	tests := []struct {
		name string
		cut  func(*joined) error
		code wire.Code // at client and host
		told func(*joined)
	}{
		{"session revoked", func(j *joined) error { return j.sessions.End(t.Context(), j.session, why) }, wire.CodeRevoked, func(j *joined) {
			if m := expect[*wire.SessionEnded](j.client); m.Session != j.session || m.Reason != why {
				t.Errorf("session ended = %+v", m)
			}
		}},
		{"connector revoked", func(j *joined) error { return j.enrol.Revoke(t.Context(), j.connector.ID, why) }, wire.CodeConnectorLost, func(j *joined) {
			if m := expect[*wire.ConnectorEnded](j.host); m.Connector != j.connector.ID || m.Reason != why {
				t.Errorf("connector ended = %+v", m)
			}
			if got := j.client.refusal(&wire.TicketRequest{Session: j.session, Hostname: app}); got.Code != wire.CodeNoConnector {
				t.Errorf("a ticket after it: %v", got)
			}
		}},
		{"app removed", func(j *joined) error { return j.apps.Remove(t.Context(), app) }, wire.CodeAppRemoved, func(j *joined) {
			if got := j.client.refusal(&wire.TicketRequest{Session: j.session, Hostname: app}); got.Code != wire.CodeDenied {
				t.Errorf("a ticket after it: %v", got)
			}
		}},
		{"logout", func(j *joined) error {
			call[*wire.OK](j.client, &wire.Logout{Session: j.session})
			return nil
		}, wire.CodeLoggedOut, func(j *joined) {
			if got := j.client.refusal(&wire.TicketRequest{Session: j.session, Hostname: app}); got.Code != wire.CodeLoginNeeded {
				t.Errorf("a ticket after it: %v", got)
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			j := newJoined(t, impatient)
			if err := tt.cut(j); err != nil {
				t.Fatal(err)
			}
			if n := len(j.relay.Streams()); n != 0 {
				t.Errorf("%d live streams when the call returned", n)
			}
			j.closed()
			for _, p := range []*peerLink{j.client, j.host} {
				if p == j.client && tt.name == "session revoked" {
					continue // its SessionEnded comes first, and is looked at below
				}
				if p == j.host && tt.name == "connector revoked" {
					continue
				}
				if c := expect[*wire.Cut](p); c.Trunk != j.ticket.Trunk || c.Reason.Code != tt.code || c.Reason.Text == "" {
					t.Errorf("%s hears %+v", p.d.key, c)
				}
			}
			tt.told(j)
			j.eventually("the end is audited with its cause", func() bool {
				ends := j.records(audit.EventStreamEnd)
				return len(ends) == 1 && ends[0].End == string(tt.code)
			})
		})
	}
}

func TestSessionEndIsAudited(t *testing.T) {
	t.Parallel()
	j := newJoined(t)
	call[*wire.OK](j.client, &wire.Logout{Session: j.session})
	j.eventually("audited", func() bool { return len(j.records(audit.EventSessionEnded)) == 1 })
	if r := j.records(audit.EventSessionEnded)[0]; r.Cause != "logged-out" || r.StreamsCut != 1 || r.Session != j.session {
		t.Errorf("record = %+v", r)
	}
}

// A ticket that waits is voided by the end of its session.
func TestCutVoidsTickets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.allow(app, "everyone")
	host, _ := w.host(app)
	client, s := w.client("alice@site.com")
	tk := call[*wire.Ticket](client, &wire.TicketRequest{Session: s.ID, Hostname: app})
	offer := expect[*wire.Offer](host)
	parked := w.hostConn(offer.Label)
	w.eventually("the host's end is taken", func() bool { return !w.known(offer.Label) })
	if err := w.sessions.End(t.Context(), s.ID, wire.Reason{Code: wire.CodeRevoked}); err != nil {
		t.Fatal(err)
	}
	wantReset(t, parked)
	late := w.clientConn(tk, client.d)
	if err := late.HandshakeContext(t.Context()); err == nil {
		t.Error("the ticket still works")
	}
}

func TestCutStream(t *testing.T) {
	t.Parallel()
	why := wire.Reason{Code: wire.CodeRevoked, Text: "by an administrator"}
	t.Run("the host confirms", func(t *testing.T) {
		t.Parallel()
		j := newJoined(t)
		other := j.granted(j.client, j.host, j.ticket.Trunk)
		done := make(chan error, 1)
		go func() { done <- j.relay.CutStream(context.Background(), j.stream, why) }()
		if c := expect[*wire.Cut](j.host); c.Stream != j.stream || c.Reason != why {
			t.Errorf("the host hears %+v", c)
		}
		if c := expect[*wire.Cut](j.client); c.Stream != j.stream || c.Reason != why {
			t.Errorf("the client hears %+v", c)
		}
		j.host.Send(&wire.CutDone{Trunk: j.ticket.Trunk, Stream: j.stream})
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		j.echo(t) // the trunk and its other stream live
		j.host.Send(&wire.StreamEnded{Trunk: j.ticket.Trunk, Stream: j.stream, Code: wire.CodeReset, BytesToOrigin: 5})
		j.eventually("the end is audited", func() bool {
			ends := j.records(audit.EventStreamEnd)
			return len(ends) == 1 && ends[0].End == "revoked" && ends[0].BytesToOrigin == 5
		})
		if list := j.relay.Streams(); len(list) != 1 || list[0].ID != other {
			t.Errorf("Streams = %+v", list)
		}
	})
	t.Run("the host reports the end before it confirms", func(t *testing.T) {
		t.Parallel()
		j := newJoined(t)
		done := make(chan error, 1)
		go func() { done <- j.relay.CutStream(context.Background(), j.stream, why) }()
		expect[*wire.Cut](j.host)
		j.host.Send(&wire.StreamEnded{Trunk: j.ticket.Trunk, Stream: j.stream, Code: wire.CodeReset})
		j.host.Send(&wire.CutDone{Trunk: j.ticket.Trunk, Stream: j.stream})
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if n := len(j.relay.Streams()); n != 0 {
			t.Errorf("%d streams when the call returned", n)
		}
		j.echo(t) // the trunk lives
	})
	t.Run("the host is silent", func(t *testing.T) {
		t.Parallel()
		j := newJoined(t, impatient)
		if err := j.relay.CutStream(t.Context(), j.stream, why); err != nil {
			t.Fatal(err)
		}
		j.closed()
	})
	t.Run("unknown", func(t *testing.T) {
		t.Parallel()
		j := newWorld(t)
		if err := j.relay.CutStream(t.Context(), wire.NewStreamID(), why); err != ErrNoStream {
			t.Errorf("error = %v", err)
		}
	})
}

// 50 sessions with a trunk each; half of them are ended at once. The others
// carry on.
func TestManyCutsTouchNoOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.allow(app, "everyone")
	host, _ := w.host(app)
	type one struct {
		*pairing
		session string
	}
	var all []one
	for range 20 {
		client, s := w.client("alice@site.com")
		all = append(all, one{w.trunk(client, s, host), s.ID})
	}
	var wg sync.WaitGroup
	for _, x := range all[:10] {
		wg.Go(func() {
			if err := w.sessions.End(context.Background(), x.session, wire.Reason{Code: wire.CodeRevoked}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i, x := range all {
		if i < 10 {
			wantReset(t, x.client.NetConn())
		} else {
			x.echo(t)
		}
	}
}

// The host's link is lost: its idle trunk ends at once, its busy one goes on and
// is not granted anything any more, until its last stream ends.
func TestHostLinkLost(t *testing.T) {
	t.Parallel()
	j := newJoined(t)
	s, _ := j.sessions.Get(j.session)
	idle := j.world.trunk(j.client, s, j.host)
	j.host.Close()
	wantReset(t, idle.client.NetConn())
	j.echo(t)
	id := j.client.open(j.ticket.Trunk)
	if d := expect[*wire.Denied](j.client); d.Stream != id || d.Reason.Code != wire.CodeNoConnector {
		t.Errorf("an open on it: %+v", d)
	}
	// The same process returns and still lists the stream: it lives on.
	again := j.host.d.link(wire.Hello{Role: wire.RoleHost, Streams: []wire.StreamRef{{Trunk: j.ticket.Trunk, Stream: j.stream}}})
	again.register(app)
	j.echo(t)
	id = j.client.open(j.ticket.Trunk)
	if d := expect[*wire.Denied](j.client); d.Stream != id || d.Reason.Code != wire.CodeNoConnector {
		t.Errorf("an open on it: %+v", d)
	}
	again.Send(&wire.StreamEnded{Trunk: j.ticket.Trunk, Stream: j.stream, Code: wire.CodeClosed, BytesToClient: 4})
	j.closed()
	j.eventually("the end is audited", func() bool {
		ends := j.records(audit.EventStreamEnd)
		return len(ends) == 1 && ends[0].BytesToClient == 4
	})
}

func TestHostRestarted(t *testing.T) {
	t.Parallel()
	j := newJoined(t)
	j.host.d.link(wire.Hello{Role: wire.RoleHost, BootID: "another"})
	if c := expect[*wire.Cut](j.client); c.Reason.Code != wire.CodeHostRestarted {
		t.Errorf("client hears %+v", c)
	}
	j.closed()
}

// Rule 10: what a daemon lists at its hello is compared with what may be.
func TestHelloListsStreams(t *testing.T) {
	t.Parallel()
	j := newJoined(t)
	stranger := wire.StreamRef{Trunk: wire.NewTrunkID(), Stream: wire.NewStreamID()}
	listed := []wire.StreamRef{{Trunk: j.ticket.Trunk, Stream: j.stream}, stranger}
	again := j.client.d.link(wire.Hello{Role: wire.RoleClient, SessionToken: j.client.welcome.SessionToken, Streams: listed})
	if c := expect[*wire.Cut](again); c.Trunk != stranger.Trunk || c.Stream != stranger.Stream {
		t.Errorf("cut = %+v", c)
	}
	j.echo(t)
	// The policy no longer lets it: the trunk goes.
	j.allow(app, "email:bob@site.com")
	third := j.client.d.link(wire.Hello{Role: wire.RoleClient, SessionToken: again.welcome.SessionToken, Streams: listed[:1]})
	if c := expect[*wire.Cut](third); c.Trunk != j.ticket.Trunk || c.Reason.Code != wire.CodeDenied {
		t.Errorf("cut = %+v", c)
	}
	j.closed()
}

// A stream that ended while its host's link was away is not kept for ever.
func TestHelloDoesNotListStream(t *testing.T) {
	t.Parallel()
	j := newJoined(t, impatient)
	j.client.d.link(wire.Hello{Role: wire.RoleClient, SessionToken: j.client.welcome.SessionToken})
	j.eventually("its row ends", func() bool { return len(j.relay.Streams()) == 0 })
}

// A host that does not come back: its trunks end all the same, and both sides
// are told.
func TestHostLinkStaysLost(t *testing.T) {
	t.Parallel()
	j := newJoinedFor(t, 0, func(l *times) { l.orphan = 50 * time.Millisecond })
	j.host.Close()
	if c := expect[*wire.Cut](j.client); c.Trunk != j.ticket.Trunk || c.Reason.Code != wire.CodeConnectorLost {
		t.Errorf("client hears %+v", c)
	}
	j.closed()
}

// A host that came back and is lost again has OrphanTime once more, not for ever.
func TestHostLinkIsLostAgain(t *testing.T) {
	t.Parallel()
	j := newJoinedFor(t, 0, func(l *times) { l.orphan = 500 * time.Millisecond })
	again := j.host.d.link(wire.Hello{Role: wire.RoleHost, Streams: []wire.StreamRef{{Trunk: j.ticket.Trunk, Stream: j.stream}}})
	again.register(app) // comes after what the hello brought about
	again.Close()
	if c := expect[*wire.Cut](j.client); c.Trunk != j.ticket.Trunk || c.Reason.Code != wire.CodeConnectorLost {
		t.Errorf("client hears %+v", c)
	}
	j.closed()
}

// The end of the old link may be noticed only after the hello of the new one.
func TestHostIsBackBeforeItsLinkIsMissed(t *testing.T) {
	t.Parallel()
	const orphan = 200 * time.Millisecond
	j := newJoined(t, func(l *times) { l.orphan = orphan })
	old := j.relay.peer(j.host.d.key).Host()
	j.relay.mu.Lock()
	delete(j.relay.peers, j.host.d.key) // as far as it has been noticed
	j.relay.mu.Unlock()
	again := j.host.d.link(wire.Hello{Role: wire.RoleHost, Streams: []wire.StreamRef{{Trunk: j.ticket.Trunk, Stream: j.stream}}})
	again.register(app)
	j.relay.trunks.HostGone(old)
	<-time.After(2 * orphan)
	j.echo(t)
}

// A list that is longer than one message is taken whole before anything follows
// from what it does not name.
func TestLongListOfStreams(t *testing.T) {
	t.Parallel()
	j := newJoined(t)
	refs := make([]wire.StreamRef, 2*wire.MaxListed)
	for i := range refs {
		refs[i] = wire.StreamRef{Trunk: wire.NewTrunkID(), Stream: wire.NewStreamID(), Hostname: strings.Repeat("h", 253), Session: j.client.welcome.Session.ID}
	}
	again := j.client.d.link(wire.Hello{
		Role: wire.RoleClient, SessionToken: j.client.welcome.SessionToken, Streams: refs[:wire.MaxListed], More: true,
	})
	if _, err := again.Call(t.Context(), &wire.Streams{Streams: refs[wire.MaxListed:], More: true}); err != nil {
		t.Fatal(err)
	}
	last := wire.StreamRef{Trunk: j.ticket.Trunk, Stream: j.stream}
	if _, err := again.Call(t.Context(), &wire.Streams{Streams: []wire.StreamRef{last}}); err != nil {
		t.Fatal(err)
	}
	for range refs {
		if c := expect[*wire.Cut](again); c.Stream == j.stream {
			t.Fatal("a stream of the list's end is cut")
		}
	}
	j.echo(t)
	if _, err := again.Call(t.Context(), &wire.Streams{}); err == nil {
		t.Error("a list is taken that was not announced")
	}
}
