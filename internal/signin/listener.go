package signin

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

const (
	// maxHeaderBytes is enough for a browser with every cookie of localhost.
	maxHeaderBytes = 64 << 10
	// readTimeout ends connections that a port scanner opened.
	readTimeout = 10 * time.Second
	// farewell is how long the one page may take to be delivered at the end.
	farewell = 2 * time.Second
	// maxCodeBytes is far above any code of the edge.
	maxCodeBytes = 512
)

// Listener waits on the loopback interface until the browser brings a code, and
// answers it with one page. Whoever does not know the random path gets nothing.
type Listener struct {
	ln      net.Listener
	port    uint16
	path    string
	claimed atomic.Bool
}

// Listen binds a free port of 127.0.0.1.
func Listen(ctx context.Context) (*Listener, error) {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the browser: %w", err)
	}
	addr, ok := ln.Addr().(*net.TCPAddr)
	if !ok {
		return nil, errors.Join(fmt.Errorf("listen for the browser: address %s", ln.Addr()), ln.Close())
	}
	return &Listener{ln: ln, port: uint16(addr.Port), path: "/" + rand.Text()}, nil
}

// Port is where it listens.
func (l *Listener) Port() uint16 { return l.port }

// Path is the only path that it answers; it is a secret of 128 bits.
func (l *Listener) Path() string { return l.path }

// Serve waits for the code, hands it to redeem and shows the outcome (done is
// the title of a good one), until ctx ends. The page that is being answered at
// that moment is still delivered.
func (l *Listener) Serve(ctx context.Context, done string, redeem func(ctx context.Context, code string) error) error {
	return l.serveHandler(ctx, l.handler(done, redeem))
}

// serveHandler answers until ctx ends.
func (l *Listener) serveHandler(ctx context.Context, h http.Handler) error {
	s := &http.Server{
		Handler:           h,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: readTimeout,
		ReadTimeout:       readTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
	}
	s.SetKeepAlivesEnabled(false)
	served := make(chan error, 1)
	go serve(s, l.ln, served) // ends with Shutdown
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	if s.Shutdown(last) != nil {
		s.Close()
	}
	<-served
	return nil
}

// Close gives the port back where Serve is not called.
func (l *Listener) Close() error { return l.ln.Close() }

func serve(s *http.Server, ln net.Listener, done chan<- error) { done <- s.Serve(ln) }

func (l *Listener) handler(done string, redeem func(context.Context, string) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		code, status := l.check(r)
		if status != http.StatusOK {
			page(w, status, http.StatusText(status), "")
			return
		}
		// Once shown, the code is used whatever becomes of this connection.
		if err := redeem(context.WithoutCancel(r.Context()), code); err != nil {
			page(w, http.StatusOK, "The sign-in did not succeed", err.Error()+". Go back to the program that asked you, and start again.")
			return
		}
		page(w, http.StatusOK, done, "You can close this window and go back to your work.")
	}
}

// check says whether a request is the one that is waited for, and takes its
// place if so.
func (l *Listener) check(r *http.Request) (code string, status int) {
	switch {
	case r.Host != net.JoinHostPort("127.0.0.1", strconv.Itoa(int(l.port))):
		return "", http.StatusMisdirectedRequest // a name that was rebound to this address
	case r.URL.Path != l.path:
		return "", http.StatusNotFound
	case r.Method != http.MethodGet:
		return "", http.StatusMethodNotAllowed
	case notNavigation(r.Header):
		return "", http.StatusForbidden
	}
	code = r.URL.Query().Get("code")
	if code == "" || len(code) > maxCodeBytes {
		return "", http.StatusBadRequest
	}
	if !l.claimed.CompareAndSwap(false, true) {
		return "", http.StatusGone
	}
	return code, http.StatusOK
}

// notNavigation is true for what a page fetches, frames or has fetched ahead: a
// person who follows a redirect navigates. Other clients send none of these.
func notNavigation(h http.Header) bool {
	mode, dest := h.Get("Sec-Fetch-Mode"), h.Get("Sec-Fetch-Dest")
	return mode != "" && mode != "navigate" || dest != "" && dest != "document" || h.Get("Sec-Purpose") != ""
}
