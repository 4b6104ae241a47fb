package agent

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/daemon/internal/link/linktest"
	"github.com/sallyport/sallyport/daemon/internal/owner"
	"github.com/sallyport/sallyport/daemon/internal/seal"
	"github.com/sallyport/sallyport/daemon/internal/store"
	"github.com/sallyport/sallyport/internal/ipc"
)

// me is who runs the tests: the owner check is the real one.
var me = ipc.Identity{UID: strconv.Itoa(os.Geteuid()), Name: ipc.UserName(strconv.Itoa(os.Geteuid())), Administrator: true}

// bob is somebody else.
var bob = ipc.Identity{UID: "12345", Name: "bob"}

// patience bounds every wait of these tests.
const patience = 20 * time.Second

// rig is an agent on a state directory.
type rig struct {
	*Agent
	t     *testing.T
	store *store.Store
	stop  func()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// start runs an agent on a directory until stop, or the test, ends.
func start(t *testing.T, path string) *rig {
	t.Helper()
	dir, err := store.Acquire(t.Context(), path)
	must(t, err)
	box, err := seal.OpenKeyFile(dir.Path(store.SealKeyName))
	must(t, err)
	log := slog.New(slog.DiscardHandler)
	if testing.Verbose() {
		log = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	rows, err := dir.Open(t.Context(), store.Config{Seal: box, Log: log})
	must(t, err)
	checker, err := owner.New()
	must(t, err)
	a := New(Config{Store: rows, Owner: checker, DeviceName: "laptop-7", BootID: "b", Version: "1", Log: log})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	stopped := false
	r := &rig{Agent: a, t: t, store: rows, stop: func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := errors.Join(rows.Close(), checker.Close(), dir.Close()); err != nil {
			t.Error(err)
		}
	}}
	t.Cleanup(r.stop)
	<-a.Ready()
	return r
}

// until waits for a status of me.
func (r *rig) until(what string, ok func(api.Status) bool) api.Status {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	for {
		s, changed := r.Status(me)
		if ok(s) {
			return s
		}
		select {
		case <-changed:
		case <-ctx.Done():
			r.t.Fatalf("waited in vain for: %s\nlast: %+v", what, s)
		}
	}
}

// use chooses the test edge, for the machine.
func (r *rig) use(e *linktest.Edge) {
	r.t.Helper()
	_, err := r.UseEdge(r.t.Context(), me, api.EdgeInput{Name: linktest.Name, Address: e.Addr(), CAPEM: e.CAPEM(), Machine: true})
	must(r.t, err)
}

// login signs in as alice, by the code that the test edge takes.
func (r *rig) login() api.Session {
	r.t.Helper()
	l, err := r.StartLogin(r.t.Context(), context.Background(), me, api.LoginInput{Mode: api.ModeCode})
	must(r.t, err)
	if l.State != api.LoginBrowser || l.URL == "" {
		r.t.Fatalf("login %+v", l)
	}
	l, err = r.Redeem(r.t.Context(), me, l.ID, "ABCD1234")
	must(r.t, err)
	if l.State != api.LoginDone || l.Session == nil {
		r.t.Fatalf("login %+v", l)
	}
	s := r.until("a session", func(s api.Status) bool { return len(s.Sessions) == 1 && s.Sessions[0].State == api.SessionActive })
	return s.Sessions[0]
}

// freePort is one that nobody listened on a moment ago.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// echo is an origin that says back what it hears.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				io.Copy(c, c)
			}()
		}
	}()
	return "tcp://" + l.Addr().String()
}

// say sends a word through a forward and wants it back.
func say(t *testing.T, network, address, word string) {
	t.Helper()
	c, err := net.Dial(network, address)
	must(t, err)
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	_, err = io.WriteString(c, word)
	must(t, err)
	must(t, c.(interface{ CloseWrite() error }).CloseWrite())
	got, err := io.ReadAll(c)
	if err != nil || string(got) != word {
		t.Fatalf("said %q, heard %q, %v", word, got, err)
	}
}

func codeOf(err error) api.Code {
	var p *api.Problem
	if errors.As(err, &p) {
		return p.Code
	}
	return ""
}
