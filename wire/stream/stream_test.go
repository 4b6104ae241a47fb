package stream_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/wire/carrier"
	"github.com/sallyport/sallyport/wire/envelope"
	"github.com/sallyport/sallyport/wire/id"
	"github.com/sallyport/sallyport/wire/reason"
	"github.com/sallyport/sallyport/wire/stream"
	"github.com/sallyport/sallyport/wire/trunk"
)

type (
	Stream = stream.Stream
	Trunk  = trunk.Trunk
)

const patience = 20 * time.Second

func tcpPair(t testing.TB) (a, b net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if a, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if b, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	return a, b
}

// pair is a trunk without TLS; cut ends what is under it.
func pair(t testing.TB) (client, host *Trunk, cut func()) {
	t.Helper()
	return pairWith(t, trunk.Config{}, trunk.Config{})
}

func pairWith(t testing.TB, atClient, atHost trunk.Config) (client, host *Trunk, cut func()) {
	t.Helper()
	a, b := tcpPair(t)
	client, err := trunk.Client(a, a, atClient)
	if err != nil {
		t.Fatal(err)
	}
	if host, err = trunk.Host(b, b, atHost); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client.CloseWith(nil)
		host.CloseWith(nil)
		<-client.Done()
		<-host.Done()
	})
	return client, host, func() { a.Close() }
}

// soon is a context that ends where a test hangs.
func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// opened gives both ends of a stream without a Verdict.
func opened(t testing.TB, client, host *Trunk) (c, h *Stream) {
	t.Helper()
	c, err := client.Open(soon(t), id.NewStream(), id.NewTrace(), false)
	if err != nil {
		t.Fatal(err)
	}
	if h, err = host.Accept(soon(t)); err != nil {
		t.Fatal(err)
	}
	return c, h
}

// streams gives both ends of an admitted stream.
func streams(t testing.TB, client, host *Trunk) (c, h *Stream) {
	t.Helper()
	c, h = opened(t, client, host)
	if err := h.Admit(); err != nil {
		t.Fatal(err)
	}
	if err := c.Verdict(soon(t)); err != nil {
		t.Fatal(err)
	}
	return c, h
}

// eventually waits for a condition that has no event of its own.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	timeout := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("never: %s", what)
		}
	}
}

func over(t testing.TB, ss ...*Stream) {
	t.Helper()
	for _, s := range ss {
		select {
		case <-s.Done():
		case <-time.After(patience):
			t.Fatal("stream does not end")
		}
	}
}

func TestOpenCarriesIDs(t *testing.T) {
	t.Parallel()
	client, host, _ := pair(t)
	c, h := opened(t, client, host)
	if c.ID() != h.ID() || c.Trace() != h.Trace() || c.ID().IsZero() {
		t.Errorf("client has %v/%v, host has %v/%v", c.ID(), c.Trace(), h.ID(), h.Trace())
	}
	if client.Streams() != 1 || host.Streams() != 1 || !client.IdleSince().IsZero() {
		t.Errorf("streams %d and %d, idle since %v", client.Streams(), host.Streams(), client.IdleSince())
	}
	h.Refuse(&reason.Reason{Code: "x"})
	over(t, c, h)
	if client.Streams() != 0 || host.Streams() != 0 || client.IdleSince().IsZero() {
		t.Errorf("streams %d and %d, idle since %v", client.Streams(), host.Streams(), client.IdleSince())
	}
}

func TestVerdict(t *testing.T) {
	t.Parallel()
	no := &reason.Reason{Code: "origin-refused", Text: "nothing listens", Hint: "start it"}
	for _, test := range []struct {
		name string
		act  func(c, h *Stream)
		code reason.Code // "" is ok
	}{
		{"admitted", func(c, h *Stream) { h.Admit() }, ""},
		{"refused", func(c, h *Stream) { h.Refuse(no) }, no.Code},
		{"denied by the link", func(c, h *Stream) { c.Reset(&reason.Reason{Code: "denied"}) }, "denied"},
		{"reset by the host", func(c, h *Stream) { h.Reset(&reason.Reason{Code: "limit"}) }, "limit"},
		{"closed by the host", func(c, h *Stream) { h.Close() }, reason.Closed},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			client, host, _ := pair(t)
			c, h := opened(t, client, host)
			test.act(c, h)
			err := c.Verdict(soon(t))
			var r *reason.Reason
			switch {
			case test.code == "" && err != nil:
				t.Fatalf("verdict %v, want ok", err)
			case test.code == "":
				return
			case !errors.As(err, &r) || r.Code != test.code:
				t.Fatalf("verdict %v, want %s", err, test.code)
			}
			if test.code == no.Code && *r != *no {
				t.Errorf("reason %+v, want %+v", r, no)
			}
			over(t, c, h)
			for _, s := range []*Stream{c, h} {
				if _, err := s.Read(make([]byte, 1)); !errors.As(err, &r) && !errors.Is(err, net.ErrClosed) {
					t.Errorf("read: %v, want the reason", err)
				}
				if _, err := s.Write([]byte("x")); !errors.As(err, &r) && !errors.Is(err, net.ErrClosed) {
					t.Errorf("write: %v, want the reason", err)
				}
			}
			if err := h.Admit(); err == nil {
				t.Error("admit after the end succeeds")
			}
		})
	}
}

