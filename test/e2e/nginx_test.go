//go:build linux

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/internal/needs"
	"github.com/sallyport/sallyport/test/harness"
	"github.com/sallyport/sallyport/test/nginx"
)

// nginx puts a proxy that ends TLS with a certificate of its own in front of the
// edge.
func (s *story) nginx() *nginx.Server {
	s.Helper()
	program, err := lookPath("nginx")
	if err != nil {
		needs.Missing(s, "nginx")
	}
	n, err := nginx.Start(s.ctx, program, filepath.Join(s.world.Dir, "nginx"), filepath.Join(s.world.Dir, "logs", "nginx.log"), s.edge)
	s.must(err)
	s.Cleanup(n.Close)
	return n
}

// via leads a daemon to the edge by another address, and waits until its link
// travels in a WebSocket.
func (s *story) via(d *harness.Daemon, address, ca string, machine bool) {
	s.Helper()
	args := []string{"edge", "use", s.edge.Name(), "--ca", ca, "--address", address}
	if machine {
		args = append(args, "--machine")
	}
	s.ok(d.Ctl(s.ctx, args...))
	s.must(d.Await(s.ctx, "the link in a WebSocket", func(st api.Status) bool {
		return len(st.Edges) > 0 && st.Edges[0].Link.State == api.LinkOnline && st.Edges[0].Link.Form == "websocket"
	}))
}

// TestBehindNginx: a proxy with a certificate of its own stands in front of the
// edge and lets nothing through but the web. Both daemons find the WebSocket by
// themselves, each through another server; what they carry is theirs alone.
func TestBehindNginx(t *testing.T) {
	t.Parallel()
	s := begin(t, harness.EdgeOptions{Change: func(yaml string) string { return yaml + "\nproxies: [127.0.0.1]\n" }})
	n := s.nginx()
	s.publish(serve(t, echo))
	s.startClient()
	addr := s.forward(app)
	s.signIn(alice, harness.Loopback)
	s.must(echoOnce(s.ctx, addr)) // both direct

	s.via(s.host, n.HTTPS, n.CA, true)
	s.must(s.host.AwaitTunnel(s.ctx, app, api.TunnelPublished))
	s.must(echoOnce(s.ctx, addr)) // the client direct, the host in a WebSocket
	s.via(s.client, n.HTTP, n.CA, false)
	s.must(echoOnce(s.ctx, addr)) // both in WebSockets
	if out := s.ok(s.client.Ctl(s.ctx, "status")); !strings.Contains(out.Stdout, "in a WebSocket") {
		t.Errorf("status does not tell the form:\n%s", out.Stdout)
	}

	began := time.Now()
	sent, err := bulk(s.ctx, addr, 16<<20)
	s.must(err)
	t.Log("carried " + strconv.Itoa(sent>>20) + " MiB through two WebSockets in " + fmt.Sprint(time.Since(began).Round(time.Millisecond)))
}

// bulk sends bytes to an echo and compares what comes back.
func bulk(ctx context.Context, addr string, size int) (int, error) {
	c, err := connect(ctx, addr, 60*time.Second)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	want := bytes.Repeat([]byte("0123456789abcde\n"), size/16)
	failed := make(chan error, 1)
	go func() { // ends with the connection
		_, err := c.Write(want)
		failed <- err
	}()
	got := make([]byte, len(want))
	n, err := io.ReadFull(c, got)
	if err == nil && !bytes.Equal(got, want) {
		err = errors.New("other bytes came back")
	}
	return n, errors.Join(err, <-failed)
}
