package pipe_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/pipe"
	"github.com/sallyport/sallyport/internal/sockopt"
	"github.com/sallyport/sallyport/wire"
)

// path is an application and a service joined by two pipes and a stream:
// app <-TCP-> pipe <-stream-> pipe <-TCP-> service.
type path struct {
	app, service         *net.TCPConn
	client, host         *wire.Trunk
	atClient, atHost     chan pipe.Result
	clientEnd, hostEnd   *wire.Stream
	cancelPath, cutTrunk func()
}

const patience = 20 * time.Second

func newPath(t testing.TB) *path {
	t.Helper()
	p := &path{atClient: make(chan pipe.Result, 1), atHost: make(chan pipe.Result, 1)}
	p.client, p.host, p.cutTrunk = newTrunk(t)
	ctx, cancel := context.WithCancel(context.Background())
	p.cancelPath = cancel
	t.Cleanup(cancel)
	var err error
	if p.clientEnd, err = p.client.Open(ctx, wire.NewStreamID(), wire.NewTraceID(), false); err != nil {
		t.Fatal(err)
	}
	if p.hostEnd, err = p.host.Accept(ctx); err != nil {
		t.Fatal(err)
	}
	if err := p.hostEnd.Admit(); err != nil {
		t.Fatal(err)
	}
	var local, origin *net.TCPConn
	p.app, local = tcpPair(t)
	origin, p.service = tcpPair(t)
	sockopt.Local(local)
	sockopt.Local(origin)
	go func() { p.atClient <- pipe.Join(ctx, local, p.clientEnd) }()
	go func() { p.atHost <- pipe.Join(ctx, origin, p.hostEnd) }()
	p.app.SetDeadline(time.Now().Add(patience))
	p.service.SetDeadline(time.Now().Add(patience))
	t.Cleanup(func() { p.app.Close(); p.service.Close() })
	return p
}

// results waits for both pipes.
func (p *path) results(t *testing.T) (client, host pipe.Result) {
	t.Helper()
	for range 2 {
		select {
		case client = <-p.atClient:
		case host = <-p.atHost:
		case <-time.After(patience):
			t.Fatal("a pipe does not end")
		}
	}
	return client, host
}

// newTrunk makes a trunk over loopback without an edge: a relay that swaps the
// hellos stands between.
func newTrunk(t testing.TB) (client, host *wire.Trunk, cut func()) {
	t.Helper()
	c, h := device(t), device(t)
	name := wire.NewLabel().ServerName("edge.test")
	rawClient, edgeClient := tcpPair(t)
	rawHost, edgeHost := tcpPair(t)
	for _, c := range []net.Conn{rawClient, edgeClient, rawHost, edgeHost} {
		sockopt.Carrier(c)
	}
	cut = func() { edgeClient.Close(); edgeHost.Close() }
	go relay(edgeClient, edgeHost)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var wg sync.WaitGroup
	var hostErr error
	wg.Go(func() {
		host, hostErr = wire.AcceptTrunk(ctx, rawHost, wire.NewLabel().ServerName("edge.test"),
			wire.TrunkConfig{Cert: h, PeerKey: wire.KeyIDOf(c.Leaf), ServerName: name})
	})
	client, err := wire.DialTrunk(ctx, rawClient, wire.TrunkConfig{Cert: c, PeerKey: wire.KeyIDOf(h.Leaf), ServerName: name})
	wg.Wait()
	if err := errors.Join(err, hostErr); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client.CloseWith(nil)
		host.CloseWith(nil)
		<-client.Done()
		<-host.Done()
		cut()
	})
	return client, host, cut
}

// relay drops the host's hello record and copies the rest.
func relay(client, host net.Conn) {
	header := make([]byte, 5)
	if _, err := io.ReadFull(host, header); err != nil {
		return
	}
	if _, err := io.CopyN(io.Discard, host, int64(header[3])<<8+int64(header[4])); err != nil {
		return
	}
	go func() { io.Copy(client, host); client.Close() }()
	io.Copy(host, client)
	host.Close()
}

