package localapi

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/api/client"
	"github.com/sallyport/sallyport/daemon/internal/agent"
	"github.com/sallyport/sallyport/daemon/internal/link/linktest"
	"github.com/sallyport/sallyport/daemon/internal/owner"
	"github.com/sallyport/sallyport/daemon/internal/seal"
	"github.com/sallyport/sallyport/daemon/internal/store"
	"github.com/sallyport/sallyport/internal/ipc"
)

// patience bounds every wait of these tests.
const patience = 20 * time.Second

// rig is the local API of a real agent on a real socket, with a test edge.
type rig struct {
	*client.Client
	t      *testing.T
	socket string
	edge   *linktest.Edge
	agent  *agent.Agent
	server *Server
	stop   func()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// start serves until stop, or the test, ends.
func start(t *testing.T, change ...func(*Config)) *rig {
	t.Helper()
	path, err := os.MkdirTemp("", "sp") // short, for the socket
	must(t, err)
	must(t, os.Chmod(path, 0o755)) // other users are to reach the socket
	dir, err := store.Acquire(t.Context(), filepath.Join(path, "state"))
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
	r := &rig{t: t, socket: filepath.Join(path, "d.sock"), edge: linktest.New(t)}
	r.agent = agent.New(agent.Config{Store: rows, Owner: checker, DeviceName: "laptop-7", BootID: "b", Version: "1", Log: log})
	config := Config{Agent: r.agent, Version: api.Version{Version: "1"}, Log: log}
	for _, f := range change {
		f(&config)
	}
	r.server = New(config)
	l, err := ipc.Listen(r.socket, ipc.Options{Machine: true})
	must(t, err)
	r.Client, err = client.New(client.Options{Socket: r.socket})
	must(t, err)

	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 2)
	go func() { done <- r.agent.Run(ctx) }()
	go func() { done <- r.server.Run(ctx, l) }()
	stopped := false
	r.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := errors.Join(<-done, <-done, rows.Close(), checker.Close(), dir.Close(), os.RemoveAll(path)); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(r.stop)
	<-r.agent.Ready()
	return r
}

// use chooses the test edge for the machine.
func (r *rig) use() {
	r.t.Helper()
	_, err := r.UseEdge(r.t.Context(), api.EdgeInput{Name: linktest.Name, Address: r.edge.Addr(), CAPEM: r.edge.CAPEM(), Machine: true})
	must(r.t, err)
}

// login signs in as alice.
func (r *rig) login() {
	r.t.Helper()
	l, err := r.StartLogin(r.t.Context(), api.LoginInput{Mode: api.ModeCode})
	must(r.t, err)
	_, err = r.Redeem(r.t.Context(), l.ID, "ABCD1234")
	must(r.t, err)
}

// until watches until a status has come.
func (r *rig) until(what string, ok func(*api.Status) bool) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	for ev, err := range r.Watch(ctx) {
		if err != nil {
			r.t.Fatalf("waited in vain for %s: %v", what, err)
		}
		if ev.Status != nil && ok(ev.Status) {
			return
		}
	}
}

// raw asks without the client, which would not send what these tests do.
func (r *rig) raw(method, path, body string, header ...string) (int, http.Header, string) {
	r.t.Helper()
	return ask(r.t, r.socket, method, path, body, header...)
}

// ask makes one request on a connection of its own.
func ask(t testing.TB, socket, method, path, body string, header ...string) (int, http.Header, string) {
	t.Helper()
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://sallyport"+path, strings.NewReader(body))
	must(t, err)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
			continue
		}
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := transport.RoundTrip(req)
	must(t, err)
	defer resp.Body.Close()
	if resp.Header.Get("Content-Type") == typeLines { // these do not end
		return resp.StatusCode, resp.Header, ""
	}
	b, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp.StatusCode, resp.Header, string(b)
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

func codeOf(err error) api.Code {
	var p *api.Problem
	if errors.As(err, &p) {
		return p.Code
	}
	return ""
}
