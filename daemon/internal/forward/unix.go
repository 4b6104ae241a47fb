package forward

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"
)

// socketMode lets the owner in and nobody else.
const socketMode = 0o600

// staleTimeout bounds the question whether somebody listens on a socket that
// is there already.
const staleTimeout = time.Second

// bindUnix makes a listening socket that only its owner can use. uid is that
// owner; 0 or less means the daemon's own user. A socket that is left over and
// on which nobody listens is removed.
//
// All of it is done with the owner's rights on the file system: the folder is
// the owner's, who may put anything in the place of a name at any moment.
func bindUnix(ctx context.Context, path string, uid int) (b *bound, err error) {
	if failed := asOwner(uid, func() error { b, err = bindAsOwner(ctx, path, uid); return nil }); failed != nil {
		err = failed
	}
	if err != nil {
		return nil, &bindError{path: path, err: err}
	}
	return b, nil
}

func bindAsOwner(ctx context.Context, path string, uid int) (*bound, error) {
	dir, err := openFolder(filepath.Dir(path), uid)
	if err != nil {
		return nil, err
	}
	at := filepath.Join(dir.at, filepath.Base(path))
	l, err := listenUnix(ctx, at, uid)
	if err != nil {
		dir.close()
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	release := func() {
		asOwner(uid, func() error { return os.Remove(at) })
		dir.close()
	}
	return &bound{listeners: []net.Listener{l}, release: release}, nil
}

func listenUnix(ctx context.Context, at string, uid int) (net.Listener, error) {
	if err := removeStale(ctx, at, uid); err != nil {
		return nil, err
	}
	lc := net.ListenConfig{Control: ownerOnly}
	l, err := lc.Listen(ctx, "unix", at)
	if err != nil {
		return nil, err
	}
	// The name may come to lead elsewhere; whoever made the folder known removes it.
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	if err := os.Chmod(at, socketMode); err != nil {
		l.Close()
		os.Remove(at)
		return nil, err
	}
	return l, nil
}

// removeStale removes a socket that nobody listens on, if it is the owner's or
// the daemon's.
func removeStale(ctx context.Context, at string, uid int) error {
	info, err := os.Lstat(at)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return errors.New("something that is no socket is there already")
	case !isOurs(info, uid):
		return errors.New("a socket of another user is there already")
	}
	d := net.Dialer{Timeout: staleTimeout}
	conn, err := d.DialContext(ctx, "unix", at)
	if err == nil {
		conn.Close()
		return errSocketTaken
	}
	if !errors.Is(err, errnoRefused) {
		return fmt.Errorf("ask the socket that is there: %w", err)
	}
	return os.Remove(at)
}

// isOther says whether a uid is another user than the daemon's.
func isOther(uid int) bool { return uid > 0 && uid != os.Geteuid() }

// folder is where a socket is made.
type folder struct {
	at    string // what leads to it
	close func()
}