func device(t testing.TB) tls.Certificate {
	t.Helper()
	key, err := wire.NewDeviceKey()
	if err != nil {
		t.Fatal(err)
	}
	cert, err := wire.DeviceCertificate(key)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func tcpPair(t testing.TB) (a, b *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dialled, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return dialled.(*net.TCPConn), accepted.(*net.TCPConn)
}

func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

func TestJoinCarriesHalfClose(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name             string
		request, replies int
	}{
		{"nothing either way", 0, 0},
		{"a question, and a long answer after the end of it", 100, 8 << 20},
		{"a long question, a short answer", 8 << 20, 10},
		{"long both ways, one after the other", 4 << 20, 4 << 20},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := newPath(t)
			request, reply := randomBytes(test.request), randomBytes(test.replies)
			go func() { // the service answers only once it has seen the end
				got, err := io.ReadAll(p.service)
				if err != nil || sha256.Sum256(got) != sha256.Sum256(request) {
					t.Errorf("service read %d bytes, %v; want the %d sent", len(got), err, len(request))
				}
				p.service.Write(reply)
				p.service.Close()
			}()
			if _, err := p.app.Write(request); err != nil {
				t.Fatal(err)
			}
			if err := p.app.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(p.app)
			if err != nil || !bytes.Equal(got, reply) {
				t.Fatalf("application read %d bytes, %v; want the %d sent", len(got), err, len(reply))
			}
			client, host := p.results(t)
			want := pipe.Result{ToStream: uint64(len(request)), ToLocal: uint64(len(reply))}
			if client != want {
				t.Errorf("client: %+v, want %+v", client, want)
			}
			want.ToStream, want.ToLocal = want.ToLocal, want.ToStream
			if host != want {
				t.Errorf("host: %+v, want %+v", host, want)
			}
		})
	}
}

func TestJoinCarriesReset(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		ends func(p *path) (resetter, other *net.TCPConn)
	}{
		{"application resets", func(p *path) (a, b *net.TCPConn) { return p.app, p.service }},
		{"service resets", func(p *path) (a, b *net.TCPConn) { return p.service, p.app }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := newPath(t)
			resetter, other := test.ends(p)
			resetter.Write([]byte("hello"))
			if _, err := io.ReadFull(other, make([]byte, 5)); err != nil {
				t.Fatal(err)
			}
			resetter.SetLinger(0)
			resetter.Close()
			if n, err := other.Read(make([]byte, 1)); !isReset(err) {
				t.Errorf("the other end read %d, %v; want a reset", n, err)
			}
			client, host := p.results(t)
			for who, r := range map[string]pipe.Result{"client": client, "host": host} {
				if !errors.Is(r.Err, &wire.Reason{Code: wire.CodeReset}) {
					t.Errorf("%s ended with %v, want reset", who, r.Err)
				}
			}
		})
	}
}

// An application that sends without end into a service that does not read, and
// is reset: nobody reads its socket then, it is only asked.
func TestJoinSeesResetWhileBlocked(t *testing.T) {
	t.Parallel()
	p := newPath(t)
	p.app.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
	for { // until everything between is full
		if _, err := p.app.Write(make([]byte, 64<<10)); err != nil {
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal(err)
			}
			break
		}
	}
	p.app.SetLinger(0)
	p.app.Close()
	client, host := p.results(t)
	if !errors.Is(client.Err, &wire.Reason{Code: wire.CodeReset}) || !errors.Is(host.Err, &wire.Reason{Code: wire.CodeReset}) {
		t.Errorf("ended with %v and %v, want reset", client.Err, host.Err)
	}
	if _, err := io.Copy(io.Discard, p.service); !isReset(err) {
		t.Errorf("service: %v, want a reset", err)
	}
}

