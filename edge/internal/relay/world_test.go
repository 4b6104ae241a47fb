package relay

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/edge/internal/audit"
	"github.com/sallyport/sallyport/edge/internal/config"
	"github.com/sallyport/sallyport/edge/internal/enrol"
	"github.com/sallyport/sallyport/edge/internal/login"
	"github.com/sallyport/sallyport/edge/internal/policy"
	"github.com/sallyport/sallyport/edge/internal/registry"
	"github.com/sallyport/sallyport/edge/internal/sessions"
	"github.com/sallyport/sallyport/edge/internal/store"
	"github.com/sallyport/sallyport/wire"
)

const (
	app  = "tcp.site.com"
	wait = 30 * time.Second // for what must come; never for what must not
)

// world is a relay with real rooms on a real port.
type world struct {
	t         *testing.T
	relay     *Relay
	addr      string
	conf      atomic.Pointer[config.Config]
	roots     *x509.CertPool
	sessions  *sessions.Service
	enrol     *enrol.Service
	apps      *policy.Apps
	audit     *audit.Log
	meter     *counts
	auditFile string
	stopAudit context.CancelFunc
}

// counts is a Meter.
type counts struct{ refused, allowed, denied, ended, resumed, moved, expired, replayed atomic.Int64 }

func (c *counts) Refused(string)     { c.refused.Add(1) }
func (c *counts) Login(string)       {}
func (c *counts) StreamEnded(string) { c.ended.Add(1) }
func (c *counts) Resumed(moved bool) {
	if moved {
		c.moved.Add(1)
	} else {
		c.resumed.Add(1)
	}
}
func (c *counts) Expired()          { c.expired.Add(1) }
func (c *counts) Replayed(n uint64) { c.replayed.Add(int64(n)) }
func (c *counts) Decision(allow bool) {
	if allow {
		c.allowed.Add(1)
	} else {
		c.denied.Add(1)
	}
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func newWorld(t *testing.T, change ...func(*times)) *world {
	t.Helper()
	limits := times{ // none ends anything where a test does not say so
		peek: wait, hello: wait, web: wait, parting: wait, loose: wait, cut: wait, report: wait, orphan: wait, park: wait,
	}
	for _, f := range change {
		f(&limits)
	}
	dir := t.TempDir()
	log := slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	l := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
	port := uint16(l.Addr().(*net.TCPAddr).Port)
	w := &world{t: t, addr: l.Addr().String(), meter: &counts{}, auditFile: filepath.Join(dir, "audit.jsonl")}
	w.set(&config.Config{
		Name: "localhost", Port: port, ID: "edge-1", Listen: l.Addr().String(),
		Sites: []config.Site{{Zone: "site.com"}}, Login: config.Login{Modes: []string{"loopback", "code"}, Timeout: 10 * time.Minute},
	})
	settings := w.conf.Load
	db := must[*store.Bolt](t)(store.Open(filepath.Join(dir, "edge.db"), log))
	w.audit = must[*audit.Log](t)(audit.Open(w.auditFile, "edge-1", log))
	w.sessions = must[*sessions.Service](t)(sessions.New(ctx, db, time.Hour, log))
	w.enrol = must[*enrol.Service](t)(enrol.New(ctx, db, func() []config.Site { return settings().Sites }, log))
	w.apps = must[*policy.Apps](t)(policy.NewApps(ctx, db, log))
	cert, roots := serverCertificate(t)
	w.roots = roots
	w.relay = newRelay(Config{
		Settings: settings, Certificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &cert, nil },
		Web:      http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "web "+r.Proto) }),
		Sessions: w.sessions, Enrol: w.enrol, Apps: w.apps, Audit: w.audit, Registry: registry.New(),
		Login: login.New(login.Config{Edge: settings, Log: log}), Meter: w.meter, Log: log,
	}, limits)
	auditCtx, stopAudit := context.WithCancel(context.WithoutCancel(ctx))
	w.stopAudit = stopAudit
	auditDone, done := make(chan error, 1), make(chan error, 1)
	go func() { auditDone <- w.audit.Run(auditCtx) }()
	go func() { done <- w.relay.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
		stopAudit()
		if err := <-auditDone; err != nil {
			t.Errorf("audit: %v", err)
		}
		db.Close()
	})
	return w
}

