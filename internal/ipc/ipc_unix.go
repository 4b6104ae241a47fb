//go:build !windows

package ipc

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sallyport/sallyport/internal/paths"
)

// IsRefused says whether a Dial failed because no daemon serves the path: a
// socket file may still be there.
func IsRefused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }

// listener keeps the lock of its socket for as long as it lives.
type listener struct {
	*net.UnixListener
	lock    *os.File
	perUser int

	mu   sync.Mutex
	held map[int]int // guarded by mu; uid -> connections
}

// Accept passes over connections of users who hold as many as they may.
func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.AcceptUnix()
		if err != nil || l.perUser == 0 {
			return c, err
		}
		uid, _, err := credentials(c)
		if err != nil || !l.take(uid) {
			c.Close()
			continue
		}
		return &counted{UnixConn: c, gone: sync.OnceFunc(func() { l.give(uid) })}, nil
	}
}

func (l *listener) take(uid int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held[uid] >= l.perUser {
		return false
	}
	l.held[uid]++
	return true
}

func (l *listener) give(uid int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held[uid]--; l.held[uid] == 0 {
		delete(l.held, uid)
	}
}

// counted is a connection that counts until it is closed.
type counted struct {
	*net.UnixConn
	gone func()
}

// Close may be called again.
func (c *counted) Close() error {
	err := c.UnixConn.Close()
	c.gone()
	return err
}

// Close stops listening, removes the socket and lets the next daemon have it.
func (l *listener) Close() error {
	return errors.Join(l.UnixListener.Close(), l.lock.Close())
}

func listen(path string, o Options) (net.Listener, error) {
	dirMode, mode := fs.FileMode(0o700), fs.FileMode(0o600)
	if o.Machine {
		dirMode, mode = 0o755, 0o666
	}
	if err := checkLength(path); err != nil {
		return nil, err
	}
	if err := makeDir(filepath.Dir(path), dirMode); err != nil {
		return nil, err
	}
	lock, err := lockSocket(path)
	if err != nil {
		return nil, err
	}
	l, err := bind(path, mode)
	if err != nil {
		lock.Close()
		return nil, err
	}
	return &listener{UnixListener: l, lock: lock, perUser: o.PerUser, held: map[int]int{}}, nil
}

// checkLength gives the kernel's bare "invalid argument" a cause.
func checkLength(path string) error {
	most := len(syscall.RawSockaddrUnix{}.Path) - 1
	if len(path) > most {
		return fmt.Errorf("a socket's path has %d bytes at most, this one %d", most, len(path))
	}
	return nil
}

// makeDir makes the socket's directory. One that is there stays as it is,
// unless others could replace what is in it.
func makeDir(dir string, mode fs.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	err := os.Mkdir(dir, mode)
	if err == nil {
		return os.Chmod(dir, mode) // whatever the umask is
	}
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); !ok || st.Uid != 0 && int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("directory %s belongs to another user", dir)
	}
	if info.Mode().Perm()&0o022 != 0 && info.Mode()&fs.ModeSticky == 0 {
		return fmt.Errorf("directory %s is writable by other users (mode %04o)", dir, info.Mode().Perm())
	}
	return nil
}

// lockSocket makes two daemons that start at once agree on who may replace a
// stale socket. The lock dies with its process; the file stays.
func lockSocket(path string) (*os.File, error) {
	lock, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		lock.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, ErrInUse
		}
		return nil, os.NewSyscallError("flock", err)
	}
	return lock, nil
}

func bind(path string, mode fs.FileMode) (*net.UnixListener, error) {
	if err := removeStale(path); err != nil {
		return nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	// Until now the umask ruled, and under any umask others may not write,
	// which is what connecting takes.
	if err := os.Chmod(path, mode); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSocket == 0 {
		return errors.New("a file that is no socket stands in its place")
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		c.Close()
		return ErrInUse
	}
	if !IsRefused(err) {
		return fmt.Errorf("is the socket that stands there alive: %w", err)
	}
	return os.Remove(path)
}

func dial(ctx context.Context, path string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "unix", path)
}

func peer(c net.Conn) (Identity, error) {
	uid, pid, err := credentials(c)
	if err != nil {
		return Identity{}, err
	}
	if unknown(uid) {
		return Identity{}, errors.New("its user is of another namespace")
	}
	id := Identity{UID: strconv.Itoa(uid), Name: strconv.Itoa(uid), Root: uid == 0, PID: pid}
	account, err := user.LookupId(id.UID)
	if err == nil {
		id.Name = account.Username
	}
	id.Administrator = id.Root || uid == os.Geteuid() || (account != nil && inAdminGroup(account))
	return id, nil
}

// inAdminGroup is false where anything is unknown.
func inAdminGroup(account *user.User) bool {
	group, err := user.LookupGroup(paths.AdminGroup)
	if err != nil {
		return false
	}
	ids, err := account.GroupIds()
	return err == nil && slices.Contains(ids, group.Gid)
}

func trustedServer(c net.Conn, accounts []string) (ok bool, who string, err error) {
	uid, _, err := credentials(c)
	if err != nil {
		return false, "", err
	}
	if uid == 0 || uid == os.Geteuid() {
		return true, "", nil
	}
	account, err := user.LookupId(strconv.Itoa(uid))
	if err != nil {
		return false, "uid " + strconv.Itoa(uid), nil
	}
	return slices.Contains(accounts, account.Username), "user " + account.Username, nil
}

// credentials asks the kernel for the process at the other end.
func credentials(c net.Conn) (uid, pid int, err error) {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return 0, 0, fmt.Errorf("%T is no socket", c)
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return 0, 0, err
	}
	if cerr := raw.Control(func(fd uintptr) { uid, pid, err = peerOf(int(fd)) }); cerr != nil {
		return 0, 0, cerr
	}
	return uid, pid, err
}
