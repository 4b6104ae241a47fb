package client

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/internal/ipc"
	"github.com/sallyport/sallyport/internal/paths"
)

const startHint = "start the service, or run `sallyportd run` in another terminal"

// dial connects to the first socket at which a daemon answers.
func (c *Client) dial(ctx context.Context) (net.Conn, error) {
	var tried []string
	denied := false
	for _, s := range paths.Sockets(c.opts.Socket) {
		conn, err := c.opts.Dial(ctx, s)
		if err == nil {
			return conn, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		denied = denied || errors.Is(err, fs.ErrPermission)
		tried = append(tried, fmt.Sprintf("%s: %s", s, reasonOf(err)))
	}
	return nil, unreachable(tried, denied)
}

// unreachable is the problem when no socket of the search order answered.
func unreachable(tried []string, denied bool) *api.Problem {
	p := &api.Problem{
		Code:   api.CodeDaemonDown,
		Title:  "The daemon is not running",
		Detail: strings.Join(tried, "; "),
		Hint:   startHint,
	}
	if denied {
		p.Code = api.CodePermission
		p.Title = "not permitted to talk to the daemon"
		p.Hint = "run as the user the daemon serves, or give --socket"
	}
	return p
}

// reasonOf shortens an error of dialling to what the person can act upon.
func reasonOf(err error) string {
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "no such socket"
	case errors.Is(err, fs.ErrPermission):
		return "permission denied"
	case ipc.IsRefused(err):
		return "nobody listens"
	}
	return err.Error()
}

// dialOwned connects and makes sure that the daemon itself is at the other
// end: whoever else could serve the path must learn no token and no code.
func dialOwned(ctx context.Context, socket string) (net.Conn, error) {
	conn, err := ipc.Dial(ctx, socket)
	if err != nil {
		return nil, err
	}
	if err := ipc.CheckServer(conn); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}
