package forward

import (
	"os"
	"syscall"

	"golang.org/x/sys/windows"
)

// errnoRefused is what a socket without listener answers.
const errnoRefused = windows.WSAECONNREFUSED

// asOwner: a socket is whoever's the folder says.
func asOwner(_ int, f func() error) error { return f() }

// openFolder: who may use a socket is decided by the folder's access list.
func openFolder(path string, _ int) (folder, error) {
	if _, err := os.Stat(path); err != nil {
		return folder{}, err
	}
	return folder{at: path, close: func() {}}, nil
}

// ownerOnly has nothing to set.
func ownerOnly(_, _ string, _ syscall.RawConn) error { return nil }

func isOurs(os.FileInfo, int) bool { return true }