func (w *world) set(c *config.Config) { w.conf.Store(c) }

// tcp2 is a connection that its user closes.
func (w *world) tcp2() net.Conn {
	c, err := net.Dial("tcp", w.addr)
	if err != nil {
		panic(err) // also called from other goroutines than the test's
	}
	return c
}

// testWriter sends the log to the test until it ends.
type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

func serverCertificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key := must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der := must[[]byte](t)(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))
	leaf := must[*x509.Certificate](t)(x509.ParseCertificate(der))
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, roots
}

func (w *world) allow(hostname string, selectors ...string) {
	w.t.Helper()
	err := w.apps.Put(w.t.Context(), policy.App{Hostname: hostname, Rules: []policy.Rule{{Action: policy.Allow, Selectors: selectors}}})
	if err != nil {
		w.t.Fatal(err)
	}
}

// resumes sets how long the streams of the app wait for another trunk.
func (w *world) resumes(hostname string, window time.Duration) {
	w.t.Helper()
	a, _ := w.apps.Get(hostname)
	with := *a
	with.ResumeWindowMS = new(window.Milliseconds())
	if err := w.apps.Put(w.t.Context(), with); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) records(event string) []audit.Record {
	w.t.Helper()
	var found []audit.Record
	err := w.audit.Tail(w.t.Context(), 10_000, false, func(line []byte) error {
		var r audit.Record
		if err := json.Unmarshal(line, &r); err != nil {
			return err
		}
		if r.Event == event {
			found = append(found, r)
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return found
}

// impatient does not wait for the word of a host.
func impatient(l *times) { l.cut, l.report = 50*time.Millisecond, 50*time.Millisecond }

// eventually asks until ok says yes.
func (w *world) eventually(what string, ok func() bool) {
	w.t.Helper()
	deadline := time.After(wait)
	for tick := time.NewTicker(5 * time.Millisecond); ; {
		if ok() {
			tick.Stop()
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			w.t.Fatalf("never: %s", what)
		}
	}
}

// device is one device key.
type device struct {
	w    *world
	cert tls.Certificate
	key  wire.KeyID
}

func (w *world) device() *device {
	w.t.Helper()
	signer, err := wire.NewDeviceKey()
	if err != nil {
		w.t.Fatal(err)
	}
	cert := must[tls.Certificate](w.t)(wire.DeviceCertificate(signer))
	return &device{w, cert, wire.KeyIDOf(cert.Leaf)}
}

// person makes a session of the device.
func (d *device) person(email string) (sessions.Session, string) {
	d.w.t.Helper()
	s, token, err := d.w.sessions.Create(d.w.t.Context(), sessions.NewSession{
		Key: d.key, Person: wire.PersonInfo{Issuer: "iss", Subject: email, Email: email}, EmailVerified: true, DeviceName: "laptop",
	})
	if err != nil {
		d.w.t.Fatal(err)
	}
	return s, token
}

// peerLink is a daemon's link, made by hand.
type peerLink struct {
	*wire.Link
	d       *device
	msgs    chan wire.Message
	welcome *wire.Welcome
}

// dial makes a link without a hello.
func (d *device) dial() *peerLink {
	t := d.w.t
	t.Helper()
	raw := must[net.Conn](t)(net.Dial("tcp", d.w.addr))
	tc := tls.Client(raw, wire.LinkClientConfig(d.cert, "localhost", d.w.roots))
	if err := tc.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	return d.over(tc)
}

// over makes a link on a connection whose handshake is done.
func (d *device) over(tc *tls.Conn) *peerLink {
	t := d.w.t
	p := &peerLink{Link: wire.NewLink(tc), d: d, msgs: make(chan wire.Message, 1000)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.Run(context.Background(), func(_ uint32, m wire.Message) { p.msgs <- m })
	}()
	t.Cleanup(func() { p.Close(); <-ended })
	return p
}

// dialLater makes a link with its hello on a goroutine of wg; without a welcome
// it came to nothing.
func (d *device) dialLater(ctx context.Context, wg *sync.WaitGroup, hello wire.Hello) *peerLink {
	p := &peerLink{d: d, msgs: make(chan wire.Message, 100)}
	wg.Go(func() {
		tc := tls.Client(d.w.tcp2(), wire.LinkClientConfig(d.cert, "localhost", d.w.roots))
		if tc.HandshakeContext(ctx) != nil {
			tc.Close()
			return
		}
		p.Link = wire.NewLink(tc)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			p.Run(context.Background(), func(_ uint32, m wire.Message) { p.msgs <- m })
		}()
		d.w.t.Cleanup(func() { p.Close(); <-ended })
		if reply, err := p.Call(ctx, &hello); err == nil {
			p.welcome, _ = reply.(*wire.Welcome)
		}
	})
	return p
}

func (d *device) link(hello wire.Hello) *peerLink {
	d.w.t.Helper()
	p := d.dial()
	if hello.Versions == nil {
		hello.Versions = []int{wire.Version}
	}
	if hello.BootID == "" {
		hello.BootID = "boot"
	}
	p.welcome = call[*wire.Welcome](p, &hello)
	return p
}

// client is a link of a person's device with a session.
func (w *world) client(email string) (*peerLink, sessions.Session) {
	w.t.Helper()
	d := w.device()
	s, token := d.person(email)
	p := d.link(wire.Hello{Role: wire.RoleClient, SessionToken: token})
	if p.welcome.Session == nil || p.welcome.Session.ID != s.ID || p.welcome.SessionToken == "" {
		w.t.Fatalf("welcome = %+v", p.welcome)
	}
	return p, s
}

// host is a link of an enrolled host that publishes hostnames.
func (w *world) host(hostnames ...string) (*peerLink, enrol.Connector) {
	w.t.Helper()
	d := w.device()
	c, err := w.enrol.Create(w.t.Context(), enrol.NewConnector{Key: d.key, Site: "site.com", By: "test"})
	if err != nil {
		w.t.Fatal(err)
	}
	p := d.link(wire.Hello{Role: wire.RoleHost})
	p.register(hostnames...)
	return p, c
}

func (p *peerLink) register(hostnames ...string) []wire.RegisterResult {
	p.d.w.t.Helper()
	m := &wire.Register{}
	for _, h := range hostnames {
		m.Tunnels = append(m.Tunnels, wire.TunnelInfo{Hostname: h})
	}
	return call[*wire.Registered](p, m).Results
}

// call expects an answer of type M.
func call[M wire.Message](p *peerLink, m wire.Message) M {
	t := p.d.w.t
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	defer cancel()
	reply, err := p.Call(ctx, m)
	if err != nil {
		t.Fatalf("%T: %v", m, err)
	}
	typed, ok := reply.(M)
	if !ok {
		t.Fatalf("%T answered by %T", m, reply)
	}
	return typed
}

// refusal expects a refusal and returns it.
func (p *peerLink) refusal(m wire.Message) *wire.Reason {
	t := p.d.w.t
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	defer cancel()
	reply, err := p.Call(ctx, m)
	var why *wire.Reason
	if !errors.As(err, &why) {
		t.Fatalf("%T answered by %T, %v; want a refusal", m, reply, err)
	}
	return why
}

// expect waits for a message of type M, past others.
func expect[M wire.Message](p *peerLink) M {
	t := p.d.w.t
	t.Helper()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case m := <-p.msgs:
			if typed, ok := m.(M); ok {
				return typed
			}
		case <-p.Done():
			t.Fatalf("link ended: %v", p.Err())
		case <-timer.C:
			var want M
			t.Fatalf("no %T came", want)
		}
	}
}

