package relay

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/edge/internal/audit"
	"github.com/sallyport/sallyport/edge/internal/policy"
	"github.com/sallyport/sallyport/edge/internal/registry"
	"github.com/sallyport/sallyport/wire"
)

// The whole way: ticket, offer, join, open, audit, grant, end.
func TestTicketJoinOpenGrantEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.allow(app, "domain:site.com")
	host, connector := w.host(app)
	client, s := w.client("alice@site.com")
	x := w.trunk(client, s, host)
	if x.offer.ClientKey != client.d.key || x.ticket.HostKey != host.d.key || x.offer.Person.Email != "alice@site.com" || x.offer.EdgeID != "edge-1" {
		t.Errorf("offer = %+v, ticket = %+v", x.offer, x.ticket)
	}
	x.echo(t)
	id := wire.NewStreamID()
	if err := client.Send(&wire.OpenRequest{Trunk: x.ticket.Trunk, Stream: id, Trace: wire.NewTraceID()}); err != nil {
		t.Fatal(err)
	}
	g := expect[*wire.Grant](host)
	if g.Stream != id || g.Hostname != app || g.Person.Email != "alice@site.com" || g.Session != s.ID || g.Rule == "" {
		t.Errorf("grant = %+v", g)
	}
	starts := w.records(audit.EventStreamStart) // durable before the grant
	if len(starts) != 1 || starts[0].Stream != id.String() || starts[0].Connector != connector.ID || starts[0].Rule == "" {
		t.Errorf("stream-start records = %+v", starts)
	}
	if list := w.relay.Streams(); len(list) != 1 || list[0].ID != id || list[0].Email != "alice@site.com" {
		t.Errorf("Streams = %+v", list)
	}
	if c := w.relay.Links(); c.Clients != 1 || c.Hosts != 1 || c.Trunks != 1 || c.Streams != 1 || c.BytesSpliced == 0 {
		t.Errorf("Links = %+v", c)
	}
	client.Send(&wire.StreamEnded{Trunk: x.ticket.Trunk, Stream: id, BytesToOrigin: 1, BytesToClient: 1, Code: wire.CodeReset})
	host.Send(&wire.StreamEnded{Trunk: x.ticket.Trunk, Stream: id, BytesToOrigin: 7, BytesToClient: 9, Code: wire.CodeClosed})
	w.eventually("the end is audited", func() bool { return len(w.records(audit.EventStreamEnd)) == 1 })
	end := w.records(audit.EventStreamEnd)[0]
	if end.BytesToOrigin != 7 || end.BytesToClient != 9 || end.End != "closed" || end.Stream != id.String() {
		t.Errorf("stream-end = %+v, want the host's figures", end)
	}
	if len(w.relay.Streams()) != 0 {
		t.Error("the row is still there")
	}
}

// Without the host's word, the client's figures count; with neither, the end of
// the trunk ends the stream. Each is audited once.
func TestStreamEndsWithoutTheHost(t *testing.T) {
	t.Parallel()
	w := newWorld(t, impatient)
	w.allow(app, "everyone")
	host, _ := w.host(app)
	client, s := w.client("alice@site.com")
	w.resumes(app, 0)
	x := w.trunk(client, s, host)
	told := w.granted(client, host, x.ticket.Trunk)
	silent := w.granted(client, host, x.ticket.Trunk)
	client.Send(&wire.StreamEnded{Trunk: x.ticket.Trunk, Stream: told, BytesToOrigin: 3, Code: wire.CodeReset})
	call[*wire.Pong](client, &wire.Ping{}) // it has been heard
	x.lose()
	w.eventually("both ends are audited", func() bool { return len(w.records(audit.EventStreamEnd)) == 2 })
	got := map[string]string{}
	for _, r := range w.records(audit.EventStreamEnd) {
		got[r.Stream] = fmt.Sprint(r.End, " ", r.BytesToOrigin)
	}
	if got[told.String()] != "reset 3" || got[silent.String()] != "carrier-lost 0" {
		t.Errorf("ends = %v", got)
	}
	if c := w.relay.Links(); c.Trunks != 0 || c.Streams != 0 {
		t.Errorf("left behind: %+v", c)
	}
}

