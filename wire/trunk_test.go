package wire

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/nettest"

	"github.com/sallyport/sallyport/wire/hello"
)

// joint is a small edge: it takes the connection of a host, whose first record
// names a label, and that of a client, and joins them.
type joint struct {
	host, client net.Conn // the edge's ends
	mu           sync.Mutex
	name         string // SNI of the host's hello
	surplus      int    // bytes of the host beyond its record
}

// peeked aborts a handshake once the hello is known.
var errPeeked = errors.New("peeked")

// readHello takes exactly one ClientHello record.
func readHello(r *bufio.Reader) (record []byte, serverName string, err error) {
	header, err := r.Peek(5)
	if err != nil {
		return nil, "", err
	}
	record = make([]byte, 5+int(header[3])<<8+int(header[4]))
	if _, err := io.ReadFull(r, record); err != nil {
		return nil, "", err
	}
	replay := &replayConn{b: record}
	err = tls.Server(replay, &tls.Config{GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		serverName = h.ServerName
		return nil, errPeeked
	}}).Handshake()
	if !errors.Is(err, errPeeked) {
		return nil, "", err
	}
	return record, serverName, nil
}

type replayConn struct {
	hello.Capture
	b []byte
}

func (c *replayConn) Read(p []byte) (int, error) {
	if len(c.b) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.b)
	c.b = c.b[n:]
	return n, nil
}

// run joins the two connections until one ends.
func (j *joint) run() {
	defer j.cut()
	fromHost := bufio.NewReader(j.host)
	_, name, err := readHello(fromHost)
	if err != nil {
		return
	}
	fromClient := bufio.NewReader(j.client)
	hello, _, err := readHello(fromClient)
	if err != nil {
		return
	}
	j.mu.Lock()
	j.name, j.surplus = name, fromHost.Buffered()
	bad := j.surplus > 0
	j.mu.Unlock()
	if bad {
		return
	}
	if _, err := j.host.Write(hello); err != nil {
		return
	}
	var wg sync.WaitGroup
	wg.Go(func() { io.Copy(j.client, fromHost); j.cut() })
	wg.Go(func() { io.Copy(j.host, fromClient); j.cut() })
	wg.Wait()
}

// cut ends both connections.
func (j *joint) cut() {
	j.host.Close()
	j.client.Close()
}

// tcpPair is two ends of a loopback connection.
func tcpPair(t testing.TB) (a, b net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	accepted := make(chan net.Conn, 1)
	go func() {
		c, _ := l.Accept()
		accepted <- c
	}()
	if a, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if b = <-accepted; b == nil {
		t.Fatal("accept")
	}
	return a, b
}

// newDevice is a daemon's key in its certificate.
func newDevice(t testing.TB) tls.Certificate {
	t.Helper()
	key, err := NewDeviceKey()
	if err != nil {
		t.Fatal(err)
	}
	cert, err := DeviceCertificate(key)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// ends are the two configurations of a trunk that fit.
type ends struct {
	client, host TrunkConfig
	hostName     string
}

func fittingEnds(t testing.TB) ends {
	c, h := newDevice(t), newDevice(t)
	id, name := NewTrunkID(), NewLabel().ServerName("edge.test")
	return ends{
		client:   TrunkConfig{ID: id, Cert: c, PeerKey: KeyIDOf(h.Leaf), ServerName: name},
		host:     TrunkConfig{ID: id, Cert: h, PeerKey: KeyIDOf(c.Leaf), ServerName: name},
		hostName: NewLabel().ServerName("edge.test"),
	}
}

// joinEnds makes a trunk of two configurations, through a joint.
func joinEnds(t testing.TB, e ends) (client, host *Trunk, j *joint, err error) {
	t.Helper()
	j = &joint{}
	rawClient, edgeClient := tcpPair(t)
	rawHost, edgeHost := tcpPair(t)
	j.client, j.host = edgeClient, edgeHost
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	joined := make(chan struct{})
	go func() { defer close(joined); j.run() }()
	var hostErr, clientErr error
	wg.Go(func() {
		host, hostErr = AcceptTrunk(ctx, rawHost, e.hostName, e.host)
		if hostErr != nil {
			j.cut()
		}
	})
	wg.Go(func() {
		client, clientErr = DialTrunk(ctx, rawClient, e.client)
		if clientErr != nil {
			j.cut()
		}
	})
	wg.Wait()
	t.Cleanup(func() {
		for _, trunk := range []*Trunk{client, host} {
			if trunk != nil {
				trunk.CloseWith(nil)
				<-trunk.Done()
			}
		}
		j.cut()
		<-joined
	})
	return client, host, j, errors.Join(clientErr, hostErr)
}

// newTrunk makes a trunk that works.
func newTrunk(t testing.TB) (client, host *Trunk, j *joint) {
	t.Helper()
	client, host, j, err := joinEnds(t, fittingEnds(t))
	if err != nil {
		t.Fatal(err)
	}
	return client, host, j
}

// openStream opens and admits a stream.
func openStream(t testing.TB, client, host *Trunk) (c, h *Stream) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	c, err := client.Open(ctx, NewStreamID(), NewTraceID(), false)
	if err != nil {
		t.Fatal(err)
	}
	if h, err = host.Accept(ctx); err != nil {
		t.Fatal(err)
	}
	if err := h.Admit(); err != nil {
		t.Fatal(err)
	}
	if err := c.Verdict(ctx); err != nil {
		t.Fatal(err)
	}
	return c, h
}