// pairing is a trunk that was joined, with TLS end to end.
type pairing struct {
	ticket       *wire.Ticket
	offer        *wire.Offer
	client, host *tls.Conn
}

// trunk runs the whole way of a ticket.
func (w *world) trunk(client *peerLink, s sessions.Session, host *peerLink) *pairing {
	w.t.Helper()
	return w.trunkWith(client, host, &wire.TicketRequest{Session: s.ID, Hostname: app, Carrier: wire.CarrierTrunk})
}

// trunkWith is trunk for a request.
func (w *world) trunkWith(client, host *peerLink, m *wire.TicketRequest) *pairing {
	w.t.Helper()
	tk := call[*wire.Ticket](client, m)
	x := &pairing{ticket: tk, offer: expect[*wire.Offer](host)}
	x.host = tls.Server(w.hostConn(x.offer.Label), &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{host.d.cert},
		NextProtos: []string{wire.ALPNOf(m.Carrier)}, ClientAuth: tls.RequireAnyClientCert,
	})
	x.client = w.clientFor(tk, client.d, m.Carrier)
	failed := make(chan error, 1)
	go func() { failed <- x.host.HandshakeContext(w.t.Context()) }()
	if err := errors.Join(x.client.HandshakeContext(w.t.Context()), <-failed); err != nil {
		w.t.Fatal(err)
	}
	if name := x.host.ConnectionState().ServerName; name != x.offer.ClientLabel.ServerName("localhost") {
		w.t.Fatalf("the host sees SNI %q", name)
	}
	return x
}