func TestJoinTurnsLossIntoReset(t *testing.T) {
	t.Parallel()
	p := newPath(t)
	p.app.Write([]byte("hello"))
	if _, err := io.ReadFull(p.service, make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	p.cutTrunk()
	for who, c := range map[string]*net.TCPConn{"application": p.app, "service": p.service} {
		if n, err := c.Read(make([]byte, 1)); !isReset(err) {
			t.Errorf("%s read %d, %v; want a reset", who, n, err)
		}
	}
	client, host := p.results(t)
	if !errors.Is(client.Err, &wire.Reason{Code: wire.CodeCarrierLost}) || !errors.Is(host.Err, &wire.Reason{Code: wire.CodeCarrierLost}) {
		t.Errorf("ended with %v and %v, want carrier-lost", client.Err, host.Err)
	}
}

// After one direction ended in order, loss still reaches the local side.
func TestJoinTurnsLossIntoResetWhenHalfClosed(t *testing.T) {
	t.Parallel()
	p := newPath(t)
	p.service.CloseWrite()
	if n, err := p.app.Read(make([]byte, 1)); err != io.EOF {
		t.Fatalf("application read %d, %v; want the end", n, err)
	}
	p.cutTrunk()
	p.results(t)
	p.app.SetLinger(0)
	for { // the reset may meet the first write only
		if _, err := p.app.Write([]byte("x")); err != nil {
			if !isReset(err) {
				t.Errorf("application writes: %v, want a reset", err)
			}
			return
		}
	}
}

func TestJoinEndsWithItsContext(t *testing.T) {
	t.Parallel()
	p := newPath(t)
	p.cancelPath()
	client, host := p.results(t)
	if client.Err == nil || host.Err == nil {
		t.Errorf("ended with %v and %v, want errors", client.Err, host.Err)
	}
	if n, err := p.app.Read(make([]byte, 1)); !isReset(err) {
		t.Errorf("application read %d, %v; want a reset", n, err)
	}
}

// veiled shows no descriptor, as a connection does of which something was read
// ahead.
type veiled struct {
	net.Conn
	tcp *net.TCPConn
}

func (v veiled) CloseWrite() error { return v.tcp.CloseWrite() }

// lasting cannot end one direction alone.
type lasting struct{ net.Conn }

func TestJoinOfOtherConnections(t *testing.T) {
	t.Parallel()
	t.Run("without a descriptor", func(t *testing.T) {
		t.Parallel()
		app, local := tcpPair(t)
		defer app.Close()
		h, result := joinOne(t, veiled{struct{ net.Conn }{local}, local})
		data := randomBytes(3 << 20)
		go func() { h.Write(data); h.CloseWrite() }()
		got, err := io.ReadAll(app)
		if err != nil || !bytes.Equal(got, data) {
			t.Fatalf("read %d of %d bytes, %v", len(got), len(data), err)
		}
		go func() { app.Write(data); app.CloseWrite() }()
		if got, err = io.ReadAll(h); err != nil || !bytes.Equal(got, data) {
			t.Fatalf("read %d of %d bytes, %v", len(got), len(data), err)
		}
		want := pipe.Result{ToStream: uint64(len(data)), ToLocal: uint64(len(data))}
		if r := <-result; r != want {
			t.Errorf("%+v, want %+v", r, want)
		}
	})
	t.Run("without half-close", func(t *testing.T) {
		t.Parallel()
		app, local := net.Pipe()
		defer app.Close()
		h, result := joinOne(t, lasting{local})
		h.CloseWrite()
		if r := <-result; r.Err == nil {
			t.Error("ended in order, though the end could not be told")
		}
		if _, err := app.Read(make([]byte, 1)); err == nil {
			t.Error("the local connection is open")
		}
	})
}

// joinOne joins a local connection at the client, and gives the host's stream.
func joinOne(t *testing.T, local net.Conn) (*wire.Stream, <-chan pipe.Result) {
	t.Helper()
	client, host, _ := newTrunk(t)
	c, err := client.Open(t.Context(), wire.NewStreamID(), wire.NewTraceID(), false)
	if err != nil {
		t.Fatal(err)
	}
	h, err := host.Accept(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Admit(); err != nil {
		t.Fatal(err)
	}
	result := make(chan pipe.Result, 1)
	go func() { result <- pipe.Join(context.Background(), local, c) }()
	return h, result
}

// A local side that takes nothing for a while, then everything.
func TestJoinToASlowReader(t *testing.T) {
	t.Parallel()
	p := newPath(t)
	data := randomBytes(12 << 20)
	go func() { p.service.Write(data); p.service.CloseWrite() }()
	p.app.CloseWrite()
	if _, err := io.Copy(io.Discard, p.service); err != nil { // meanwhile the windows fill
		t.Fatal(err)
	}
	sum := sha256.New()
	for {
		n, err := io.CopyN(sum, p.app, 1<<20)
		if n == 0 && err == io.EOF {
			break
		}
		if err != nil && err != io.EOF {
			t.Fatal(err)
		}
	}
	if want := sha256.Sum256(data); !bytes.Equal(sum.Sum(nil), want[:]) {
		t.Error("the bytes differ")
	}
	if client, host := p.results(t); client.Err != nil || host.Err != nil {
		t.Errorf("ended with %v and %v", client.Err, host.Err)
	}
}

// A write that meets a reset takes the kernel's error with it: what is read then
// looks like an end, and must not be carried as one.
func TestJoinDoesNotTakeResetForEnd(t *testing.T) {
	t.Parallel()
	client, host, _ := newTrunk(t)
	c, err := client.Open(t.Context(), wire.NewStreamID(), wire.NewTraceID(), false)
	if err != nil {
		t.Fatal(err)
	}
	h, err := host.Accept(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Admit(); err != nil {
		t.Fatal(err)
	}
	origin, service := tcpPair(t)
	sockopt.Local(origin)
	service.SetLinger(0)
	service.Close()
	for !isReset(err) {
		_, err = origin.Write([]byte("x"))
	}
	if n, err := origin.Read(make([]byte, 1)); err != io.EOF {
		t.Skipf("this kernel does not forget a reset: read %d, %v", n, err)
	}
	joined := make(chan pipe.Result, 1)
	go func() { joined <- pipe.Join(t.Context(), origin, h) }()
	if n, err := c.Read(make([]byte, 1)); !errors.Is(err, &wire.Reason{Code: wire.CodeReset}) {
		t.Errorf("the other end reads %d, %v; want a reset", n, err)
	}
	c.Reset(nil)
	if r := <-joined; !errors.Is(r.Err, &wire.Reason{Code: wire.CodeReset}) {
		t.Errorf("ended with %v, want a reset", r.Err)
	}
}
