package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"net/http"
	"time"

	"github.com/sallyport/sallyport/api"
)

// silence is how long an event stream may say nothing before it counts as
// dead: three heartbeats.
const silence = 3 * api.HeartbeatEvery

var errSilent = errors.New("the daemon says nothing any more")

// Watch yields the whole status at once and after each change, and a heartbeat
// while nothing changes. It ends after the first error; it does not reconnect.
func (c *Client) Watch(ctx context.Context) iter.Seq2[api.Event, error] {
	return func(yield func(api.Event, error) bool) {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		alarm := time.AfterFunc(silence, func() { cancel(errSilent) })
		defer alarm.Stop()
		for ev, err := range lines[api.Event](ctx, c, http.MethodGet, "/events", nil) {
			alarm.Reset(silence)
			if errors.Is(err, errSilent) {
				err = broken(err)
			}
			if !yield(ev, err) || err != nil {
				return
			}
		}
	}
}

// HoldForward makes a forward that lives as long as the sequence is read: it
// yields the forward at once and after each change, and is gone when ctx ends
// or the loop is left.
func (c *Client) HoldForward(ctx context.Context, in api.ForwardInput) iter.Seq2[api.Forward, error] {
	in.Hold = true
	return lines[api.Forward](ctx, c, http.MethodPost, "/forwards", in)
}

// HoldTunnel publishes an app as long as the sequence is read.
func (c *Client) HoldTunnel(ctx context.Context, in api.TunnelInput) iter.Seq2[api.Tunnel, error] {
	in.Hold = true
	return lines[api.Tunnel](ctx, c, http.MethodPost, "/tunnels", in)
}

// HoldLogin begins an attempt to sign in, or joins the one under way, and
// yields it after each change. It ends without an error after a final state;
// the attempt is given up when the loop is left before that.
func (c *Client) HoldLogin(ctx context.Context, in api.LoginInput) iter.Seq2[api.Login, error] {
	in.Hold = true
	return func(yield func(api.Login, error) bool) {
		for l, err := range lines[api.Login](ctx, c, http.MethodPost, "/logins", in) {
			if !yield(l, err) || err != nil || l.State.Final() {
				return
			}
		}
	}
}

// lines makes one request and yields each line of its answer. The end of the
// answer is an error: who holds or watches does so until told otherwise.
func lines[T any](ctx context.Context, c *Client, method, path string, in any) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		resp, err := c.send(ctx, method, path, in)
		if err != nil {
			yield(zero, err)
			return
		}
		defer resp.Body.Close()
		dec := json.NewDecoder(resp.Body)
		for {
			var v T
			err := dec.Decode(&v)
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			if err != nil {
				yield(zero, transportError(ctx, err))
				return
			}
			if !yield(v, nil) {
				return
			}
		}
	}
}
