//go:build unix

package forward

import (
	"io"
	"net"
	"testing"
)

func TestPeekTakesNothing(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	app, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer app.Close()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got := peek(conn); len(got) != 0 {
		t.Errorf("before anything was sent: %q", got)
	}
	if _, err := io.WriteString(app, "hello"); err != nil {
		t.Fatal(err)
	}
	if err := app.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // loopback delivers within the write
		if got := peek(conn); string(got) != "hello" {
			t.Errorf("peeked %q", got)
		}
	}
	if got, err := io.ReadAll(conn); err != nil || string(got) != "hello" {
		t.Errorf("then read %q, %v", got, err)
	}
}
