// Package clienttest is a small daemon for tests of what uses api/client: the
// real routes on a real socket, over a status that the test writes.
//
// Shapes: a Daemon serves one api.Status; Change alters it and tells everybody
// who watches or holds. Logins succeed with GoodCode. Streams echo in capitals.
//
// It knows no permissions, no edges and no time; what a real daemon refuses is
// played by Fail.
package clienttest

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/internal/ipc"
)

// GoodCode is the code that every login accepts; WrongCode is one that may be
// typed again, any other ends the attempt.
const (
	GoodCode  = "GOODCODE"
	WrongCode = "WRONGCODE"
)

// Start is the time that everything of a Daemon carries.
var Start = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

// Daemon is a daemon as its clients see it.
type Daemon struct {
	// Socket is where it serves.
	Socket string
	// CodeOnly refuses logins of mode loopback; set it before the first.
	CodeOnly bool

	mu      sync.Mutex
	status  api.Status
	apps    []api.App
	fails   map[string]api.Problem
	seq     uint64
	next    int
	changed chan struct{} // closed and replaced at each change
	logins  map[string]api.LoginInput
	streams map[string]api.Stream
	calls   []string
	ended   chan struct{}

	holdStreams bool
}

// New starts a daemon that has an edge and nothing else; it stops with the test.
func New(t testing.TB) *Daemon {
	t.Helper()
	// t.TempDir carries the test's name and may be too long for a socket.
	dir, err := os.MkdirTemp("", "sp")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	d := &Daemon{
		Socket: filepath.Join(dir, "d", "daemon.sock"),
		status: api.Status{
			Headline: api.HeadlineSignedOut, Text: "Signed out", At: Start, User: "bob", Administrator: true, Version: "1.2.3",
			Edges: []api.Edge{{ID: "edg_1", Name: "edge.site.com", Link: api.Link{State: api.LinkOnline, Since: Start}}},
		},
		fails: map[string]api.Problem{}, changed: make(chan struct{}),
		logins: map[string]api.LoginInput{}, streams: map[string]api.Stream{}, ended: make(chan struct{}),
	}
	ln, err := ipc.Listen(d.Socket, ipc.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: d.handler()}
	go s.Serve(ln) // ends with Close
	t.Cleanup(func() { close(d.ended); s.Close() })
	return d
}

// Change alters the status under a lock and tells those who watch.
func (d *Daemon) Change(f func(*api.Status)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f(&d.status)
	d.pokeLocked()
}

// Status is what it serves now.
func (d *Daemon) Status() api.Status {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.statusLocked()
}

// SetApps says what GET /v1/apps answers.
func (d *Daemon) SetApps(apps ...api.App) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.apps = apps
}

// Fail makes every request to a route ("POST /v1/logins") answer a problem; one
// without a code takes that back.
func (d *Daemon) Fail(route string, p api.Problem) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fails[route] = p
}

// EndStreams says how streams end from now on: nil is orderly.
func (d *Daemon) EndStreams(p *api.Problem) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.streams["end"] = api.Stream{Problem: p}
}

// HoldStreams makes streams wait for a session from now on.
func (d *Daemon) HoldStreams() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.holdStreams = true
}

// Calls lists the requests so far, as "GET /v1/status".
func (d *Daemon) Calls() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string(nil), d.calls...)
}

// LoginInput is what a login was begun with.
func (d *Daemon) LoginInput(id string) api.LoginInput {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.logins[id]
}

// Wait returns once ok is true of the status, or fails the test.
func (d *Daemon) Wait(t testing.TB, what string, ok func(*api.Status) bool) api.Status {
	t.Helper()
	patience := time.NewTimer(10 * time.Second)
	defer patience.Stop()
	for {
		d.mu.Lock()
		st, changed := d.statusLocked(), d.changed
		d.mu.Unlock()
		if ok(&st) {
			return st
		}
		select {
		case <-changed:
		case <-patience.C:
			t.Fatalf("the daemon never came to: %s; status %+v", what, st)
		}
	}
}

func (d *Daemon) pokeLocked() {
	d.seq++
	close(d.changed)
	d.changed = make(chan struct{})
}

// statusLocked is a deep copy, so that nobody reads what Change writes.
func (d *Daemon) statusLocked() api.Status {
	var out api.Status
	b, err := json.Marshal(d.status)
	if err != nil {
		panic(err)
	}
	if err := json.Unmarshal(b, &out); err != nil {
		panic(err)
	}
	return out
}

func (d *Daemon) idLocked(prefix string) string {
	d.next++
	return prefix + "_" + strconv.Itoa(d.next)
}
