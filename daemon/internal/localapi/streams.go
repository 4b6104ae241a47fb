package localapi

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/daemon/internal/link"
	"github.com/sallyport/sallyport/internal/ipc"
	"github.com/sallyport/sallyport/internal/logging"
	"github.com/sallyport/sallyport/internal/pipe"
	"github.com/sallyport/sallyport/wire"
)

const (
	// keepEnded is how long one may ask how a stream ended.
	keepEnded = 10 * time.Minute
	// maxEnded bounds how many ended streams are kept for that: a few MiB.
	maxEnded = 10_000
)

// streams remembers how upgraded streams are, and how they ended: raw bytes on a
// Unix socket end in the same way after an orderly end and after a reset.
type streams struct {
	mu  sync.Mutex
	all map[string]*stream
	// over are the ids of ended streams, the oldest first.
	over []string
}

type stream struct {
	owner string
	state api.Stream
	ended time.Time // zero while it is open
}

func (s *streams) init() { s.all = map[string]*stream{} }

func (s *streams) add(owner, hostname string) string {
	id := "str_" + strings.ToLower(rand.Text()[:10])
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgetLocked()
	s.all[id] = &stream{owner: owner, state: api.Stream{ID: id, Hostname: hostname, Open: true}}
	return id
}

func (s *streams) end(id string, p *api.Problem) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.all[id]
	if !st.ended.IsZero() {
		return
	}
	st.state.Open, st.state.Problem, st.ended = false, p, time.Now()
	s.over = append(s.over, id)
	s.forgetLocked()
}

func (s *streams) forgetLocked() {
	for len(s.over) > 0 && (len(s.over) > maxEnded || time.Since(s.all[s.over[0]].ended) > keepEnded) {
		delete(s.all, s.over[0])
		s.over = s.over[1:]
	}
}

func (s *streams) get(owner, id string) (api.Stream, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.all[id]
	if st == nil || st.owner != owner {
		return api.Stream{}, false
	}
	return st.state, true
}

func (s *Server) getStream(w http.ResponseWriter, r *http.Request, who ipc.Identity) error {
	st, ok := s.streams.get(who.Owner(), r.PathValue("id"))
	if !ok {
		return &api.Problem{Code: api.CodeNotFound, Title: "No such stream"}
	}
	return answer(w, http.StatusOK, st)
}

// openStream turns the connection into the raw bytes of one stream.
func (s *Server) openStream(w http.ResponseWriter, r *http.Request, who ipc.Identity) error {
	if !strings.EqualFold(r.Header.Get("Upgrade"), api.UpgradeStream) {
		w.Header().Set("Upgrade", api.UpgradeStream)
		return &api.Problem{
			Code: api.CodeInvalid, Status: http.StatusUpgradeRequired, Title: "An upgrade is needed",
			Detail: "the headers must be Connection: Upgrade and Upgrade: " + api.UpgradeStream,
		}
	}
	in, err := read[api.StreamInput](w, r)
	if err != nil {
		return err
	}
	rc := http.NewResponseController(w)
	rc.SetReadDeadline(time.Time{})
	rc.SetWriteDeadline(time.Time{}) // a login may be waited for
	opened, err := s.cfg.Open(r.Context(), who, in)
	if err != nil {
		return err
	}
	conn, buffered, err := rc.Hijack()
	if err != nil {
		opened.Reset(&wire.Reason{Code: wire.CodeInternal})
		return fmt.Errorf("take the connection over: %w", err)
	}
	s.hijacked.Add(1)
	defer s.hijacked.Done()
	id := s.streams.add(who.Owner(), in.Hostname)
	s.carry(id, conn, buffered.Reader, opened)
	return nil
}

var errStopping = errors.New("the daemon is stopping")

// carry joins the connection and the stream until both directions ended.
func (s *Server) carry(id string, conn net.Conn, r *bufio.Reader, opened pipe.Stream) {
	conn.SetDeadline(time.Time{})
	head := "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: " + api.UpgradeStream + "\r\n" +
		api.StreamHeader + ": " + id + "\r\n\r\n"
	if _, err := io.WriteString(conn, head); err != nil {
		opened.Reset(&wire.Reason{Code: wire.CodeReset})
		conn.Close()
		s.streams.end(id, link.ProblemOf(err))
		return
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	go func() { // ends with carry
		select {
		case <-s.ending:
			cancel(errStopping)
		case <-ctx.Done():
		}
	}()
	// The end is to be known before the connection shows it.
	opened.AfterEnd(func() { s.streams.end(id, problemOfEnd(opened.Err())) })
	local := &upgraded{conn: conn, r: r, ended: func() { s.streams.end(id, problemOfEnd(opened.Err())) }}
	result := pipe.Join(ctx, local, opened)
	s.streams.end(id, problemOfEnd(result.Err))
	s.log.Debug("stream over", slog.String("id", id), slog.Uint64(logging.KeyBytesOut, result.ToStream),
		slog.Uint64(logging.KeyBytesIn, result.ToLocal), slog.Any(logging.KeyError, result.Err))
}

func problemOfEnd(err error) *api.Problem {
	if err == nil {
		return nil
	}
	return link.ProblemOf(err)
}

// upgraded is the caller's end of an upgraded connection. It shows no file
// descriptor: what was read ahead would be passed by.
type upgraded struct {
	conn net.Conn
	r    *bufio.Reader // nil once what was read ahead is used up
	// ended is called before the connection shows an end of the stream.
	ended func()
	// said is set once our direction has ended in order.
	said atomic.Bool
}

// Read gives io.EOF where the caller has ended its direction; a caller that is
// gone altogether is an error.
func (u *upgraded) Read(b []byte) (int, error) {
	if u.r != nil && u.r.Buffered() == 0 {
		u.r = nil
	}
	if u.r != nil {
		return u.r.Read(b)
	}
	n, err := u.conn.Read(b)
	if errors.Is(err, io.EOF) && !u.said.Load() && hungUp(u.conn) {
		return n, &wire.Reason{Code: wire.CodeReset, Text: "the local program went away"}
	}
	return n, err
}

// CloseWrite ends our direction.
func (u *upgraded) CloseWrite() error {
	u.said.Store(true)
	h, ok := u.conn.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	return h.CloseWrite()
}

// Close ends both directions; how the stream ended can be asked for by then.
func (u *upgraded) Close() error {
	u.ended()
	return u.conn.Close()
}

func (u *upgraded) Write(b []byte) (int, error)        { return u.conn.Write(b) }
func (u *upgraded) LocalAddr() net.Addr                { return u.conn.LocalAddr() }
func (u *upgraded) RemoteAddr() net.Addr               { return u.conn.RemoteAddr() }
func (u *upgraded) SetDeadline(t time.Time) error      { return u.conn.SetDeadline(t) }
func (u *upgraded) SetReadDeadline(t time.Time) error  { return u.conn.SetReadDeadline(t) }
func (u *upgraded) SetWriteDeadline(t time.Time) error { return u.conn.SetWriteDeadline(t) }
