package client

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/sallyport/sallyport/api"
)

// endWait bounds the question how a stream ended; the daemon answers it from
// memory.
const endWait = 5 * time.Second

// Stream is the raw bytes of one stream to a hostname. Reading gives io.EOF
// only after an orderly end; after a reset it gives the *api.Problem that says
// why.
type Stream struct {
	net.Conn
	// ID names the stream; "" where the daemon gives no names.
	ID string

	client *Client
	r      *bufio.Reader
}

// OpenStream opens one stream to a hostname. It waits for the verdict, and for
// a login where the daemon holds the connection for one. The end of ctx ends
// the waiting, not the stream.
func (c *Client) OpenStream(ctx context.Context, in api.StreamInput) (*Stream, error) {
	conn, err := c.dial(ctx)
	if err != nil {
		return nil, transportError(ctx, err)
	}
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	s, err := c.upgrade(ctx, conn, in)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		conn.Close()
		return nil, transportError(ctx, err)
	}
	return s, nil
}

func (c *Client) upgrade(ctx context.Context, conn net.Conn, in api.StreamInput) (*Stream, error) {
	req, err := request(ctx, http.MethodPost, "/streams", in)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", api.UpgradeStream)
	if err := req.Write(conn); err != nil {
		return nil, err
	}
	r := bufio.NewReaderSize(conn, 4<<10)
	resp, err := http.ReadResponse(r, req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		defer resp.Body.Close()
		return nil, problemOf(resp)
	}
	return &Stream{Conn: conn, ID: resp.Header.Get(api.StreamHeader), client: c, r: r}, nil
}

// Read reads bytes of the origin.
func (s *Stream) Read(b []byte) (int, error) {
	if s.r != nil && s.r.Buffered() == 0 {
		s.r = nil
	}
	var n int
	var err error
	if s.r != nil {
		n, err = s.r.Read(b)
	} else {
		n, err = s.Conn.Read(b)
	}
	if err != nil {
		err = s.ended(err)
	}
	return n, err
}

// CloseWrite tells the origin that no more bytes come; reading goes on.
func (s *Stream) CloseWrite() error {
	if h, ok := s.Conn.(interface{ CloseWrite() error }); ok {
		return h.CloseWrite()
	}
	return errors.ErrUnsupported
}

// ended turns the end of the raw bytes into what the daemon knows about it.
func (s *Stream) ended(err error) error {
	if errors.Is(err, net.ErrClosed) || s.ID == "" {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), endWait)
	defer cancel()
	end, askErr := s.client.StreamEnd(ctx, s.ID)
	var p *api.Problem
	switch {
	case askErr == nil && end.Problem != nil:
		return end.Problem
	case askErr == nil:
		return err
	case errors.As(askErr, &p) && p.Code == api.CodeDaemonDown, errors.Is(err, io.EOF):
		// Nobody can say that it was orderly: the daemon died with it.
		return broken(err)
	}
	return err
}