func (w *world) tcp() net.Conn {
	w.t.Helper()
	c := must[net.Conn](w.t)(net.Dial("tcp", w.addr))
	c.SetDeadline(time.Now().Add(wait))
	w.t.Cleanup(func() { c.Close() })
	return c
}

// hostConn dials for an offer and sends the host's one record.
func (w *world) hostConn(label wire.Label) net.Conn {
	w.t.Helper()
	c := w.tcp()
	if _, err := c.Write(record(w.t, label)); err != nil {
		w.t.Fatal(err)
	}
	return c
}

func (w *world) clientConn(tk *wire.Ticket, d *device) *tls.Conn {
	w.t.Helper()
	return w.clientFor(tk, d, wire.CarrierTrunk)
}

func (w *world) clientFor(tk *wire.Ticket, d *device, carrier wire.CarrierKind) *tls.Conn {
	w.t.Helper()
	return tls.Client(w.tcp(), &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{d.cert}, InsecureSkipVerify: true,
		ServerName: tk.Label.ServerName("localhost"), NextProtos: []string{wire.ALPNOf(carrier)},
	})
}

// capture keeps what a tls.Client writes first.
type capture struct {
	net.Conn
	buf bytes.Buffer
}

func (c *capture) Write(p []byte) (int, error)      { return c.buf.Write(p) }
func (c *capture) Read([]byte) (int, error)         { return 0, io.EOF }
func (c *capture) SetWriteDeadline(time.Time) error { return nil }

// record is a ClientHello-shaped record that carries a label.
func record(t *testing.T, label wire.Label) []byte {
	t.Helper()
	c := &capture{}
	if err := tls.Client(c, &tls.Config{ServerName: label.ServerName("localhost"), NextProtos: []string{wire.ALPNTrunk}}).Handshake(); err == nil {
		t.Fatal("handshake without a server succeeded")
	}
	return c.buf.Bytes()
}

// open asks for a stream.
func (p *peerLink) open(trunk wire.TrunkID) wire.StreamID {
	p.d.w.t.Helper()
	id := wire.NewStreamID()
	if err := p.Send(&wire.OpenRequest{Trunk: trunk, Stream: id, Trace: wire.NewTraceID()}); err != nil {
		p.d.w.t.Fatal(err)
	}
	return id
}

// granted opens a stream and takes its grant at the host.
func (w *world) granted(client, host *peerLink, trunk wire.TrunkID) wire.StreamID {
	w.t.Helper()
	id := client.open(trunk)
	if g := expect[*wire.Grant](host); g.Stream != id || g.Trunk != trunk {
		w.t.Fatalf("grant = %+v", g)
	}
	return id
}

// echo proves that a trunk carries bytes both ways.
func (x *pairing) echo(t *testing.T) {
	t.Helper()
	for _, dir := range [][2]*tls.Conn{{x.client, x.host}, {x.host, x.client}} {
		if _, err := dir[0].Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 5)
		if _, err := io.ReadFull(dir[1], got); err != nil || string(got) != "hello" {
			t.Fatalf("read %q, %v", got, err)
		}
	}
}

// wantReset reads until the connection ends, which must be by a reset.
func wantReset(t *testing.T, c net.Conn) {
	t.Helper()
	if _, err := io.Copy(io.Discard, c); err == nil || !strings.Contains(err.Error(), "reset") {
		t.Errorf("connection ended by %v, want a reset", err)
	}
}