func TestVerdictEndsWithItsContext(t *testing.T) {
	t.Parallel()
	client, host, _ := pair(t)
	c, _ := opened(t, client, host)
	ctx, cancel := context.WithCancelCause(soon(t))
	cause := errors.New("enough")
	time.AfterFunc(10*time.Millisecond, func() { cancel(cause) })
	if err := c.Verdict(ctx); !errors.Is(err, cause) {
		t.Errorf("verdict: %v, want %v", err, cause)
	}
	if c.Err() != nil {
		t.Errorf("the stream ended: %v", c.Err())
	}
}

// Before the Verdict a client may send a little, which the host's application
// reads only once the stream is admitted.
func TestEarlyData(t *testing.T) {
	t.Parallel()
	client, host, _ := pair(t)
	c, h := opened(t, client, host)
	early := bytes.Repeat([]byte("x"), envelope.EarlyWindow)
	if n, err := c.Write(early); n != len(early) || err != nil {
		t.Fatalf("early write: %d, %v", n, err)
	}
	c.SetWriteDeadline(time.Now().Add(20 * time.Millisecond))
	if n, err := c.Write([]byte("y")); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("write beyond the early window: %d, %v; want to wait", n, err)
	}
	c.SetWriteDeadline(time.Time{})
	eventually(t, "early data arrives", func() bool { _, n := h.Counters(); return n == uint64(len(early)) })
	h.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	if n, err := h.Read(make([]byte, 1)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("read before admission: %d, %v; want to wait", n, err)
	}
	h.SetReadDeadline(time.Time{})
	if err := h.Admit(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte("y")); err != nil {
		t.Fatal(err)
	}
	c.CloseWrite()
	got, err := io.ReadAll(h)
	if err != nil || string(got) != string(early)+"y" {
		t.Errorf("host read %d bytes, %v", len(got), err)
	}
}

func TestHalfCloseBothWays(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		swap bool
	}{{"client ends first", false}, {"host ends first", true}} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			client, host, _ := pair(t)
			a, b := streams(t, client, host)
			if test.swap {
				a, b = b, a
			}
			there, back := make([]byte, 3<<20), make([]byte, 5<<20)
			rand.Read(there)
			rand.Read(back)
			go func() { a.Write(there); a.CloseWrite() }()
			got, err := io.ReadAll(b)
			if err != nil || !bytes.Equal(got, there) {
				t.Fatalf("read %d of %d bytes, %v", len(got), len(there), err)
			}
			if _, err := a.Write([]byte("x")); !errors.Is(err, stream.ErrWriteClosed) {
				t.Errorf("write after CloseWrite: %v", err)
			}
			go func() { b.Write(back); b.CloseWrite() }()
			got, err = io.ReadAll(a)
			if err != nil || !bytes.Equal(got, back) {
				t.Fatalf("read %d of %d bytes, %v", len(got), len(back), err)
			}
			over(t, a, b)
			if a.Err() != nil || b.Err() != nil {
				t.Errorf("ended with %v and %v", a.Err(), b.Err())
			}
			if n, err := a.Read(make([]byte, 1)); n != 0 || err != io.EOF {
				t.Errorf("read after the end: %d, %v", n, err)
			}
		})
	}
}

