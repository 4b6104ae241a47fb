package forward

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/internal/crew"
	"github.com/sallyport/sallyport/internal/pipe"
	"github.com/sallyport/sallyport/internal/procs"
	"github.com/sallyport/sallyport/internal/sockopt"
	"github.com/sallyport/sallyport/wire"
)

const (
	// refusalsEvery bounds how often refused connections are logged: another
	// user's port scan must not fill the log.
	refusalsEvery = time.Second
	// acceptRetry is how long to wait where accepting fails for want of
	// descriptors or memory.
	acceptRetry = 100 * time.Millisecond
)

// serve accepts until ctx ends or a listener is lost, and returns when all is
// closed.
func (f *Forwarder) serve(ctx context.Context, b *bound) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var work conns
	var accepting sync.WaitGroup
	for _, l := range b.listeners {
		accepting.Go(func() {
			defer cancel()
			f.accept(ctx, l, &work)
		})
	}
	<-ctx.Done()
	b.close()
	accepting.Wait()
	work.opening.Wait()
	work.carrying.Wait()
}

// conns are the goroutines of connections: opening goes deep and is soon over, carrying
// may rest for days, on a stack that opening has not grown.
type conns struct {
	opening  crew.Crew
	carrying sync.WaitGroup
}

func (f *Forwarder) accept(ctx context.Context, l net.Listener, work *conns) {
	for {
		conn, err := l.Accept()
		switch {
		case err == nil:
			work.opening.Go(func() { f.handle(ctx, conn, work) })
		case ctx.Err() != nil:
			return
		case isPassing(err):
			f.log.Warn("connection not accepted", "err", err)
			wait(ctx, acceptRetry)
		default:
			f.log.Error("listener lost", "err", err)
			return
		}
	}
}

