package forward

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/daemon/internal/link/linktest"
	"github.com/sallyport/sallyport/wire"
)

// gate is a login that a test decides about.
type gate struct {
	mu      sync.Mutex
	waiting int
	max     int
	open    chan struct{}
	err     error
}

func openGate() *gate {
	g := &gate{open: make(chan struct{})}
	close(g.open)
	return g
}

func (g *gate) Wait(ctx context.Context) error {
	g.mu.Lock()
	g.waiting++
	g.max = max(g.max, g.waiting)
	g.mu.Unlock()
	defer func() {
		g.mu.Lock()
		g.waiting--
		g.mu.Unlock()
	}()
	select {
	case <-g.open:
		return g.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// opener opens streams on one real trunk whose host echoes, or fails.
type opener struct {
	mu    sync.Mutex
	trunk *wire.Trunk
	fail  []error // for the next opens
	opens int
}

func newOpener(t *testing.T) *opener {
	t.Helper()
	e := linktest.New(t)
	linktest.NewPeer(t, e, wire.RoleHost).Host(linktest.Echo)
	return &opener{trunk: linktest.NewPeer(t, e, wire.RoleClient).Client(linktest.Hostname)}
}

func (o *opener) OpenWith(ctx context.Context, _ string, early []byte) (*wire.Stream, int, error) {
	o.mu.Lock()
	o.opens++
	if len(o.fail) > 0 {
		err := o.fail[0]
		o.fail = o.fail[1:]
		o.mu.Unlock()
		return nil, 0, err
	}
	o.mu.Unlock()
	s, err := o.trunk.Open(ctx, wire.NewStreamID(), wire.NewTraceID(), false)
	if err != nil {
		return nil, 0, err
	}
	if len(early) > 0 {
		if _, err := s.Write(early); err != nil {
			return nil, 0, err
		}
	}
	return s, len(early), s.Verdict(ctx)
}

// ownerFunc is an owner check.
type ownerFunc func(net.Conn) error

func (f ownerFunc) Check(c net.Conn) error { return f(c) }

type testForward struct {
	*Forwarder
	t     *testing.T
	moved chan struct{}
	stop  func()
}

func start(t *testing.T, c Config) *testForward {
	t.Helper()
	tf := &testForward{t: t, moved: make(chan struct{}, 1)}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Login == nil {
		c.Login = openGate()
	}
	c.Hostname = linktest.Hostname
	c.Retry = 20 * time.Millisecond
	c.Changed = func() {
		select {
		case tf.moved <- struct{}{}:
		default:
		}
	}
	tf.Forwarder = New(c)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tf.Run(ctx)
	}()
	tf.stop = func() { cancel(); <-done }
	t.Cleanup(tf.stop)
	return tf
}

func (tf *testForward) until(what string, ok func(s Snapshot) bool) Snapshot {
	tf.t.Helper()
	late := time.After(20 * time.Second)
	for {
		if s := tf.Snapshot(); ok(s) {
			return s
		}
		select {
		case <-tf.moved:
		case <-late:
			tf.t.Fatalf("waited in vain for %s: %+v", what, tf.Snapshot())
		}
	}
}

func (tf *testForward) ready() {
	tf.t.Helper()
	tf.until("a bound forward", func(s Snapshot) bool { return s.State == api.ForwardReady })
}

// freePort is free on both loopback addresses, as far as can be told.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func dial(t *testing.T, network, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func echo(t *testing.T, c net.Conn) {
	t.Helper()
	if _, err := io.WriteString(c, "hello"); err != nil {
		t.Error(err)
		return
	}
	c.(interface{ CloseWrite() error }).CloseWrite()
	if got, err := io.ReadAll(c); err != nil || string(got) != "hello" {
		t.Errorf("echo %q, %v", got, err)
	}
}

// wantReset connects and wants to be reset, which may come before the connecting
// program has noticed that it is connected.
func wantReset(t *testing.T, network, addr, say string) {
	t.Helper()
	c, err := net.Dial(network, addr)
	if errors.Is(err, syscall.ECONNRESET) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if say != "" {
		// The system tells of a reset once: to the write, or to the read.
		if _, err := io.WriteString(c, say); errors.Is(err, syscall.ECONNRESET) {
			return
		}
	}
	isReset(t, c)
}