func TestCutCarrierIsAnErrorAtBothEnds(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		prepare func(c, h *Stream)
	}{
		{"idle", func(c, h *Stream) {}},
		{"after the peer's end of one direction", func(c, h *Stream) { h.CloseWrite() }},
		{"with data on the way", func(c, h *Stream) { h.Write(make([]byte, 30<<10)) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			client, host, cut := pair(t)
			c, h := streams(t, client, host)
			test.prepare(c, h)
			cut()
			for _, s := range []*Stream{c, h} {
				over(t, s)
				if !errors.Is(s.Err(), &reason.Reason{Code: reason.CarrierLost}) || errors.Is(s.Err(), io.EOF) {
					t.Errorf("ended with %v, want carrier-lost", s.Err())
				}
				if _, err := s.Read(make([]byte, 1)); err == nil || errors.Is(err, io.EOF) {
					t.Errorf("read: %v, want an error that is not EOF", err)
				}
				if _, err := s.Write([]byte("x")); err == nil {
					t.Error("write succeeds")
				}
			}
			<-client.Done()
			<-host.Done()
			if client.Err() == nil || host.Err() == nil {
				t.Errorf("trunks ended with %v and %v", client.Err(), host.Err())
			}
		})
	}
}

func TestCloseWithTellsItsStreams(t *testing.T) {
	t.Parallel()
	client, host, _ := pair(t)
	c, h := streams(t, client, host)
	why := &reason.Reason{Code: "revoked", Text: "by an administrator"}
	client.CloseWith(why)
	over(t, c, h)
	if !errors.Is(c.Err(), why) || !errors.Is(client.Err(), why) {
		t.Errorf("stream ended with %v, trunk with %v, want %v", c.Err(), client.Err(), why)
	}
	<-client.Done()
	if _, err := client.Open(soon(t), id.NewStream(), id.NewTrace(), false); !errors.Is(err, why) {
		t.Errorf("open: %v, want %v", err, why)
	}
	if _, err := host.Accept(soon(t)); !errors.Is(err, &reason.Reason{Code: reason.CarrierLost}) {
		t.Errorf("accept: %v, want carrier-lost", err)
	}
}

// An application that vanishes in mid-transfer: everything along the path is
// free at once, at both ends, in both directions.
func TestResetFreesEverything(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		who  func(c, h *Stream) (sender, resetter *Stream)
	}{
		{"reader resets", func(c, h *Stream) (a, b *Stream) { return h, c }},
		{"writer resets", func(c, h *Stream) (a, b *Stream) { return h, h }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			client, host, _ := pair(t)
			c, h := streams(t, client, host)
			sender, resetter := test.who(c, h)
			written := make(chan error, 1)
			go func() {
				_, err := sender.Write(make([]byte, 8<<20))
				written <- err
			}()
			eventually(t, "the windows are full", sender.Full)
			resetter.Reset(&reason.Reason{Code: "cut", Text: "why"})
			over(t, c, h)
			for _, s := range []*Stream{c, h} {
				if !errors.Is(s.Err(), &reason.Reason{Code: "cut"}) {
					t.Errorf("ended with %v, want cut", s.Err())
				}
				if kept, waiting := s.Held(); kept != 0 || waiting != 0 {
					t.Errorf("%d bytes kept, %d waiting", kept, waiting)
				}
			}
			if err := <-written; !errors.Is(err, &reason.Reason{Code: "cut"}) {
				t.Errorf("write: %v, want cut", err)
			}
			for _, s := range []*Stream{c, h} {
				if used := s.Mux().BuffersUsed(); used != 0 {
					t.Errorf("windows still hold %d", used)
				}
			}
			for _, end := range []*Trunk{client, host} {
				eventually(t, "yamux is free of the stream", func() bool { return end.Live() == 0 })
			}
		})
	}
}

// A stream that nobody reads holds neither another stream nor its own other
// direction.
func TestUnreadStreamHoldsNobody(t *testing.T) {
	t.Parallel()
	client, host, _ := pair(t)
	stuck, stuckHost := streams(t, client, host)
	c, h := streams(t, client, host)
	go stuckHost.Write(make([]byte, 64<<20)) // never read at the client
	go stuck.Write(make([]byte, 256<<10))
	if _, err := io.CopyN(io.Discard, stuckHost, 256<<10); err != nil {
		t.Fatalf("the other direction: %v", err)
	}
	data := make([]byte, 16<<20)
	for _, way := range []struct{ from, to *Stream }{{h, c}, {c, h}} {
		go func() { way.from.Write(data); way.from.CloseWrite() }()
		if n, err := io.Copy(io.Discard, way.to); n != int64(len(data)) || err != nil {
			t.Fatalf("another stream: %d, %v", n, err)
		}
	}
	if _, n := stuck.Counters(); n > envelope.MaxWindow {
		t.Errorf("%d bytes came to a stream that nobody reads", n)
	}
}