// isPassing says whether accepting may succeed again.
func isPassing(err error) bool {
	for _, e := range errnosPassing {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// handle opens a stream for a connection, and has it carried. Until pipe.Join has it,
// every way out is a reset.
func (f *Forwarder) handle(ctx context.Context, conn net.Conn, work *conns) {
	procs.Stir()
	sockopt.Local(conn)
	if f.cfg.Owner != nil {
		if err := f.cfg.Owner.Check(conn); err != nil {
			f.refused(conn, err)
			abort(conn)
			return
		}
	}
	f.update(func(s *Snapshot) { s.Connections++; s.TotalConns++ })
	s, sent, err := f.open(ctx, conn)
	if err != nil {
		f.update(func(s *Snapshot) { s.Connections-- })
		abort(conn)
		if ctx.Err() == nil {
			f.failed(err)
		}
		return
	}
	work.carrying.Go(func() {
		defer f.update(func(s *Snapshot) { s.Connections-- })
		f.carry(ctx, conn, s, sent)
	})
}

// stream is what a connection is joined with: a *wire.Stream, or a guarded one.
type stream = pipe.Stream

// carry joins the two and keeps the figures. judged says that the first bytes
// have gone already.
func (f *Forwarder) carry(ctx context.Context, conn net.Conn, s *wire.Stream, judged bool) {
	f.mu.Lock()
	f.live[s] = struct{}{}
	f.state.LastError = nil
	f.mu.Unlock()
	f.changed()
	if f.cfg.Follow != nil {
		defer f.cfg.Follow(s.ID(), f.wentOn)()
	}
	result := pipe.Join(ctx, conn, f.guard(conn, s, judged))
	sent, received := s.Counters()
	f.mu.Lock()
	delete(f.live, s)
	f.state.BytesToOrigin += sent
	f.state.BytesToLocal += received
	f.state.Replayed += s.Replayed()
	f.mu.Unlock()
	f.log.Debug("connection over", "stream", s.ID(), "trace", s.Trace(), "bytes_to_origin", sent, "bytes_to_local", received, "err", result.Err)
	if told := toldOf(result.Err, s); told != nil && ctx.Err() == nil {
		f.failed(told)
	}
}

// wentOn counts a stream that goes on with another trunk, or for which none came.
func (f *Forwarder) wentOn(expired bool) {
	f.update(func(s *Snapshot) {
		if expired {
			s.Expired++
		} else {
			s.Resumed++
		}
	})
}

// toldOf is the reason by which the other side ended a stream, where a person
// should hear of it: not a reset, which the two applications speak of alone.
func toldOf(err error, s *wire.Stream) error {
	if s.Err() != nil {
		err = s.Err()
	}
	var r *wire.Reason
	if !errors.As(err, &r) || r.Code == wire.CodeReset || r.Code == wire.CodeClosed {
		return nil
	}
	return r
}

// open waits for a session and opens a stream. A session that turns out to have
// ended is asked for once more.
func (f *Forwarder) open(ctx context.Context, conn net.Conn) (s *wire.Stream, sent bool, err error) {
	for again := true; ; again = false {
		if err := f.session(ctx); err != nil {
			return nil, false, err
		}
		s, sent, err := f.openWith(ctx, conn)
		var p *api.Problem
		if again && errors.As(err, &p) && (p.Code == api.CodeLoginNeeded || p.Code == api.CodeSessionEnded) {
			continue
		}
		return s, sent, err
	}
}

// openWith opens a stream with what the application has sent already, where
// that is no browser's. It is only looked at until it is certain that it went.
func (f *Forwarder) openWith(ctx context.Context, conn net.Conn) (*wire.Stream, bool, error) {
	early := peek(conn)
	if _, tcp := conn.(*net.TCPConn); tcp {
		v := verdictOf(early)
		if v == browser && !f.cfg.HTTP {
			return nil, false, f.notHTTP()
		}
		if v != plain || f.cfg.HTTP {
			early = nil // it is judged as it goes
		}
	}
	s, sent, err := f.cfg.Opener.OpenWith(ctx, f.cfg.Hostname, early)
	if err != nil || sent == 0 {
		return s, false, err
	}
	if _, err := io.CopyN(io.Discard, conn, int64(sent)); err != nil {
		s.Reset(&wire.Reason{Code: wire.CodeReset, Text: "the connection was reset"})
		return nil, false, err
	}
	return s, true, nil
}

// session holds a connection until somebody is signed in.
func (f *Forwarder) session(ctx context.Context) error {
	full := false
	f.update(func(s *Snapshot) {
		if full = s.Waiting >= f.cfg.MaxWaiting; !full {
			s.Waiting++
		}
	})
	if full {
		return &api.Problem{
			Code: api.CodeLimit, Title: "Too many connections wait for a login", Hint: "Sign in: sallyport login",
		}
	}
	defer f.update(func(s *Snapshot) { s.Waiting-- })
	return f.cfg.Login.Wait(ctx)
}

// failed notes what a connection was told. Applications try again and again, so
// only another problem than the last one's is worth more than a debug line.
func (f *Forwarder) failed(err error) {
	p := f.problem(err)
	level := slog.LevelInfo
	f.update(func(s *Snapshot) {
		if s.LastError != nil && s.LastError.Code == p.Code {
			level = slog.LevelDebug
		}
		s.LastError = p
	})
	f.log.Log(context.Background(), level, "connection failed", "code", string(p.Code), "problem", p.Error())
}

func (f *Forwarder) problem(err error) *api.Problem {
	var p *api.Problem
	switch {
	case errors.As(err, &p):
		return p
	case f.cfg.Problem != nil:
		return f.cfg.Problem(err)
	}
	return &api.Problem{Code: api.CodeInternal, Title: "The connection failed", Detail: err.Error()}
}

// refused counts a connection of somebody else.
func (f *Forwarder) refused(conn net.Conn, err error) {
	now := time.Now()
	f.mu.Lock()
	f.state.Refused++
	silent := f.silent
	tell := now.Sub(f.told) >= refusalsEvery
	if tell {
		f.told, f.silent = now, 0
	} else {
		f.silent++
	}
	f.mu.Unlock()
	if tell {
		f.log.Warn("connection of another user refused", "peer", conn.RemoteAddr().String(), "err", err, "more", silent)
		f.changed()
	}
}

// abort closes a connection with a reset.
func abort(conn net.Conn) {
	sockopt.Linger(conn, true)
	conn.Close()
}
