//go:build linux

// Package nginx starts one in front of an edge, with a certificate of its own: a
// proxy that ends TLS, and lets nothing through but the web.
package nginx

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/sallyport/sallyport/test/harness"
)

// config is that of docs/operating.md, with paths of its own: one server hands on
// by https, one by plain http.
const config = `
daemon off;
master_process off;
pid DIR/nginx.pid;
error_log stderr warn;
events { worker_connections 4096; }
http {
  access_log off;
  client_body_temp_path DIR/body;
  proxy_temp_path DIR/proxy;
  fastcgi_temp_path DIR/fastcgi;
  uwsgi_temp_path DIR/uwsgi;
  scgi_temp_path DIR/scgi;
  map $http_upgrade $connection_upgrade { default upgrade; '' close; }
  ssl_certificate DIR/own.crt;
  ssl_certificate_key DIR/own.key;
  proxy_http_version 1.1;
  proxy_set_header Host $http_host;
  proxy_set_header Upgrade $http_upgrade;
  proxy_set_header Connection $connection_upgrade;
  proxy_set_header X-Forwarded-For $remote_addr;
  proxy_read_timeout 1h;
  proxy_buffering off;
  server {
    listen TO_HTTPS ssl;
    location / {
      proxy_pass https://EDGE;
      proxy_ssl_protocols TLSv1.3;
      proxy_ssl_server_name on;
      proxy_ssl_name NAME;
      proxy_ssl_verify on;
      proxy_ssl_trusted_certificate CA;
    }
  }
  server {
    listen TO_HTTP ssl;
    location / { proxy_pass http://EDGE; }
  }
}
`

// Server is a running nginx.
type Server struct {
	// HTTPS and HTTP are where it listens, by what it speaks to the edge; CA a file
	// of the edge's authority and its own.
	HTTPS, HTTP, CA string

	cmd *exec.Cmd
}

// Start runs a program with its files in dir, and its log in a file, until Close.
func Start(ctx context.Context, program, dir, log string, e *harness.Edge) (*Server, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	s := &Server{CA: filepath.Join(dir, "both.pem")}
	if err := ownCertificate(dir, e.Host, e.CA, s.CA); err != nil {
		return nil, err
	}
	for _, at := range []*string{&s.HTTPS, &s.HTTP} {
		port, err := harness.FreePort(0)
		if err != nil {
			return nil, err
		}
		*at = fmt.Sprintf("127.0.0.1:%d", port)
	}
	text := strings.NewReplacer("DIR", dir, "TO_HTTPS", s.HTTPS, "TO_HTTP", s.HTTP, "NAME", e.Host, "CA", e.CA, "EDGE", e.Address()).Replace(config)
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	out, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	s.cmd = exec.Command(program, "-e", "stderr", "-p", dir, "-c", file)
	s.cmd.Stdout, s.cmd.Stderr = out, out
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	err = harness.Poll(ctx, "nginx", func() (bool, error) {
		c, err := net.Dial("tcp", s.HTTPS)
		if err != nil {
			return false, err
		}
		return true, c.Close()
	})
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Close ends it.
func (s *Server) Close() {
	s.cmd.Process.Kill()
	s.cmd.Wait()
}

// ownCertificate makes one for a name, and a file of it with another authority.
func ownCertificate(dir, name, other, both string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	cert := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, key.Public(), key)
	if err != nil {
		return err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	theirs, err := os.ReadFile(other)
	own := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return errors.Join(err,
		os.WriteFile(filepath.Join(dir, "own.crt"), own, 0o644),
		os.WriteFile(filepath.Join(dir, "own.key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600),
		os.WriteFile(both, bytes.Join([][]byte{theirs, own}, []byte("\n")), 0o644))
}
