package wire

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/nettest"
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
	captureConn
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

// device is a daemon's key in its certificate.
func device(t testing.TB) tls.Certificate {
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
	c, h := device(t), device(t)
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
	c, err := client.Open(ctx, NewStreamID(), NewTraceID())
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
