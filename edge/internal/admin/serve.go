package admin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/sallyport/sallyport/internal/ipc"
)

const (
	headerTimeout = 5 * time.Second
	idleTimeout   = time.Minute
	// closeTimeout is how long Serve lets answers go out at the end.
	closeTimeout = 3 * time.Second
)

// Listen takes the admin socket: a stale one is replaced, one that another edge
// serves is not.
func Listen(path string) (net.Listener, error) {
	l, err := ipc.Listen(path, ipc.Options{})
	if errors.Is(err, ipc.ErrInUse) {
		return nil, fmt.Errorf("admin socket %s is served by another sallyport-edge; stop it, or use another state directory: %w", path, err)
	}
	if err != nil {
		return nil, fmt.Errorf("open admin socket %s: %w", path, err)
	}
	return l, nil
}

// caller is who is at the other end of a connection.
type caller struct {
	id  ipc.Identity
	err error
}

type callerKey struct{}

// Serve answers on l until ctx ends; it closes l.
func Serve(ctx context.Context, l net.Listener, h http.Handler) error {
	s := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			id, err := ipc.Peer(c)
			return context.WithValue(ctx, callerKey{}, caller{id, err})
		},
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }() // ends with Shutdown
	select {
	case err := <-done:
		return fmt.Errorf("serve admin socket: %w", err)
	case <-ctx.Done():
	}
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	err := s.Shutdown(closing)
	if err != nil {
		err = s.Close()
	}
	<-done
	return err
}

// actor names the caller, or says that it may not call: identity that is not
// known is refused.
func actor(ctx context.Context) (string, error) {
	c, ok := ctx.Value(callerKey{}).(caller)
	switch {
	case !ok:
		return "", ipc.ErrNoIdentity
	case c.err != nil:
		return "", c.err
	case !c.id.Root && c.id.UID != strconv.Itoa(os.Getuid()):
		return "", fmt.Errorf("user %s is neither root nor the user that the edge runs as", c.id.Name)
	}
	return fmt.Sprintf("%s (uid %s)", c.id.Name, c.id.UID), nil
}