func TestUnknownHostnameLooksDenied(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.allow(app, "email:bob@site.com")
	w.host(app, "nopolicy.site.com")
	client, s := w.client("alice@site.com")
	ask := func(hostname string) wire.Reason {
		why := *client.refusal(&wire.TicketRequest{Session: s.ID, Hostname: hostname, Carrier: wire.CarrierTrunk})
		why.Text = strings.ReplaceAll(why.Text, hostname, "HOST")
		return why
	}
	want := ask(app)
	if want.Code != wire.CodeDenied || want.Hint == "" {
		t.Fatalf("denied = %+v", want)
	}
	for _, hostname := range []string{"unknown.site.com", "nopolicy.site.com", "elsewhere.org", "not a name", ""} {
		if got := ask(hostname); got.Code != want.Code || got.Hint != want.Hint {
			t.Errorf("%q: %+v, want %+v", hostname, got, want)
		}
	}
	if got, want := ask("unknown.site.com"), ask(app); got != want {
		t.Errorf("unknown gives %+v, denied %+v", got, want)
	}
	w.eventually("denials are audited", func() bool { return len(w.records(audit.EventDecision)) >= 6 })
	// The contact of a policy is told where the policy names one.
	if err := w.apps.Put(t.Context(), policy.App{
		Hostname: app, Contact: "dba@site.com", Rules: []policy.Rule{{Action: policy.Allow, Selectors: []string{"email:bob@site.com"}}},
	}); err != nil {
		t.Fatal(err)
	}
	if got := ask(app); !strings.Contains(got.Hint, "dba@site.com") {
		t.Errorf("hint = %q, want the contact", got.Hint)
	}
}

func TestNoConnector(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.allow(app, "everyone")
	client, s := w.client("alice@site.com")
	if why := client.refusal(&wire.TicketRequest{Session: s.ID, Hostname: app}); why.Code != wire.CodeNoConnector {
		t.Errorf("reason = %v", why)
	}
}

// A link may name only sessions and trunks of its own key.
func TestForeignSessionAndTrunk(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.allow(app, "everyone")
	host, _ := w.host(app)
	alice, s := w.client("alice@site.com")
	mallory, _ := w.client("mallory@site.com")
	for _, m := range []wire.Message{
		&wire.TicketRequest{Session: s.ID, Hostname: app},
		&wire.AppsRequest{Session: s.ID},
		&wire.Logout{Session: s.ID},
		&wire.TicketRequest{Session: "ses_none", Hostname: app},
	} {
		if why := mallory.refusal(m); why.Code != wire.CodeLoginNeeded {
			t.Errorf("%T: %v", m, why)
		}
	}
	x := w.trunk(alice, s, host)
	id := mallory.open(x.ticket.Trunk)
	if d := expect[*wire.Denied](mallory); d.Stream != id || d.Reason.Code != wire.CodeCarrierLost {
		t.Errorf("denied = %+v", d)
	}
	if _, ok := w.sessions.Get(s.ID); !ok {
		t.Error("alice's session is gone")
	}
	// A host's link cannot play the client either.
	if why := host.refusal(&wire.TicketRequest{Session: s.ID, Hostname: app}); why.Code != wire.CodeLoginNeeded {
		t.Errorf("host: %v", why)
	}
}

func TestDeniedOpens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.allow(app, "everyone")
	host, _ := w.host(app)
	client, s := w.client("alice@site.com")
	x := w.trunk(client, s, host)
	id := w.granted(client, host, x.ticket.Trunk)
	tests := []struct {
		name string
		m    wire.OpenRequest
		code wire.Code
	}{
		{"same id again", wire.OpenRequest{Trunk: x.ticket.Trunk, Stream: id}, wire.CodeProtocol},
		{"zero id", wire.OpenRequest{Trunk: x.ticket.Trunk}, wire.CodeProtocol},
		{"unknown trunk", wire.OpenRequest{Trunk: wire.NewTrunkID(), Stream: wire.NewStreamID()}, wire.CodeCarrierLost},
		{"another port", wire.OpenRequest{Trunk: x.ticket.Trunk, Stream: wire.NewStreamID(), Port: 22}, wire.CodeDenied},
	}
	for _, tt := range tests {
		if err := client.Send(&tt.m); err != nil {
			t.Fatal(err)
		}
		if d := expect[*wire.Denied](client); d.Reason.Code != tt.code || d.Stream != tt.m.Stream {
			t.Errorf("%s: %+v, want %s", tt.name, d, tt.code)
		}
	}
	// The policy is asked anew for each stream.
	w.allow(app, "email:bob@site.com")
	client.open(x.ticket.Trunk)
	if d := expect[*wire.Denied](client); d.Reason.Code != wire.CodeDenied {
		t.Errorf("after a change of policy: %+v", d)
	}
}