func TestManyStreams(t *testing.T) {
	t.Parallel()
	client, host, _ := pair(t)
	go func() {
		for {
			s, err := host.Accept(context.Background())
			if err != nil {
				return
			}
			go func() {
				s.Admit()
				io.Copy(s, s)
				s.CloseWrite()
			}()
		}
	}()
	var wg sync.WaitGroup
	for i := range 300 {
		wg.Go(func() {
			s, err := client.Open(soon(t), id.NewStream(), id.NewTrace(), false)
			if err != nil {
				t.Error(err)
				return
			}
			data := make([]byte, 1+i*997)
			rand.Read(data)
			go func() { s.Write(data); s.CloseWrite() }()
			got, err := io.ReadAll(s)
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("stream %d: %d of %d bytes, %v", i, len(got), len(data), err)
			}
			if err := s.Verdict(soon(t)); err != nil {
				t.Errorf("stream %d: verdict %v", i, err)
			}
		})
	}
	wg.Wait()
	eventually(t, "all streams are gone", func() bool {
		return client.Streams() == 0 && host.Streams() == 0
	})
}

// The window grows while the application keeps up, and what it took is given
// back with the stream.
func TestWindowGrows(t *testing.T) {
	t.Parallel()
	client, host, _ := pair(t)
	eventually(t, "the round trip is known", func() bool { return client.RTT() > 0 && host.RTT() > 0 })
	c, h := streams(t, client, host)
	go func() { h.Write(make([]byte, 64<<20)); h.CloseWrite() }()
	if _, err := io.Copy(io.Discard, c); err != nil {
		t.Fatal(err)
	}
	if w := c.Window(); w <= envelope.FirstWindow {
		t.Logf("window stayed at %d with a round trip of %v", w, client.RTT())
	}
	c.CloseWrite()
	go io.Copy(io.Discard, h)
	over(t, c, h)
	if used := c.Mux().BuffersUsed(); used != 0 {
		t.Errorf("windows hold %d after the end", used)
	}
}

func TestCloseLikeTCP(t *testing.T) {
	t.Parallel()
	t.Run("written data arrives", func(t *testing.T) {
		t.Parallel()
		client, host, _ := pair(t)
		c, h := streams(t, client, host)
		c.Write([]byte("last words"))
		c.Close()
		if got, err := io.ReadAll(h); string(got) != "last words" || err != nil {
			t.Errorf("read %q, %v", got, err)
		}
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("read after Close: %v", err)
		}
		h.CloseWrite()
		over(t, c, h)
		if c.Err() != nil || h.Err() != nil {
			t.Errorf("ended with %v and %v", c.Err(), h.Err())
		}
	})
	t.Run("data after Close resets", func(t *testing.T) {
		t.Parallel()
		client, host, _ := pair(t)
		c, h := streams(t, client, host)
		c.Close()
		h.Write([]byte("too late"))
		over(t, c, h)
		if !errors.Is(h.Err(), &reason.Reason{Code: reason.Reset}) {
			t.Errorf("ended with %v, want reset", h.Err())
		}
	})
	t.Run("unread data resets", func(t *testing.T) {
		t.Parallel()
		client, host, _ := pair(t)
		c, h := streams(t, client, host)
		h.Write([]byte("unread"))
		eventually(t, "it arrived", func() bool { _, n := c.Counters(); return n == 6 })
		c.Close()
		over(t, c, h)
		if h.Err() == nil {
			t.Error("ended in order")
		}
	})
}

func TestOpenWaitsForVerdicts(t *testing.T) {
	t.Parallel()
	client, host, _ := pair(t)
	var last *Stream
	for range carrier.MaxOpening {
		last, _ = opened(t, client, host)
	}
	ctx, cancel := context.WithTimeout(soon(t), 20*time.Millisecond)
	defer cancel()
	if _, err := client.Open(ctx, id.NewStream(), id.NewTrace(), false); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("open beyond the limit: %v, want to wait", err)
	}
	last.Reset(&reason.Reason{Code: "denied"})
	if _, err := client.Open(soon(t), id.NewStream(), id.NewTrace(), false); err != nil {
		t.Errorf("open after one was denied: %v", err)
	}
}

func TestRoles(t *testing.T) {
	t.Parallel()
	client, host, _ := pair(t)
	if _, err := host.Open(soon(t), id.NewStream(), id.NewTrace(), false); !errors.Is(err, stream.ErrNotClient) {
		t.Errorf("host opens: %v", err)
	}
	if _, err := client.Accept(soon(t)); !errors.Is(err, stream.ErrNotHost) {
		t.Errorf("client accepts: %v", err)
	}
}
