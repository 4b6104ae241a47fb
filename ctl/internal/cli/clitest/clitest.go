// Package clitest runs the command line in a test, against a daemon of package
// clienttest on a real socket.
//
// Shapes: a Bench holds the daemon and the replaced System; Run runs a command
// to its end, Start one that goes on until it is stopped.
package clitest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/api/client/clienttest"
	"github.com/sallyport/sallyport/ctl/internal/cli"
	"github.com/sallyport/sallyport/ctl/internal/cli/terminal"
	"github.com/sallyport/sallyport/internal/browser"
)

// patience is how long anything may take before a test gives up.
const patience = 10 * time.Second

// Bench is a daemon and a machine to run the command line on.
type Bench struct {
	t testing.TB
	// Daemon is what the commands talk to.
	Daemon *clienttest.Daemon
	// System is what Run and Start use; In, Out and Err are replaced by them.
	System terminal.System
	// Env is the environment.
	Env map[string]string
	// In is typed into the next command.
	In string
}

// New returns a bench without a browser, a terminal or an environment.
func New(t testing.TB) *Bench {
	b := &Bench{t: t, Daemon: clienttest.New(t), Env: map[string]string{}}
	b.System = terminal.System{
		Getenv:    func(k string) string { return b.Env[k] },
		Now:       func() time.Time { return clienttest.Start.Add(2 * time.Minute) },
		Browser:   func() (bool, string) { return false, "this is a test" },
		Open:      func(context.Context, string, browser.Edge) error { return errors.New("no browser in this test") },
		Autostart: &atLogin{},
		OpenTTY:   func() (io.ReadCloser, error) { return nil, errors.New("no terminal in this test") },
		HTTP:      &http.Client{Transport: offline{}},
	}
	return b
}

// atLogin is what starts a tray at login, in memory.
type atLogin struct{ on bool }

func (a *atLogin) Enabled() (bool, error) { return a.on, nil }
func (a *atLogin) Set(on bool) error      { a.on = on; return nil }

type offline struct{}

func (offline) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("no network in this test")
}

// Result is what a command left.
type Result struct {
	Code     int
	Out, Err string
}

// Run runs one command line to its end.
func (b *Bench) Run(args ...string) Result {
	b.t.Helper()
	return b.Start(strings.NewReader(b.In), args...).Wait()
}

// Live is a command that runs.
type Live struct {
	t        testing.TB
	cancel   context.CancelFunc
	code     chan int
	Out, Err *Buffer
}

// Start starts a command; it is stopped with the test.
func (b *Bench) Start(in io.Reader, args ...string) *Live {
	b.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	l := &Live{t: b.t, cancel: cancel, code: make(chan int, 1), Out: NewBuffer(), Err: NewBuffer()}
	sys := b.System
	sys.In, sys.Out, sys.Err = in, l.Out, l.Err
	go func() { l.code <- cli.Run(ctx, append([]string{"--socket", b.Daemon.Socket}, args...), sys) }()
	b.t.Cleanup(cancel)
	return l
}

// Interrupt is Ctrl-C.
func (l *Live) Interrupt() { l.cancel() }

// Wait returns what the command left once it has ended.
func (l *Live) Wait() Result {
	l.t.Helper()
	select {
	case code := <-l.code:
		return Result{code, l.Out.String(), l.Err.String()}
	case <-time.After(patience):
		l.t.Fatalf("the command does not end; stdout %q, stderr %q", l.Out, l.Err)
		return Result{}
	}
}

// Buffer takes what is written by many and lets a test wait for words.
type Buffer struct {
	mu      sync.Mutex
	buf     bytes.Buffer
	changed chan struct{}
}

// NewBuffer returns an empty buffer.
func NewBuffer() *Buffer { return &Buffer{changed: make(chan struct{})} }

// Write appends.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.changed)
	b.changed = make(chan struct{})
	return b.buf.Write(p)
}

// String is what was written so far.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// Await returns once the words were written, or fails the test.
func (b *Buffer) Await(t testing.TB, words string) {
	t.Helper()
	timeout := time.After(patience)
	for {
		b.mu.Lock()
		got, changed := b.buf.String(), b.changed
		b.mu.Unlock()
		if strings.Contains(got, words) {
			return
		}
		select {
		case <-changed:
		case <-timeout:
			t.Fatalf("never saw %q in %q", words, got)
		}
	}
}