func TestApps(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.allow(app, "domain:site.com")
	w.allow("off.site.com", "email:alice@site.com")
	w.allow("secret.site.com", "email:bob@site.com")
	w.host(app)
	client, s := w.client("alice@site.com")
	got := call[*wire.Apps](client, &wire.AppsRequest{Session: s.ID}).Apps
	want := []wire.AppInfo{{Hostname: "off.site.com"}, {Hostname: app, Online: true}}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("apps = %v, want %v", got, want)
	}
}

func TestWeb(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	transport := func(protos ...string) *http.Client {
		tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: w.roots, NextProtos: protos}, ForceAttemptHTTP2: len(protos) > 1}
		t.Cleanup(tr.CloseIdleConnections)
		return &http.Client{Transport: tr}
	}
	port := fmt.Sprint(w.conf.Load().Port)
	tests := []struct {
		name, url, host string
		protos          []string
		status          int
		body            string
	}{
		{"https", "https://localhost:" + port, "", []string{"http/1.1"}, 200, "web HTTP/1.1"},
		{"http2", "https://localhost:" + port, "", []string{"h2", "http/1.1"}, 200, "web HTTP/2.0"},
		{"plain at localhost", "http://localhost:" + port, "", nil, 200, "web HTTP/1.1"},
		{"plain at an address", "http://127.0.0.1:" + port, "", nil, http.StatusMisdirectedRequest, "Open this page as http://localhost:" + port + "/\n"},
		{"plain with another name", "http://localhost:" + port, "evil.com", nil, http.StatusMisdirectedRequest, "Open this page as http://localhost:" + port + "/\n"},
	}
	for _, tt := range tests {
		req, err := http.NewRequestWithContext(t.Context(), "GET", tt.url+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = tt.host
		res, err := transport(tt.protos...).Do(req)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != tt.status || string(body) != tt.body {
			t.Errorf("%s: %d %q, want %d %q", tt.name, res.StatusCode, body, tt.status, tt.body)
		}
	}
}

func TestPlainIsRefusedElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := *w.conf.Load()
	c.Listen = ":8443"
	w.set(&c)
	conn := w.tcp()
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
	wantReset(t, conn)
}

func TestOldTLSIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, alpn := range []string{wire.ALPNLink, "http/1.1"} {
		c := tls.Client(w.tcp(), &tls.Config{RootCAs: w.roots, ServerName: "localhost", MaxVersion: tls.VersionTLS12, NextProtos: []string{alpn}})
		if err := c.HandshakeContext(t.Context()); err == nil {
			t.Errorf("%s: TLS 1.2 was accepted", alpn)
		}
	}
}

func TestHostIsPickedAmongReplicas(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.allow(app, "everyone")
	first, connector := w.host(app)
	d := w.device()
	secret, _, err := w.enrol.NewToken(t.Context(), tokenFor(connector.Group))
	if err != nil {
		t.Fatal(err)
	}
	second := d.link(wire.Hello{Role: wire.RoleHost})
	if second.welcome.Connector != nil {
		t.Error("a new key is a connector already")
	}
	if res := second.register(app); res[0].Reason == nil || res[0].Reason.Code != wire.CodeNotEnrolled {
		t.Errorf("register before enrolment: %+v", res[0])
	}
	// What was registered is published by the enrolment itself.
	if c := call[*wire.Enrolled](second, &wire.Enrol{Token: secret}).Connector; c.Group != connector.Group {
		t.Errorf("enrolled as %+v", c)
	}
	if why := w.device().link(wire.Hello{Role: wire.RoleHost}).refusal(&wire.Enrol{Token: secret}); why.Code != wire.CodeBadToken {
		t.Errorf("a used token: %v", why)
	}
	client, s := w.client("alice@site.com")
	x := w.trunk(client, s, first)
	w.granted(client, first, x.ticket.Trunk)
	bob, b := w.client("bob@site.com")
	w.trunk(bob, b, second) // fails unless the host with fewer streams is offered
	first.Close()
	w.eventually("the lost host is forgotten", func() bool {
		tk := call[*wire.Ticket](client, &wire.TicketRequest{Session: s.ID, Hostname: app})
		return tk.HostKey == second.d.key
	})
}

func TestServeEndsWithReason(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.allow(app, "everyone")
	w.resumes(app, 0)
	host, _ := w.host(app)
	client, s := w.client("alice@site.com")
	x := w.trunk(client, s, host)
	w.granted(client, host, x.ticket.Trunk)
	done := make(chan struct{})
	go func() { defer close(done); w.relay.trunks.Stop() }()
	if c := expect[*wire.Cut](client); c.Reason.Code != wire.CodeDraining {
		t.Errorf("cut = %+v", c)
	}
	<-done
	w.eventually("the end is audited", func() bool {
		ends := w.records(audit.EventStreamEnd)
		return len(ends) == 1 && ends[0].End == string(wire.CodeDraining)
	})
	if err := audit.Verify(w.auditFile); err != nil {
		t.Error(err)
	}
}

