// Package webside is the HTTP server of the public port: it serves the connections
// that it is given.
//
// Concurrency: all methods may be called from any goroutine; Run owns the server.
package webside

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/edge/internal/relay/gate"
)

// Limits: what a browser at a login page needs, and no more.
const (
	readTime  = 30 * time.Second
	writeTime = 60 * time.Second
	idleTime  = 60 * time.Second
	headerMax = 16 << 10
	maxOpen   = 8 << 10
)

// Server serves connections that Give brings. Use New.
type Server struct {
	server http.Server
	conns  chan net.Conn
	open   atomic.Int64
	slots  sync.Map // net.Conn -> *gate.Slot, while it is open
	closed chan struct{}
	once   sync.Once
}

// New makes a server; headers bounds TLS and the headers of a request, each. It
// starts nothing.
func New(handler http.Handler, headers time.Duration, log *slog.Logger) *Server {
	w := &Server{conns: make(chan net.Conn), closed: make(chan struct{})}
	w.server = http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headers, ReadTimeout: readTime,
		WriteTimeout: writeTime, IdleTimeout: idleTime,
		MaxHeaderBytes: headerMax,
		ConnState:      w.state,
		// What strangers do in a handshake is of no interest.
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	return w
}

// Give hands a connection over; c is what the server sees, the slot's conn is
// the connection itself. False where there are too many: the connection stays
// the caller's.
func (w *Server) Give(c net.Conn, s *gate.Slot) bool {
	if w.open.Add(1) > maxOpen {
		w.open.Add(-1)
		return false
	}
	w.slots.Store(c, s)
	select {
	case w.conns <- c:
	case <-w.closed:
		w.slots.Delete(c)
		w.open.Add(-1)
		s.Leave()
		s.Conn.Close()
	}
	return true
}

// state lets a connection out of the gate once it has sent a request.
func (w *Server) state(c net.Conn, state http.ConnState) {
	switch state {
	case http.StateActive:
		if s, ok := w.slots.Load(c); ok {
			s.(*gate.Slot).Leave()
		}
	case http.StateClosed, http.StateHijacked:
		if s, ok := w.slots.LoadAndDelete(c); ok {
			s.(*gate.Slot).Leave()
			w.open.Add(-1)
		}
	}
}

// Accept waits for the next connection; with Close and Addr it is the listener.
func (w *Server) Accept() (net.Conn, error) {
	select {
	case c := <-w.conns:
		return c, nil
	case <-w.closed:
		return nil, net.ErrClosed
	}
}

// Close ends the accepting.
func (w *Server) Close() error {
	w.once.Do(func() { close(w.closed) })
	return nil
}

// Addr is asked by nobody but the server itself.
func (w *Server) Addr() net.Addr { return &net.TCPAddr{} }

// Run serves until ctx ends, then lets requests under way finish for a second.
func (w *Server) Run(ctx context.Context) error {
	w.server.BaseContext = func(net.Listener) context.Context { return ctx }
	stop := context.AfterFunc(ctx, func() {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if w.server.Shutdown(bounded) != nil {
			w.server.Close()
		}
	})
	defer stop()
	if err := w.server.Serve(w); !errors.Is(err, http.ErrServerClosed) && ctx.Err() == nil {
		return err
	}
	return nil
}