// isReset says whether a read ended as a reset connection does, and with nothing.
func isReset(t *testing.T, c net.Conn) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(20 * time.Second))
	if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read %d bytes, %v; want a reset", n, err)
	}
}

func haveIPv6(t *testing.T) bool {
	t.Helper()
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		return false
	}
	l.Close()
	return true
}

func TestBothLoopbacks(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	tf := start(t, Config{Listen: fmt.Sprintf("localhost:%d", port), Opener: newOpener(t)})
	tf.ready()
	echo(t, dial(t, "tcp4", fmt.Sprintf("127.0.0.1:%d", port)))
	if haveIPv6(t) {
		echo(t, dial(t, "tcp6", fmt.Sprintf("[::1]:%d", port)))
	} else {
		t.Log("no IPv6 here: 127.0.0.1 alone is right")
	}
	s := tf.until("the ends", func(s Snapshot) bool { return s.Connections == 0 })
	if s.TotalConns == 0 || s.BytesToOrigin < 5 || s.BytesToLocal != s.BytesToOrigin || s.LastError != nil {
		t.Errorf("%+v", s)
	}
	tf.stop()
	if _, err := net.Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
		t.Error("still bound after Run")
	}
}

// With one of the two addresses taken the forward binds neither, says who has
// it, and binds both when it is free.
func TestTakenPort(t *testing.T) {
	t.Parallel()
	for _, network := range []string{"tcp4", "tcp6"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			addr := "127.0.0.1:0"
			if network == "tcp6" {
				if addr = "[::1]:0"; !haveIPv6(t) {
					t.Skip("no IPv6 here")
				}
			}
			holder, err := net.Listen(network, addr)
			if err != nil {
				t.Fatal(err)
			}
			defer holder.Close()
			port := holder.Addr().(*net.TCPAddr).Port
			tf := start(t, Config{Listen: fmt.Sprintf("localhost:%d", port), Opener: newOpener(t)})
			s := tf.until("the error", func(s Snapshot) bool { return s.State == api.ForwardError })
			if s.Problem.Code != api.CodePortTaken || s.Problem.Field != "listen" {
				t.Errorf("%+v", s.Problem)
			}
			if runtime.GOOS == "linux" && !strings.Contains(s.Problem.Detail, "another forward of this daemon") {
				t.Errorf("holder: %s", s.Problem.Detail)
			}
			if network == "tcp6" {
				if c, err := net.Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
					c.Close()
					t.Error("one of the two addresses is bound alone")
				}
			}
			holder.Close()
			tf.ready()
		})
	}
}

func TestListenAddresses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		listen string
		remote bool
		addrs  int // 0 means refused
	}{
		{"localhost:9210", false, 2},
		{"127.0.0.1:9210", false, 1},
		{"127.0.0.5:9210", false, 1},
		{"[::1]:9210", false, 1},
		{"localhost:0", false, 0},
		{"localhost:70000", false, 0},
		{"localhost", false, 0},
		{"localhost:http", false, 0},
		{":9210", false, 0},
		{"0.0.0.0:9210", false, 0},
		{"[::]:9210", false, 0},
		{"192.0.2.1:9210", false, 0},
		{"192.0.2.1:9210", true, 1},
		{"laptop:9210", true, 0},
		{"unix:relative", false, 0},
		{"unix:/a/../b", false, 0},
		{"", false, 0},
	}
	for _, tt := range tests {
		p, problem := parseListen(tt.listen, tt.remote)
		if len(p.addrs) != tt.addrs || (problem == nil) != (tt.addrs > 0) {
			t.Errorf("%q: %v, %v", tt.listen, p.addrs, problem)
		}
		if problem != nil && (problem.Field != "listen" || problem.Code != api.CodeInvalid) {
			t.Errorf("%q: %+v", tt.listen, problem)
		}
	}
	if CheckListen("unix:/run/x.sock", false) != nil || CheckListen("localhost:0", false) == nil {
		t.Error("CheckListen")
	}
}

func TestRefusedAddressIsAStateNotAnEnd(t *testing.T) {
	t.Parallel()
	tf := start(t, Config{Listen: "0.0.0.0:9210", Opener: &opener{}})
	tf.until("the error", func(s Snapshot) bool { return s.State == api.ForwardError && s.Problem.Code == api.CodeInvalid })
}

