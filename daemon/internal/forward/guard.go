package forward

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/wire"
)

// firstRead is what is read to tell a browser from a client of the service: more
// than verdictOf ever needs, little enough to be held by an idle connection.
const firstRead = 256

// methods are those that a browser may begin with: what else a page asks for
// comes after an OPTIONS of the browser's own. PRI is HTTP/2's.
var methods = []string{"GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "PRI"}

// verdict is what the first bytes of a connection are.
type verdict string

const (
	undecided verdict = "undecided" // more is needed
	plain     verdict = "plain"
	browser   verdict = "browser"
)

// verdictOf looks for the beginning of an HTTP request line: a method and a
// target. Other protocols that begin with such a word (redis: GET key) do not
// go on with a slash.
func verdictOf(b []byte) verdict {
	s := string(b[:min(len(b), firstRead)])
	for _, m := range methods {
		m += " "
		if len(s) < len(m) {
			if strings.HasPrefix(m, s) {
				return undecided
			}
			continue
		}
		if rest, ok := strings.CutPrefix(s, m); ok {
			return targetOf(m, strings.ToLower(rest))
		}
	}
	// A page of a name that was made to lead here may invent methods. Browsers
	// send the line in one piece, so nothing is waited for.
	if word, rest, ok := strings.Cut(s, " "); ok && word != "" && strings.HasPrefix(rest, "/") && !strings.ContainsFunc(word, notToken) {
		return browser
	}
	return plain
}

// notToken says what cannot be in a method (RFC 9110, 5.6.2).
func notToken(c rune) bool {
	return c <= ' ' || c >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, c)
}

func targetOf(method, rest string) verdict {
	if method == "CONNECT " {
		return browser
	}
	for _, start := range []string{"/", "*", "http://", "https://"} {
		switch {
		case strings.HasPrefix(rest, start):
			return browser
		case strings.HasPrefix(start, rest):
			return undecided
		}
	}
	return plain
}

// errBrowser: an HTTP request came where none is expected.
var errBrowser = errors.New("an HTTP request on a forward that is not declared http")

// guarded is a stream that takes nothing of a browser: the first bytes of the
// application are judged before they go anywhere. What comes from the service
// is not held up, since in many protocols it speaks first.
type guarded struct {
	*wire.Stream
	judge func(local io.Reader, s *wire.Stream) (int64, error)
	// refused is told why a connection is ended.
	refused func(error)
}

// ReadFrom judges, and carries what passes.
func (g *guarded) ReadFrom(local io.Reader) (int64, error) {
	n, err := g.judge(local, g.Stream)
	var p *api.Problem
	if errors.As(err, &p) {
		g.refused(err)
		return n, err
	}
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return n, err
	}
	more, err := g.Stream.ReadFrom(local)
	return n + more, err
}

// first carries the first bytes of a plain forward, unless they are a browser's.
func (f *Forwarder) first(local io.Reader, s *wire.Stream) (int64, error) {
	buf := make([]byte, 0, firstRead)
	for {
		n, err := local.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if verdictOf(buf) == browser {
			return 0, f.notHTTP()
		}
		if n == 0 && err == nil {
			continue
		}
		if err == nil && verdictOf(buf) == undecided && len(buf) < cap(buf) {
			continue
		}
		if len(buf) > 0 {
			if n, werr := s.Write(buf); werr != nil {
				return int64(n), werr
			}
		}
		return int64(len(buf)), err
	}
}

func (f *Forwarder) notHTTP() *api.Problem {
	return &api.Problem{
		Code: api.CodePermission, Title: "A browser asked here, and was refused", Detail: errBrowser.Error(),
		Hint: fmt.Sprintf("If the service speaks HTTP: sallyport forward edit %s --http", f.cfg.Listen),
	}
}

// guard wraps a stream where the local end can be reached by browsers. sent says
// that the first bytes have been judged and have gone.
func (f *Forwarder) guard(conn net.Conn, s *wire.Stream, sent bool) stream {
	g := &guarded{Stream: s, refused: func(err error) { f.failed(err) }}
	_, tcp := conn.(*net.TCPConn)
	switch {
	case !tcp || (sent && !f.cfg.HTTP):
		return s
	case f.cfg.HTTP:
		g.judge = f.requests
	default:
		g.judge = f.first
	}
	return g
}