func TestStreamIsAConn(t *testing.T) {
	t.Parallel()
	for _, swap := range []bool{false, true} {
		name := map[bool]string{false: "client first", true: "host first"}[swap]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
				client, host, _ := newTrunk(t)
				c, h := openStream(t, client, host)
				stop = func() {
					client.CloseWith(nil)
					host.CloseWith(nil)
				}
				if swap {
					return h, c, stop, nil
				}
				return c, h, stop, nil
			})
		})
	}
}

func TestTrunkThroughAnEdge(t *testing.T) {
	t.Parallel()
	e := fittingEnds(t)
	client, host, j, err := joinEnds(t, e)
	if err != nil {
		t.Fatal(err)
	}
	j.mu.Lock()
	name, surplus := j.name, j.surplus
	j.mu.Unlock()
	if name != e.hostName || surplus != 0 {
		t.Errorf("the host's hello names %q and brings %d bytes more", name, surplus)
	}
	if client.Fingerprint() == "" || client.Fingerprint() != host.Fingerprint() {
		t.Errorf("fingerprints %q and %q", client.Fingerprint(), host.Fingerprint())
	}
	if client.ID() != e.client.ID {
		t.Errorf("id %v, want %v", client.ID(), e.client.ID)
	}
	other, _, _ := newTrunk(t)
	if other.Fingerprint() == client.Fingerprint() {
		t.Error("two trunks have one fingerprint")
	}
}

// Whoever is not named by ticket and offer does not get a trunk.
func TestTrunkRefusesStrangers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(t *testing.T, e *ends)
		want   error // at one of the ends
	}{
		{"another host answers", func(t *testing.T, e *ends) { e.host.Cert = newDevice(t) }, ErrPeerKey},
		{"another client comes", func(t *testing.T, e *ends) { e.client.Cert = newDevice(t) }, ErrPeerKey},
		{"another name is asked for", func(t *testing.T, e *ends) {
			e.client.ServerName = NewLabel().ServerName("edge.test")
		}, ErrServerName},
		{"a lane where a trunk was offered", func(t *testing.T, e *ends) { e.client.Carrier = CarrierLane }, nil},
		{"a client without a certificate", func(t *testing.T, e *ends) { e.client.Cert = tls.Certificate{} }, nil},
		{"a key of another type", func(t *testing.T, e *ends) {
			e.client.Cert = rsaDevice(t)
			e.host.PeerKey = KeyIDOf(e.client.Cert.Leaf)
		}, ErrKeyType},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			e := fittingEnds(t)
			test.change(t, &e)
			client, host, _, err := joinEnds(t, e)
			if host != nil {
				t.Error("the host has a trunk")
			}
			// A client may learn of its refusal only when it first reads.
			if client != nil {
				select {
				case <-client.Done():
				case <-time.After(20 * time.Second):
					t.Fatal("the client's trunk goes on")
				}
				err = errors.Join(err, client.Err())
			}
			if err == nil || test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("refused with %v, want %v", err, test.want)
			}
		})
	}
}

// A host that says more than its one record before the client's hello.
func TestSurplusOfTheHostEndsIt(t *testing.T) {
	t.Parallel()
	e := fittingEnds(t)
	said, err := helloRecord(t.Context(), e.hostName, ALPNTrunk)
	if err != nil {
		t.Fatal(err)
	}
	rawClient, edgeClient := tcpPair(t)
	rawHost, edgeHost := tcpPair(t)
	j := &joint{client: edgeClient, host: edgeHost}
	ended := make(chan struct{})
	go func() { defer close(ended); j.run() }()
	rawHost.Write(append(said, 'x'))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if _, err := DialTrunk(ctx, rawClient, e.client); err == nil {
		t.Error("the client has a trunk")
	}
	<-ended
	if _, err := io.Copy(io.Discard, rawHost); j.surplus == 0 {
		t.Errorf("surplus %d, %v", j.surplus, err)
	}
	rawHost.Close()
}

