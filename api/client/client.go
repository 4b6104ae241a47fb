package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/sallyport/sallyport/api"
)

// baseURL is what every request is addressed to: the daemon refuses another
// Host.
const baseURL = "http://sallyport"

// maxAnswerBytes bounds an answer that is read whole; a status with ten
// thousand forwards stays below it.
const maxAnswerBytes = 16 << 20

// Options says how the daemon is found. The zero value looks at
// SALLYPORT_SOCKET, or else at the user's own socket and the machine's.
type Options struct {
	// Socket is the only socket to try; "" means search.
	Socket string
	// Dial opens a connection to a socket; nil means internal/ipc, with the
	// check of who owns it.
	Dial func(ctx context.Context, socket string) (net.Conn, error)
}

// Client speaks to one daemon.
type Client struct {
	opts Options
	http *http.Client
}

// New makes a client. It does not connect.
func New(o Options) (*Client, error) {
	if o.Dial == nil {
		o.Dial = dialOwned
	}
	c := &Client{opts: o}
	c.http = &http.Client{
		Transport: &http.Transport{
			DialContext:        func(ctx context.Context, _, _ string) (net.Conn, error) { return c.dial(ctx) },
			DisableCompression: true,
			MaxIdleConns:       4,
			IdleConnTimeout:    30 * time.Second,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c, nil
}

// Close gives idle connections back. The client may still be used.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// request builds a request of one route; in is nil or the body.
func request(ctx context.Context, method, path string, in any) (*http.Request, error) {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, internal("encode the request", err)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, baseURL+api.Prefix+path, body)
	if err != nil {
		return nil, internal("build the request", err)
	}
	if in != nil {
		contentType := "application/json"
		if method == http.MethodPatch {
			contentType = "application/merge-patch+json"
		}
		req.Header.Set("Content-Type", contentType)
	}
	return req, nil
}

// send makes one request and returns the answer if it is a success.
func (c *Client) send(ctx context.Context, method, path string, in any) (*http.Response, error) {
	req, err := request(ctx, method, path, in)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, transportError(ctx, err)
	}
	if resp.StatusCode/100 != 2 {
		defer resp.Body.Close()
		return nil, problemOf(resp)
	}
	return resp, nil
}

// call makes one request and decodes the answer, if there is one, into T.
func call[T any](ctx context.Context, c *Client, method, path string, in any) (T, error) {
	var out T
	resp, err := c.send(ctx, method, path, in)
	if err != nil {
		return out, err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNoContent {
		return out, nil
	}
	err = json.NewDecoder(io.LimitReader(resp.Body, maxAnswerBytes)).Decode(&out)
	if errors.Is(err, io.EOF) && resp.ContentLength == 0 {
		return out, nil
	}
	if err != nil {
		return out, transportError(ctx, err)
	}
	return out, nil
}

// none is the answer of a route that has nothing to say.
type none struct{}

// UnmarshalJSON takes whatever is said and forgets it.
func (none) UnmarshalJSON([]byte) error { return nil }

// item is the path of one object of a collection.
func item(collection, id string) string { return collection + "/" + url.PathEscape(id) }
