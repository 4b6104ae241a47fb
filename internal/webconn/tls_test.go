package webconn

import (
	"crypto/tls"
	"net"
	"net/http/httptest"
	"testing"
)

// tlsTo connects to a test server, TLS done.
func tlsTo(t *testing.T, srv *httptest.Server) net.Conn {
	t.Helper()
	raw, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { raw.Close() })
	c := tls.Client(raw, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	return c
}
