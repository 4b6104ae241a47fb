package webconn

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/coder/websocket"
)

// maxHeader bounds the answer's header; a drip of it ends with the context.
const maxHeader = 16 << 10

// RefusedError is an answer that is no WebSocket: from a proxy, a portal, or a
// web server that knows nothing of edges.
type RefusedError struct {
	Status      int
	ContentType string
}

// Error names the answer.
func (e *RefusedError) Error() string {
	if e.ContentType == "" {
		return fmt.Sprintf("answered with status %d", e.Status)
	}
	return fmt.Sprintf("answered with status %d and %s", e.Status, e.ContentType)
}

// Dial asks for a WebSocket at a path of host. conn leads there: TLS around it,
// where there is one, is done. Dial takes ownership of conn, and ends with ctx.
func Dial(ctx context.Context, conn net.Conn, host, path string) (*Conn, error) {
	stop := context.AfterFunc(ctx, func() { bare(conn).Close() })
	defer stop()
	ws, err := ask(ctx, conn, host, path)
	if err != nil {
		bare(conn).Close()
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, err
	}
	return newConn(ws, conn), nil
}

func ask(ctx context.Context, conn net.Conn, host, path string) (*websocket.Conn, error) {
	var used atomic.Bool
	ws, answer, err := websocket.Dial(ctx, "ws://"+host+path, &websocket.DialOptions{
		CompressionMode: websocket.CompressionDisabled,
		HTTPClient: &http.Client{
			Transport: &http.Transport{
				MaxResponseHeaderBytes: maxHeader,
				DialContext: func(context.Context, string, string) (net.Conn, error) {
					if used.Swap(true) {
						return nil, errors.New("the connection was used")
					}
					return conn, nil
				},
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	})
	switch {
	case err == nil:
		return ws, nil
	case answer != nil && answer.StatusCode != http.StatusSwitchingProtocols:
		kind, _, _ := strings.Cut(answer.Header.Get("Content-Type"), ";")
		return nil, &RefusedError{Status: answer.StatusCode, ContentType: kind}
	}
	return nil, err
}

// Accept answers a request for a WebSocket. Where it is none, the answer says so
// and Accept returns an error. A page of another site is refused: daemons send
// no Origin.
func Accept(w http.ResponseWriter, req *http.Request) (*Conn, error) {
	held := &hijacked{ResponseWriter: w}
	ws, err := websocket.Accept(held, req, &websocket.AcceptOptions{CompressionMode: websocket.CompressionDisabled})
	if err != nil {
		return nil, err
	}
	return newConn(ws, held.conn), nil
}

// hijacked keeps the connection that the WebSocket takes over.
type hijacked struct {
	http.ResponseWriter
	conn net.Conn
}

func (h *hijacked) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, brw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	h.conn = conn
	return conn, brw, err
}
