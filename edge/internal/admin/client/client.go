// Package client calls the admin socket of an edge. The commands of
// sallyport-edge and tests use nothing else.
//
// Errors: *adminapi.Problem; CodeEdgeDown where no edge answers.
package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"

	"github.com/sallyport/sallyport/edge/internal/admin/adminapi"
	"github.com/sallyport/sallyport/internal/ipc"
	"github.com/sallyport/sallyport/internal/paths"
)

// Client calls one edge. Use New.
type Client struct {
	socket string
	http   *http.Client
}

// maxAnswer bounds an answer that is read as a whole.
const maxAnswer = 256 << 20

// New makes a client of the socket; it connects when it is used.
func New(socket string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		c, err := ipc.Dial(ctx, socket)
		if err != nil {
			return nil, err
		}
		if err := ipc.CheckServer(c, paths.EdgeAccount); err != nil { // before a password is sent
			c.Close()
			return nil, err
		}
		return c, nil
	}
	return &Client{socket: socket, http: &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}}
}

// do sends in as JSON (nil: nothing) and reads the answer into out (nil: nothing).
func (c *Client) do(ctx context.Context, method, path string, in, out any) error {
	res, err := c.send(ctx, method, path, in)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, maxAnswer)).Decode(out); err != nil {
		return fmt.Errorf("read the edge's answer: %w", err)
	}
	return nil
}

func (c *Client) send(ctx context.Context, method, path string, in any) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://sallyport-edge/v1"+path, body)
	if err != nil {
		return nil, err
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreached(err)
	}
	if res.StatusCode < 300 {
		return res, nil
	}
	defer res.Body.Close()
	p := &adminapi.Problem{}
	if err := json.NewDecoder(io.LimitReader(res.Body, adminapi.MaxBodyBytes)).Decode(p); err != nil || p.Title == "" {
		return nil, fmt.Errorf("the edge answered %s", res.Status)
	}
	return nil, p
}

// unreached says why there is no answer, and what to do.
func (c *Client) unreached(err error) error {
	p := &adminapi.Problem{Code: adminapi.CodeEdgeDown, Title: "the edge cannot be reached at " + c.socket, Detail: cause(err),
		Hint: "is it running? sallyport-edge serve --config FILE; another edge is named with --config or --socket"}
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		p.Title, p.Detail = "the edge is not running", "nothing serves "+c.socket
		p.Hint = "sallyport-edge serve --config FILE; another edge is named with --config or --socket"
	case errors.Is(err, fs.ErrPermission), errors.Is(err, ipc.ErrUntrusted):
		p.Code, p.Hint = adminapi.CodePermission, "run the command as the user that the edge runs as, or as root"
	}
	return p
}

// cause leaves out what http says of a URL that nobody knows.
func cause(err error) string {
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err
	}
	return err.Error()
}

func query(pairs ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

func flag(b bool) string {
	if b {
		return "true"
	}
	return ""
}

// Tail gives the last n audit lines to each, and with follow those that come,
// until ctx ends.
func (c *Client) Tail(ctx context.Context, n int, follow bool, each func(line []byte) error) error {
	res, err := c.send(ctx, http.MethodGet, "/audit"+query("n", strconv.Itoa(n), "follow", flag(follow)), nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	r := bufio.NewReader(res.Body)
	for {
		line, err := r.ReadBytes('\n')
		if len(line) > 0 && err == nil {
			if err := each(bytes.TrimSuffix(line, []byte("\n"))); err != nil {
				return err
			}
		}
		switch {
		case err == io.EOF && !follow, ctx.Err() != nil:
			return nil
		case err != nil:
			return &adminapi.Problem{Code: adminapi.CodeEdgeDown, Title: "the edge ended while its audit log was being followed", Detail: strings.TrimSpace(err.Error())}
		}
	}
}