func TestUnixSocket(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "db.sock")
	o := newOpener(t)
	tf := start(t, Config{Listen: "unix:" + path, Opener: o})
	tf.ready()
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info.Mode(), err)
	}
	echo(t, dial(t, "unix", path))

	second := start(t, Config{Listen: "unix:" + path, Opener: o})
	s := second.until("the error", func(s Snapshot) bool { return s.State == api.ForwardError })
	if s.Problem.Code != api.CodePortTaken {
		t.Errorf("%+v", s.Problem)
	}
	tf.stop()
	second.ready()
	second.stop()
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is left behind: %v", err)
	}
}

func TestUnixSocketThatIsThere(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		make  func(t *testing.T, path string)
		state api.ForwardState
	}{
		{"left over", func(t *testing.T, path string) {
			l, err := net.Listen("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			l.(*net.UnixListener).SetUnlinkOnClose(false)
			l.Close()
		}, api.ForwardReady},
		{"a file", func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, api.ForwardError},
		{"a link to somewhere", func(t *testing.T, path string) {
			if err := os.Symlink("/etc/passwd", path); err != nil {
				t.Fatal(err)
			}
		}, api.ForwardError},
		{"no folder", func(t *testing.T, path string) {
			if err := os.Remove(filepath.Dir(path)); err != nil {
				t.Fatal(err)
			}
		}, api.ForwardError},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "d", "db.sock")
			if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			tt.make(t, path)
			before, _ := os.ReadFile(path)
			tf := start(t, Config{Listen: "unix:" + path, Opener: &opener{}})
			tf.until("the state", func(s Snapshot) bool { return s.State == tt.state })
			if tt.state == api.ForwardError {
				tf.stop()
				if after, _ := os.ReadFile(path); string(after) != string(before) {
					t.Error("what was there was changed")
				}
			}
		})
	}
}

// Somebody else's connection is ended before a byte is read or a stream opened.
func TestOwnerIsChecked(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	o := &opener{}
	tf := start(t, Config{
		Listen: fmt.Sprintf("127.0.0.1:%d", port), Opener: o,
		Owner: ownerFunc(func(c net.Conn) error {
			if c.RemoteAddr() == nil {
				return nil
			}
			return errors.New("uid 1001 is not the owner")
		}),
	})
	tf.ready()
	for range 20 {
		wantReset(t, "tcp4", fmt.Sprintf("127.0.0.1:%d", port), "secret")
	}
	s := tf.until("the count", func(s Snapshot) bool { return s.Refused == 20 })
	if s.Refused != 20 || s.TotalConns != 0 || o.opens != 0 {
		t.Errorf("%+v, %d opens", s, o.opens)
	}
}

// A thousand connections are held, and go on together.
func TestThousandWait(t *testing.T) {
	t.Parallel()
	const n = 1000
	port := freePort(t)
	g := &gate{open: make(chan struct{})}
	tf := start(t, Config{Listen: fmt.Sprintf("127.0.0.1:%d", port), Opener: newOpener(t), Login: g})
	tf.ready()
	var conns []net.Conn
	for range n {
		conns = append(conns, dial(t, "tcp4", fmt.Sprintf("127.0.0.1:%d", port)))
	}
	tf.until("a thousand waiting", func(s Snapshot) bool { return s.Waiting == n && s.Connections == n })
	close(g.open)
	var wg sync.WaitGroup
	for _, c := range conns {
		wg.Go(func() { echo(t, c); c.Close() })
	}
	wg.Wait()
	tf.until("the ends", func(s Snapshot) bool { return s.Connections == 0 && s.Waiting == 0 && s.BytesToLocal == 5*n })
}

func TestTooManyWaiting(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	tf := start(t, Config{Listen: fmt.Sprintf("127.0.0.1:%d", port), Opener: &opener{}, Login: &gate{open: make(chan struct{})}, MaxWaiting: 2})
	tf.ready()
	for range 2 {
		dial(t, "tcp4", fmt.Sprintf("127.0.0.1:%d", port))
	}
	tf.until("two waiting", func(s Snapshot) bool { return s.Waiting == 2 })
	wantReset(t, "tcp4", fmt.Sprintf("127.0.0.1:%d", port), "")
	tf.until("the error", func(s Snapshot) bool { return s.LastError != nil && s.LastError.Code == api.CodeLimit })
}

