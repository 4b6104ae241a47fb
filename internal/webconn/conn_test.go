package webconn

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pair gives both ends of a Conn through a real HTTP server.
func pair(t *testing.T) (client, server *Conn) {
	t.Helper()
	got := make(chan *Conn, 1)
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		c, err := Accept(w, req)
		if err == nil {
			got <- c
		}
	}))
	t.Cleanup(srv.Close)
	client, err := Dial(t.Context(), tlsTo(t, srv), "edge.test", LinkPath)
	if err != nil {
		t.Fatal(err)
	}
	server = <-got
	t.Cleanup(func() { client.Close(); server.Close() })
	return client, server
}

func TestBytesBothWays(t *testing.T) {
	t.Parallel()
	client, server := pair(t)
	sent := make([]byte, 300<<10)
	rand.Read(sent)
	for _, way := range []struct {
		name     string
		from, to *Conn
	}{{"to the server", client, server}, {"to the client", server, client}} {
		failed := make(chan error, 1)
		go func() {
			_, err := way.from.Write(sent)
			failed <- err
		}()
		got := make([]byte, len(sent))
		if _, err := io.ReadFull(way.to, got); err != nil || !bytes.Equal(got, sent) {
			t.Errorf("%s: other bytes than were sent, %v", way.name, err)
		}
		if err := <-failed; err != nil {
			t.Errorf("%s: %v", way.name, err)
		}
	}
}

// A link reads with deadlines, and goes on after one has passed.
func TestReadGoesOnAfterItsDeadline(t *testing.T) {
	t.Parallel()
	client, server := pair(t)
	client.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	var buf [16]byte
	if _, err := client.Read(buf[:]); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("read without bytes: %v", err)
	}
	client.SetReadDeadline(time.Time{})
	server.Write([]byte("later"))
	if n, err := client.Read(buf[:]); err != nil || string(buf[:n]) != "later" {
		t.Errorf("read after the deadline: %q, %v", buf[:n], err)
	}
}

func TestSurplusAndWait(t *testing.T) {
	t.Parallel()
	client, server := pair(t)
	if server.Surplus() {
		t.Error("surplus before anything was sent")
	}
	client.Write([]byte("x"))
	if err := server.Wait(); err != nil || !server.Surplus() {
		t.Errorf("after a byte: wait %v, surplus %v", err, server.Surplus())
	}
	var buf [4]byte
	server.Read(buf[:])
	client.Close()
	if err := server.Wait(); err != io.EOF || !server.Surplus() {
		t.Errorf("after the end: wait %v, surplus %v", err, server.Surplus())
	}
}

// A writer whose peer does not read is freed by Close, at once.
func TestCloseFreesAWriter(t *testing.T) {
	t.Parallel()
	client, _ := pair(t)
	ended := make(chan error, 1)
	go func() {
		for {
			if _, err := client.Write(make([]byte, MaxMessage)); err != nil {
				ended <- err
				return
			}
		}
	}()
	client.Close()
	if err := <-ended; err == nil {
		t.Error("write after close")
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		want   RefusedError
	}{
		{"portal", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			io.WriteString(w, "<html>sign in</html>")
		}, RefusedError{200, "text/html"}},
		{"redirect", func(w http.ResponseWriter, req *http.Request) { http.Redirect(w, req, "/elsewhere", http.StatusFound) }, RefusedError{302, "text/html"}},
		{"not here", http.NotFound, RefusedError{404, "text/plain"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			srv := httptest.NewTLSServer(test.answer)
			defer srv.Close()
			_, err := Dial(t.Context(), tlsTo(t, srv), "edge.test", LinkPath)
			var refused *RefusedError
			if !errors.As(err, &refused) || *refused != test.want {
				t.Errorf("%v, want %+v", err, test.want)
			}
		})
	}
}

// A page of another site does not open a WebSocket here, and text is no carrier.
func TestForeignPageIsRefused(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if c, err := Accept(w, req); err == nil {
			c.Close()
		}
	}))
	defer srv.Close()
	req, _ := http.NewRequestWithContext(t.Context(), "GET", srv.URL+LinkPath, nil)
	for k, v := range map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
		"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Origin": "https://elsewhere.test",
	} {
		req.Header.Set(k, v)
	}
	resp, err := srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("status %d", resp.StatusCode)
	}
}

func TestDialEndsWithItsContext(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := Dial(ctx, conn, "edge.test", LinkPath); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a server that is silent: %v", err)
	}
}