func TestHelloIsOneRecord(t *testing.T) {
	t.Parallel()
	name := NewLabel().ServerName("a-rather-long-name-of-an-edge.example.org")
	said, err := helloRecord(t.Context(), name, ALPNTrunk)
	if err != nil {
		t.Fatal(err)
	}
	record, got, err := readHello(bufio.NewReader(bytes.NewReader(said)))
	if err != nil || got != name || len(record) != len(said) || len(said) > MaxPeek {
		t.Errorf("hello of %d bytes names %q, %v", len(said), got, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := helloRecord(ctx, name, ALPNTrunk); err == nil {
		t.Error("a cancelled context makes a hello")
	}
}

// A handshake that nobody answers ends with its context, and the connection.
func TestTrunkHandshakeEndsWithItsContext(t *testing.T) {
	t.Parallel()
	e := fittingEnds(t)
	for name, begin := range map[string]func(ctx context.Context, raw net.Conn) (*Trunk, error){
		"client": func(ctx context.Context, raw net.Conn) (*Trunk, error) { return DialTrunk(ctx, raw, e.client) },
		"host": func(ctx context.Context, raw net.Conn) (*Trunk, error) {
			return AcceptTrunk(ctx, raw, e.hostName, e.host)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			raw, other := tcpPair(t)
			defer other.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if _, err := begin(ctx, raw); err == nil {
				t.Error("there is a trunk")
			}
			if _, err := raw.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
				t.Errorf("the connection stays open: %v", err)
			}
		})
	}
}

// Not parallel: it counts goroutines.
func TestTrunkLeavesNoGoroutines(t *testing.T) {
	before := runtime.NumGoroutine()
	for _, how := range []func(client, host *Trunk, j *joint){
		func(client, host *Trunk, j *joint) { client.CloseWith(nil) },
		func(client, host *Trunk, j *joint) { host.CloseWith(nil) },
		func(client, host *Trunk, j *joint) { j.cut() },
	} {
		client, host, j := newTrunk(t)
		for range 10 {
			c, h := openStream(t, client, host)
			go c.Write(make([]byte, 1<<20))
			go io.Copy(h, h)
		}
		c, h := openStream(t, client, host)
		c.CloseWrite()
		h.CloseWrite()
		io.Copy(io.Discard, c)
		io.Copy(io.Discard, h)
		how(client, host, j)
		<-client.Done()
		<-host.Done()
	}
	deadline := time.After(20 * time.Second)
	for runtime.NumGoroutine() > before {
		select {
		case <-deadline:
			buf := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, %d before\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// A lane is a TLS connection like a trunk's, with a name of its own. That it is cut
// on the way, even tidily, is no end of its stream; its own close is.
func TestLaneThroughAnEdge(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		end  func(client *Trunk, s *Stream, j *joint)
		want Code // of the stream's loss at the host; "" where it is over in order
	}{
		{"the edge closes it", func(_ *Trunk, _ *Stream, j *joint) { j.cut() }, ""},
		{"the client closes it", func(c *Trunk, _ *Stream, _ *joint) { c.CloseWith(&Reason{Code: CodeClosed}) }, CodeClosed},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			e := fittingEnds(t)
			e.client.Resume, e.host.Resume = true, true
			client, host, _, err := joinEnds(t, e)
			if err != nil {
				t.Fatal(err)
			}
			c, h := openStream(t, client, host)
			e = fittingEnds(t)
			e.client.Carrier, e.host.Carrier = CarrierLane, CarrierLane
			lane, hostLane, j, err := joinEnds(t, e)
			if err != nil {
				t.Fatal(err)
			}
			if lane.Fingerprint() != hostLane.Fingerprint() {
				t.Error("the fingerprints differ")
			}
			if err := lane.Attach(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			k, err := hostLane.Accept(t.Context())
			if err != nil || !k.Knocks() {
				t.Fatalf("accepted %v, %v", k, err)
			}
			if err := h.GoOn(k); err != nil {
				t.Fatal(err)
			}
			go c.Write(make([]byte, 1<<20))
			if _, err := io.ReadFull(h, make([]byte, 1<<20)); err != nil {
				t.Fatal(err)
			}
			test.end(lane, c, j)
			<-hostLane.Done()
			if test.want != "" {
				if !errors.Is(h.Err(), &Reason{Code: test.want}) {
					t.Errorf("ended with %v, want %s", h.Err(), test.want)
				}
			} else if h.Err() != nil || h.Parked().IsZero() || len(hostLane.Remains()) != 1 {
				t.Errorf("ended with %v, parked at %v, %d remain", h.Err(), h.Parked(), len(hostLane.Remains()))
			}
		})
	}
}