// Where the start cannot be made durable, nothing is granted.
func TestNoGrantWithoutAudit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.allow(app, "everyone")
	host, _ := w.host(app)
	client, s := w.client("alice@site.com")
	x := w.trunk(client, s, host)
	w.granted(client, host, x.ticket.Trunk)
	w.stopAudit()
	w.eventually("the audit is closed", func() bool {
		return w.audit.Write(t.Context(), audit.Record{Event: "test", Outcome: audit.OK}) != nil
	})
	id := client.open(x.ticket.Trunk)
	if d := expect[*wire.Denied](client); d.Stream != id || d.Reason.Code != wire.CodeInternal {
		t.Errorf("denied = %+v", d)
	}
	host.register(app) // whatever came before it has come
	for len(host.msgs) > 0 {
		if g, ok := (<-host.msgs).(*wire.Grant); ok {
			t.Errorf("granted all the same: %+v", g)
		}
	}
}

// A host whose link has ended a moment ago is still in the table: the offer goes
// to another one.
func TestHostThatIsJustLostIsPassedOver(t *testing.T) {
	t.Parallel()
	j := newJoined(t) // its host has a stream, so that the other one is picked
	lost := &registry.Host{Connector: j.connector.ID, Key: j.client.d.key, Send: func(wire.Message) error { return net.ErrClosed }}
	j.relay.cfg.Registry.Set(lost, []wire.TunnelInfo{{Hostname: app}})
	bob, s := j.world.client("bob@site.com")
	j.world.trunk(bob, s, j.host)
	if lost.Streams() != 0 || !j.relay.cfg.Registry.Online(app) {
		t.Error("the host that is there was taken off the table")
	}
}

// A client that says of a live stream that it is over does not make it one that
// nobody sees: the host ends it, and its figures count.
func TestStreamIsNotOverByItsClientsWordAlone(t *testing.T) {
	t.Parallel()
	j := newJoined(t, func(l *times) { l.report = 2 * time.Second }) // for the host to answer in
	j.client.Send(&wire.StreamEnded{Trunk: j.ticket.Trunk, Stream: j.stream, Code: wire.CodeClosed})
	if c := expect[*wire.Cut](j.host); c.Stream != j.stream || c.Trunk != j.ticket.Trunk || c.Reason.Code != wire.CodeClosed {
		t.Errorf("the host hears %+v", c)
	}
	if n := len(j.relay.Streams()); n != 1 {
		t.Errorf("%d live streams before the host has ended it", n)
	}
	j.host.Send(&wire.StreamEnded{Trunk: j.ticket.Trunk, Stream: j.stream, Code: wire.CodeClosed, BytesToClient: 7})
	j.eventually("the end is audited", func() bool {
		ends := j.records(audit.EventStreamEnd)
		return len(ends) == 1 && ends[0].BytesToClient == 7
	})
	j.echo(t) // the trunk goes on
}

// Streams that are reset before their Verdict do not reach policy as often as
// their client likes; other sessions are not limited by it.
func TestStreamsThatAreNeverOpenedAreCounted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.allow(app, "everyone")
	host, _ := w.host(app)
	client, s := w.client("alice@site.com")
	x := w.trunk(client, s, host)
	var ids []wire.StreamID
	for range 800 { // what is owed for them lasts for seconds, however slow they were
		ids = append(ids, client.open(x.ticket.Trunk))
		<-host.msgs // the grant
	}
	for _, id := range ids {
		host.Send(&wire.StreamEnded{Trunk: x.ticket.Trunk, Stream: id, Code: wire.CodeNeverOpened})
	}
	w.eventually("the ends to be taken", func() bool { return len(w.relay.Streams()) == 0 })
	client.open(x.ticket.Trunk)
	select {
	case <-host.msgs:
		t.Error("another one was decided")
	case m := <-client.msgs:
		if d, ok := m.(*wire.Denied); !ok || d.Reason.Code != wire.CodeLimit {
			t.Errorf("client got %T %+v", m, m)
		}
	}
	bob, bobs := w.client("bob@site.com")
	y := w.trunk(bob, bobs, host)
	w.granted(bob, host, y.ticket.Trunk)
}
