package relay

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/edge/internal/relay/gate"
)

// Web limits: what a browser at a login page needs, and no more.
const (
	webReadTime  = 30 * time.Second
	webWriteTime = 60 * time.Second
	webIdleTime  = 60 * time.Second
	webHeaderMax = 16 << 10
	webMax       = 8 << 10
)

// webServer serves connections that front gives it.
type webServer struct {
	server http.Server
	conns  chan net.Conn
	open   atomic.Int64
	slots  sync.Map // net.Conn -> *gate.Slot, while it is open
	closed chan struct{}
	once   sync.Once
	addr   net.Addr
}

func newWebServer(handler http.Handler, headers time.Duration, log *slog.Logger) *webServer {
	w := &webServer{conns: make(chan net.Conn), closed: make(chan struct{})}
	w.server = http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headers, ReadTimeout: webReadTime,
		WriteTimeout: webWriteTime, IdleTimeout: webIdleTime,
		MaxHeaderBytes: webHeaderMax,
		ConnState:      w.state,
		// What strangers do in a handshake is of no interest.
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	return w
}

// give hands a connection over; c is what the server sees, the slot's conn is
// the connection itself.
func (w *webServer) give(c net.Conn, s *gate.Slot, refuse func(net.Conn, *gate.Slot, string)) {
	if w.open.Add(1) > webMax {
		w.open.Add(-1)
		refuse(s.Conn, s, causeWebFull)
		return
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
}

// state lets a connection out of the gate once it has sent a request.
func (w *webServer) state(c net.Conn, state http.ConnState) {
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

// Accept, Close and Addr make it the server's listener.
func (w *webServer) Accept() (net.Conn, error) {
	select {
	case c := <-w.conns:
		return c, nil
	case <-w.closed:
		return nil, net.ErrClosed
	}
}

func (w *webServer) Close() error {
	w.once.Do(func() { close(w.closed) })
	return nil
}

func (w *webServer) Addr() net.Addr { return w.addr }

// run serves until ctx ends, then lets requests under way finish for a second.
func (w *webServer) run(ctx context.Context) error {
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

// guardPlain lets plain HTTP through only as http://localhost:PORT (at an
// address the browser would send the cookies to other ports as well), and from
// a trusted proxy, which ends the browser's TLS.
func (r *Relay) guardPlain(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		c := r.cfg.Settings()
		if req.TLS == nil && !r.isProxy(addressIn(req.RemoteAddr).Addr()) && req.Host != "localhost:"+strconv.Itoa(int(c.Port)) {
			http.Error(w, "Open this page as "+c.WebURL()+"/", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, req)
	})
}
