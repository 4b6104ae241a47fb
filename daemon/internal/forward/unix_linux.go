package forward

import (
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// errnoRefused is what a socket without listener answers.
const errnoRefused = syscall.ECONNREFUSED

// openFolder holds on to a folder, so that what is made in it is made there
// even if its path comes to lead elsewhere. A daemon that makes sockets for
// another user makes them in that user's folders only.
func openFolder(path string, uid int) (folder, error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return folder{}, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	if isOther(uid) {
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			unix.Close(fd)
			return folder{}, &fs.PathError{Op: "stat", Path: path, Err: err}
		}
		if int(st.Uid) != uid {
			unix.Close(fd)
			return folder{}, fmt.Errorf("the folder %s is not yours: %w", path, fs.ErrPermission)
		}
	}
	return folder{at: "/proc/self/fd/" + strconv.Itoa(fd), close: func() { unix.Close(fd) }}, nil
}

// asOwner runs f with the rights of a user on the file system, and makes what f
// makes that user's. It holds for this thread alone, on which f has to stay.
func asOwner(uid int, f func() error) error {
	if !isOther(uid) {
		return f()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	// The call tells the user from before and no error; -1 only asks.
	before, _ := unix.SetfsuidRetUid(uid)
	if now, _ := unix.SetfsuidRetUid(-1); now != uid {
		return fmt.Errorf("make a socket for uid %d: %w", uid, errOwnOnly)
	}
	defer func() {
		unix.SetfsuidRetUid(before)
		if now, _ := unix.SetfsuidRetUid(-1); now != before {
			runtime.LockOSThread() // one more than is undone: nobody else gets this thread
		}
	}()
	return f()
}

// ownerOnly sets the mode before the socket has a name.
func ownerOnly(_, _ string, c syscall.RawConn) error {
	var failed error
	if err := c.Control(func(fd uintptr) { failed = unix.Fchmod(int(fd), socketMode) }); err != nil {
		return err
	}
	return failed
}

func isOurs(info os.FileInfo, uid int) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && (int(st.Uid) == os.Geteuid() || (uid > 0 && int(st.Uid) == uid))
}
