// Package ipc is the local transport between Sallyport's programs on one
// machine: a Unix socket, or a named pipe on Windows. It never is TCP.
//
// Shapes: Listen makes the daemon's listener; Dial is how a client reaches it.
// Peer says who is at the other end of an accepted connection, by the kernel's
// word and nobody else's. CheckServer says whether the server of a dialled
// connection is one to be trusted with secrets.
//
// Units and limits: a Unix socket's path has about 100 bytes at most, by the
// kernel's rule.
//
// Errors: ErrInUse where a live daemon serves the path; ErrNoIdentity where the
// kernel does not say who the peer is (refuse it); ErrUntrusted where a stranger
// serves the path; a Dial that finds no server satisfies errors.Is(err,
// fs.ErrNotExist) or IsRefused.
//
// Concurrency: nothing here starts a goroutine.
package ipc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os/user"
	"slices"

	"github.com/sallyport/sallyport/internal/paths"
)

// Errors of this package.
var (
	// ErrInUse: another process serves the path.
	ErrInUse = errors.New("another daemon serves this socket")
	// ErrNoIdentity: the kernel does not say who the peer is.
	ErrNoIdentity = errors.New("the caller's identity is unknown")
	// ErrUntrusted: neither root, nor the service account, nor oneself serves
	// the socket.
	ErrUntrusted = errors.New("the socket is served by another user")
)

// Options say who may connect.
type Options struct {
	// Machine is true for the machine's daemon: everybody may connect, since
	// identity is the kernel's and each request is judged by it. Else only the
	// user that the daemon runs as (and root) may.
	Machine bool
	// PerUser is how many connections one user may hold at a time (not on
	// Windows); 0 means any number. One more is closed at once, so that no user
	// takes all descriptors of the process.
	PerUser int
}

// Identity is an OS user, by the kernel's word.
type Identity struct {
	// UID is a decimal uid, or a SID on Windows.
	UID string
	// Name is the user's name, UID where the system knows none.
	Name string
	// Account tells the accounts apart that had the UID one after the other, as the
	// daemon has noted them; "" means the first.
	Account string
	// Root is true for root, or LocalSystem on Windows.
	Root bool
	// Administrator is true for root, the user that this process runs as,
	// members of the group sallyport, and Administrators on Windows.
	Administrator bool
	// PID is for logs only: process ids are used again.
	PID int
}

// Owner is what things of this user are kept under.
func (id Identity) Owner() string { return cmp.Or(id.Account, id.UID) }

// Listen serves path. It replaces a stale socket and refuses, with ErrInUse, to
// replace a live one.
func Listen(path string, o Options) (net.Listener, error) {
	l, err := listen(path, o)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	return l, nil
}

// Dial connects to the daemon at path.
func Dial(ctx context.Context, path string) (net.Conn, error) { return dial(ctx, path) }

// Peer says who is at the other end of a connection of Listen's listener. Any
// error is to be answered by a refusal.
func Peer(c net.Conn) (Identity, error) {
	id, err := peer(c)
	if err != nil {
		return Identity{}, errors.Join(ErrNoIdentity, err)
	}
	return id, nil
}

// CheckServer is nil where the server of a dialled connection runs as root, as
// the service account or one of those named, or as this user. Call it before
// anything secret is sent.
func CheckServer(c net.Conn, accounts ...string) error {
	ok, who, err := trustedServer(c, append(accounts, paths.ServiceAccount))
	if err != nil {
		return errors.Join(ErrUntrusted, err)
	}
	if !ok {
		return fmt.Errorf("%w (%s)", ErrUntrusted, who)
	}
	return nil
}

// GroupExists says whether the system knows a group.
func GroupExists(group string) bool {
	_, err := user.LookupGroup(group)
	return err == nil
}

// InGroup says whether an OS user is in a group; false where anything is unknown.
func InGroup(uid, group string) bool {
	g, err := user.LookupGroup(group)
	if err != nil {
		return false
	}
	account, err := user.LookupId(uid)
	if err != nil {
		return false
	}
	ids, err := account.GroupIds()
	return err == nil && slices.Contains(ids, g.Gid)
}

// UserName is the name of an OS user, the id where the system knows none.
func UserName(uid string) string {
	if u, err := user.LookupId(uid); err == nil {
		return u.Username
	}
	return uid
}
