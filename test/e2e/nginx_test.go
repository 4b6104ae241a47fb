//go:build linux

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/internal/needs"
	"github.com/sallyport/sallyport/test/harness"
)

// nginxConfig is that of docs/operating.md, with paths of its own: one server
// hands on by https, one by plain http.
const nginxConfig = `
daemon off;
master_process off;
pid DIR/nginx.pid;
error_log stderr notice;
events {}
http {
  access_log off;
  client_body_temp_path DIR/body;
  proxy_temp_path DIR/proxy;
  fastcgi_temp_path DIR/fastcgi;
  uwsgi_temp_path DIR/uwsgi;
  scgi_temp_path DIR/scgi;
  map $http_upgrade $connection_upgrade { default upgrade; '' close; }
  ssl_certificate DIR/edge.crt;
  ssl_certificate_key DIR/edge.key;
  proxy_http_version 1.1;
  proxy_set_header Host $http_host;
  proxy_set_header Upgrade $http_upgrade;
  proxy_set_header Connection $connection_upgrade;
  proxy_set_header X-Forwarded-For $remote_addr;
  proxy_read_timeout 1h;
  proxy_buffering off;
  server {
    listen 127.0.0.1:HTTPS ssl;
    location / {
      proxy_pass https://EDGE;
      proxy_ssl_protocols TLSv1.3;
      proxy_ssl_server_name on;
      proxy_ssl_name localhost;
      proxy_ssl_verify on;
      proxy_ssl_trusted_certificate EDGECA;
    }
  }
  server {
    listen 127.0.0.1:HTTP ssl;
    location / { proxy_pass http://EDGE; }
  }
}
`

// nginx puts a proxy that ends TLS with a certificate of its own in front of the
// edge, and gives its ports and the file of both authorities.
func (s *story) nginx() (byHTTPS, byHTTP, ca string) {
	s.Helper()
	program, err := lookPath("nginx")
	if err != nil {
		needs.Missing(s, "nginx")
	}
	dir := s.TempDir()
	outer, _, _ := certificates(s.T, dir, "localhost")
	ca = filepath.Join(dir, "both.pem")
	var both []byte
	for _, file := range []string{s.edge.CA, outer} {
		b, err := os.ReadFile(file)
		s.must(err)
		both = append(both, b...)
	}
	s.must(os.WriteFile(ca, both, 0o644))
	byHTTPS, byHTTP = s.freeAddr(), s.freeAddr()
	port := func(addr string) string { return addr[strings.LastIndexByte(addr, ':')+1:] }
	config := strings.NewReplacer("DIR", dir, "HTTPS", port(byHTTPS), "HTTP", port(byHTTP),
		"EDGECA", s.edge.CA, "EDGE", s.edge.Address()).Replace(nginxConfig)
	file := filepath.Join(dir, "nginx.conf")
	s.must(os.WriteFile(file, []byte(config), 0o600))
	background(s.T, exec.Command(program, "-e", "stderr", "-p", dir, "-c", file))
	byHTTPS, byHTTP = "127.0.0.1:"+port(byHTTPS), "127.0.0.1:"+port(byHTTP)
	s.listening(byHTTPS)
	return byHTTPS, byHTTP, ca
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
	byHTTPS, byHTTP, ca := s.nginx()
	s.publish(serve(t, echo))
	s.startClient()
	addr := s.forward(app)
	s.signIn(alice, harness.Loopback)
	s.must(echoOnce(s.ctx, addr)) // both direct

	s.via(s.host, byHTTPS, ca, true)
	s.must(s.host.AwaitTunnel(s.ctx, app, api.TunnelPublished))
	s.must(echoOnce(s.ctx, addr)) // the client direct, the host in a WebSocket
	s.via(s.client, byHTTP, ca, false)
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
