package admin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/edge/internal/admin"
	"github.com/sallyport/sallyport/edge/internal/admin/adminapi"
	"github.com/sallyport/sallyport/edge/internal/admin/admintest"
	"github.com/sallyport/sallyport/edge/internal/admin/client"
	"github.com/sallyport/sallyport/internal/ipc"
)

// call sends a raw request, as somebody would who does not use the client.
func call(t *testing.T, socket, method, path, body string) (int, string, adminapi.Problem) {
	t.Helper()
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return ipc.Dial(ctx, socket)
	}}}
	req, err := http.NewRequestWithContext(t.Context(), method, "http://x"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var p adminapi.Problem
	if res.StatusCode >= 400 {
		if err := json.Unmarshal(data, &p); err != nil || res.Header.Get("Content-Type") != "application/problem+json" || p.Status != res.StatusCode {
			t.Errorf("%s %s: %d %s", method, path, res.StatusCode, data)
		}
	}
	return res.StatusCode, string(data), p
}

func TestProblems(t *testing.T) {
	t.Parallel()
	e := admintest.Start(t, admintest.Options{})
	for _, c := range []struct {
		method, path, body string
		status             int
		code               adminapi.Code
	}{
		{"GET", "/", "", 404, adminapi.CodeNotFound},
		{"GET", "/v1/nothing", "", 404, adminapi.CodeNotFound},
		{"PUT", "/v1/apps", "", 404, adminapi.CodeNotFound},
		{"GET", "/v1/apps/tcp.site.com", "", 404, adminapi.CodeNotFound},
		{"GET", "/v1/apps/*", "", 400, adminapi.CodeInvalid},
		{"POST", "/v1/apps", "", 400, adminapi.CodeInvalid},
		{"POST", "/v1/apps", "{", 400, adminapi.CodeInvalid},
		{"POST", "/v1/apps", `{"hostname":"a.site.com"} {}`, 400, adminapi.CodeInvalid},
		{"POST", "/v1/apps", `{"hostname":"a.site.com","owner":"x"}`, 400, adminapi.CodeInvalid},
		{"POST", "/v1/apps", `{"hostname":"a.site.com","rules":[{"action":"permit","selectors":["everyone"]}]}`, 400, adminapi.CodeInvalid},
		{"POST", "/v1/apps", `{"hostname":"` + strings.Repeat("a", adminapi.MaxBodyBytes) + `"}`, 400, adminapi.CodeInvalid},
		{"POST", "/v1/tokens", `{"site":"site.com","hostnames":["*.site.com"],"ttl_s":-1}`, 400, adminapi.CodeInvalid},
		{"GET", "/v1/audit?n=x", "", 400, adminapi.CodeInvalid},
		{"GET", "/v1/audit?n=-1", "", 400, adminapi.CodeInvalid},
		{"GET", "/v1/audit?n=99999999", "", 400, adminapi.CodeInvalid},
	} {
		if status, text, p := call(t, e.Socket, c.method, c.path, c.body); status != c.status || p.Code != c.code || p.Title == "" {
			t.Errorf("%s %s: %d %s, want %d %s", c.method, c.path, status, text, c.status, c.code)
		}
	}
	if status, text, _ := call(t, e.Socket, "POST", "/v1/apps", `{"hostname":"a.site.com"}`); status != 201 {
		t.Errorf("a good request: %d %s", status, text)
	}
	if status, text, _ := call(t, e.Socket, "DELETE", "/v1/apps/a.site.com", ""); status != 204 || text != "" {
		t.Errorf("a good removal: %d %s", status, text)
	}
}

// TestUnknownCallerIsRefused: without the kernel's word nothing is answered.
func TestUnknownCallerIsRefused(t *testing.T) {
	t.Parallel()
	h := admin.New(admin.Rooms{})
	for _, path := range []string{"/v1/status", "/v1/apps", "/v1/audit", "/nothing"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), string(adminapi.CodePermission)) {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

func TestSocket(t *testing.T) {
	t.Parallel()
	e := admintest.Start(t, admintest.Options{})
	if info, err := os.Stat(e.Socket); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("socket %v, %v", info.Mode(), err)
	}
	if _, err := admin.Listen(e.Socket); !errors.Is(err, ipc.ErrInUse) || !strings.Contains(err.Error(), "another sallyport-edge") {
		t.Errorf("second edge on one socket: %v", err)
	}
	stale := e.Dir + "/stale.sock"
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: stale, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	again, err := admin.Listen(stale)
	if err != nil {
		t.Fatalf("stale socket: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- admin.Serve(ctx, again, admin.New(admin.Rooms{})) }() // ends with cancel
	cancel()
	if err := <-done; err != nil {
		t.Errorf("serve: %v", err)
	}
	_, err = client.New(stale).Apps(t.Context())
	var p *adminapi.Problem
	if !errors.As(err, &p) || p.Code != adminapi.CodeEdgeDown {
		t.Errorf("client of nobody: %v", err)
	}
}

// TestFollowEndsWithTheEdge: a follower does not keep the edge from ending, and hears of it.
func TestFollowEndsWithTheEdge(t *testing.T) {
	t.Parallel()
	done := make(chan error, 1)
	t.Run("edge", func(t *testing.T) {
		e := admintest.Start(t, admintest.Options{})
		c := client.New(e.Socket)
		if _, err := c.AddApp(t.Context(), adminapi.AppInput{Hostname: "a.site.com"}); err != nil {
			t.Fatal(err)
		}
		seen := make(chan []byte, 1)
		go func() { // ends with the edge
			done <- c.Tail(context.Background(), 1, true, func(line []byte) error {
				seen <- line
				return nil
			})
		}()
		if line := <-seen; !bytes.Contains(line, []byte(`"event":"app"`)) || !bytes.Contains(line, []byte("uid")) {
			t.Errorf("line %s", line)
		}
	})
	var p *adminapi.Problem
	if err := <-done; !errors.As(err, &p) || p.Code != adminapi.CodeEdgeDown {
		t.Errorf("follower heard %v", err)
	}
}