func TestRefusedLoginResets(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	g := openGate()
	g.err = &api.Problem{Code: api.CodeLoginRefused, Title: "no"}
	tf := start(t, Config{Listen: fmt.Sprintf("127.0.0.1:%d", port), Opener: &opener{}, Login: g})
	tf.ready()
	wantReset(t, "tcp4", fmt.Sprintf("127.0.0.1:%d", port), "")
	tf.until("the error", func(s Snapshot) bool { return s.LastError != nil && s.LastError.Code == api.CodeLoginRefused })
}

func TestFailedOpenResetsAndIsTold(t *testing.T) {
	t.Parallel()
	denied := &api.Problem{Code: api.CodeDenied, Title: "Not allowed", Hint: "Ask dba@site.com"}
	ended := &api.Problem{Code: api.CodeSessionEnded, Title: "expired"}
	tests := []struct {
		name  string
		fail  []error
		opens int
		code  api.Code // "" means that it goes through
	}{
		{"denied", []error{denied}, 1, api.CodeDenied},
		{"no problem but an error", []error{errors.New("odd")}, 1, api.CodeInternal},
		{"the session ended meanwhile", []error{ended}, 2, ""},
		{"and again", []error{ended, ended}, 2, api.CodeSessionEnded},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			port := freePort(t)
			o := newOpener(t)
			o.fail = tt.fail
			tf := start(t, Config{Listen: fmt.Sprintf("127.0.0.1:%d", port), Opener: o})
			tf.ready()
			if tt.code == "" {
				echo(t, dial(t, "tcp4", fmt.Sprintf("127.0.0.1:%d", port)))
			} else {
				wantReset(t, "tcp4", fmt.Sprintf("127.0.0.1:%d", port), "")
				tf.until("the error", func(s Snapshot) bool { return s.LastError != nil && s.LastError.Code == tt.code })
				// The next that goes through wipes it.
				echo(t, dial(t, "tcp4", fmt.Sprintf("127.0.0.1:%d", port)))
				if p := tf.Snapshot().LastError; p != nil {
					t.Errorf("left: %v", p)
				}
			}
			o.mu.Lock()
			defer o.mu.Unlock()
			if want := tt.opens + min(1, len(string(tt.code))); o.opens != want {
				t.Errorf("%d opens, want %d", o.opens, want)
			}
		})
	}
}

// A stream that is cut resets the local connection, and its reason is told.
func TestCutStreamIsToldAndReset(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	o := newOpener(t)
	tf := start(t, Config{Listen: fmt.Sprintf("127.0.0.1:%d", port), Opener: o, Problem: func(err error) *api.Problem {
		var r *wire.Reason
		errors.As(err, &r)
		return &api.Problem{Code: api.Code(r.Code), Title: r.Text}
	}})
	tf.ready()
	c := dial(t, "tcp4", fmt.Sprintf("127.0.0.1:%d", port))
	io.WriteString(c, "x")
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	o.trunk.CloseWith(&wire.Reason{Code: wire.CodeRevoked, Text: "by root"})
	isReset(t, c)
	s := tf.until("the error", func(s Snapshot) bool { return s.LastError != nil && s.Connections == 0 })
	if s.LastError.Code != api.CodeRevoked || s.LastError.Title != "by root" {
		t.Errorf("%+v", s.LastError)
	}
}

func TestStopResetsConnections(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	tf := start(t, Config{Listen: fmt.Sprintf("127.0.0.1:%d", port), Opener: newOpener(t)})
	waiting := start(t, Config{Listen: "unix:" + filepath.Join(t.TempDir(), "s"), Opener: &opener{}, Login: &gate{open: make(chan struct{})}})
	tf.ready()
	waiting.ready()
	c := dial(t, "tcp4", fmt.Sprintf("127.0.0.1:%d", port))
	io.WriteString(c, "x")
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	held := dial(t, "unix", strings.TrimPrefix(waiting.cfg.Listen, "unix:"))
	waiting.until("a held one", func(s Snapshot) bool { return s.Waiting == 1 })
	tf.stop()
	waiting.stop()
	isReset(t, c)
	if _, err := held.Read(make([]byte, 1)); err == nil {
		t.Error("a held connection goes on after the end")
	}
}
