package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/edge/internal/admin/adminapi"
	"github.com/sallyport/sallyport/edge/internal/admin/client"
	"github.com/sallyport/sallyport/edge/internal/audit"
	"github.com/sallyport/sallyport/edge/internal/certs"
	"github.com/sallyport/sallyport/edge/internal/config"
	"github.com/sallyport/sallyport/edge/internal/store"
)

const wait = 20 * time.Second

// buffer takes output from several goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// freePort is a port that was free a moment ago.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// running is an edge in this process.
type running struct {
	dir, file     string
	port, metrics int
	out, log      buffer
	stop          func() error
}

func prepare(t *testing.T) *running {
	t.Helper()
	// A socket's path is short: t.TempDir may not be.
	dir, err := os.MkdirTemp("", "edge")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	e := &running{dir: dir, file: filepath.Join(dir, "edge.yaml"), port: freePort(t), metrics: freePort(t)}
	e.write(t, "")
	if err := certs.MakeCA(filepath.Join(dir, "state", "ca"), "localhost", []string{"site.com"}, false); err != nil {
		t.Fatal(err)
	}
	return e
}

func (e *running) write(t *testing.T, more string) {
	t.Helper()
	text := fmt.Sprintf("name: localhost\nlisten: 127.0.0.1:%d\nstate: state\nmetrics:\n  listen: 127.0.0.1:%d\n", e.port, e.metrics)
	if !strings.Contains(more, "sites:") {
		text += "sites:\n  - zone: site.com\n"
	}
	if err := os.WriteFile(e.file, []byte(text+more), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (e *running) start(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- serve(ctx, e.file, &e.out, &e.log) }()
	var once sync.Once
	var ended error
	e.stop = func() error {
		once.Do(func() { cancel(); ended = <-done })
		return ended
	}
	t.Cleanup(func() { e.stop() })
	deadline := time.After(wait)
	for tick := time.NewTicker(10 * time.Millisecond); ; {
		if status, _, err := e.get(e.metrics, "/readyz"); err == nil && status == http.StatusOK {
			tick.Stop()
			return
		}
		select {
		case <-tick.C:
		case err := <-done:
			t.Fatalf("serve ended: %v\n%s", err, e.log.String())
		case <-deadline:
			t.Fatalf("never ready\n%s", e.log.String())
		}
	}
}

func (e *running) get(port int, path string) (int, string, error) {
	c := &http.Client{Timeout: wait, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := c.Get(fmt.Sprintf("http://localhost:%d%s", port, path))
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return res.StatusCode, string(body), err
}

func (e *running) audit(t *testing.T) (records []audit.Record) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(e.dir, "state", "audit", "audit.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(data) {
		var r audit.Record
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatal(err)
		}
		records = append(records, r)
	}
	return records
}

func TestServe(t *testing.T) {
	t.Parallel()
	e := prepare(t)
	e.start(t)
	if status, body, err := e.get(e.port, "/"); err != nil || status != http.StatusOK || body == "" {
		t.Errorf("/ = %d %q, %v", status, body, err)
	}
	if status, body, err := e.get(e.port, "/idp/.well-known/openid-configuration"); err != nil || status != http.StatusOK || !strings.Contains(body, "issuer") {
		t.Errorf("discovery = %d %q, %v", status, body, err)
	}
	if _, body, err := e.get(e.metrics, "/metrics"); err != nil || !strings.Contains(body, "sallyport_links") {
		t.Errorf("metrics lack links: %v", err)
	}
	if out := e.out.String(); !strings.Contains(out, fmt.Sprintf("http://localhost:%d/setup", e.port)) {
		t.Errorf("no set-up link in %q", out)
	}
	info, err := os.Stat(filepath.Join(e.dir, "state", "admin.sock"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("admin socket: %v, %v", info, err)
	}
	// A second edge on the same state leaves, with the reason.
	if err := serve(t.Context(), e.file, io.Discard, io.Discard); !errors.Is(err, store.ErrLocked) {
		t.Errorf("a second edge ended with %v", err)
	}
	if err := e.stop(); err != nil {
		t.Errorf("serve ended with %v\n%s", err, e.log.String())
	}
	if got := e.audit(t); len(got) < 2 || got[0].Event != audit.EventEdgeStarted || got[0].Cause != "" || got[len(got)-1].Event != audit.EventEdgeStopped {
		t.Errorf("audit = %+v", got)
	}
	// It comes up again on what it left.
	e.start(t)
	if err := e.stop(); err != nil {
		t.Error(err)
	}
}

// The command drain ends the edge by itself, in order.
func TestDrainCommand(t *testing.T) {
	t.Parallel()
	e := prepare(t)
	e.start(t)
	c := client.New(filepath.Join(e.dir, "state", "admin.sock"))
	d, err := c.Drain(t.Context(), adminapi.DrainInput{DeadlineMS: new(int64(60_000))})
	if err != nil || d.Streams != 0 || time.Until(d.Deadline) < 50*time.Second {
		t.Errorf("drain = %+v, %v", d, err)
	}
	for {
		if _, err := c.Status(t.Context()); err != nil {
			break // gone, without a signal
		}
	}
	if err := e.stop(); err != nil {
		t.Errorf("serve ended with %v\n%s", err, e.log.String())
	}
	records := e.audit(t)
	if n := len(records); n < 2 || records[n-2].Event != audit.EventEdgeDrains || records[n-1].Event != audit.EventEdgeStopped {
		t.Errorf("audit = %+v", records)
	}
}

func TestPortTaken(t *testing.T) {
	t.Parallel()
	e := prepare(t)
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", e.port))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	err = serve(t.Context(), e.file, io.Discard, io.Discard)
	var h interface{ Hint() string }
	if err == nil || strings.Count(err.Error(), "127.0.0.1") != 1 || !strings.Contains(err.Error(), "listen: 127.0.0.1") || !errors.As(err, &h) || h.Hint() == "" {
		t.Errorf("error = %v, want one that names key and address once, with a hint", err)
	}
}

func TestReload(t *testing.T) {
	t.Parallel()
	e := prepare(t)
	c, err := config.Load(e.file)
	if err != nil {
		t.Fatal(err)
	}
	log, err := newLog(&e.log, c)
	if err != nil {
		t.Fatal(err)
	}
	r, err := openRooms(t.Context(), e.file, c, log)
	if err != nil {
		t.Fatal(err)
	}
	defer r.store.Close()
	before := r.settings.Load()

	e.write(t, "sites:\n  - zone: other.org\nnonsense: 1\n")
	if err := r.reload(); err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("a broken file gave %v", err)
	}
	e.write(t, "oidc:\n  issuer: https://idp.site.com\n  client_id: x\n")
	if err := r.reload(); !errors.Is(err, errProviderKind) {
		t.Errorf("another kind of provider gave %v", err)
	}
	if r.settings.Load() != before {
		t.Error("the settings were swapped all the same")
	}

	e.port++ // frozen
	e.write(t, "sites:\n  - zone: other.org\nsession:\n  lifetime: 1h\n")
	if err := r.reload(); err != nil {
		t.Fatal(err)
	}
	after := r.settings.Load()
	if after.Sites[0].Zone != "other.org" || after.Session.Lifetime != time.Hour {
		t.Errorf("settings = %+v", after)
	}
	if after.Listen != before.Listen || !strings.Contains(e.log.String(), "need a restart") {
		t.Errorf("listen = %s, log %s", after.Listen, e.log.String())
	}
}

// An edge that was killed leaves a mark in the audit at its next start.
func TestCrashMarker(t *testing.T) {
	t.Parallel()
	e := prepare(t)
	c, err := config.Load(e.file)
	if err != nil {
		t.Fatal(err)
	}
	log, err := newLog(io.Discard, c)
	if err != nil {
		t.Fatal(err)
	}
	a, err := audit.Open(c.Audit.File, c.ID, log)
	if err != nil {
		t.Fatal(err)
	}
	a.Note(audit.Record{Event: audit.EventStreamStart, Outcome: audit.OK})
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.Run(ended); err != nil {
		t.Fatal(err)
	}
	e.start(t)
	if err := e.stop(); err != nil {
		t.Fatal(err)
	}
	if got := e.audit(t); len(got) < 3 || got[1].Event != audit.EventEdgeStarted || got[1].Cause != afterCrash {
		t.Errorf("audit = %+v", got)
	}
}
